"""The storage benchmark runs, small, and loses nothing."""

import pytest

from bench import storage
from bench.report import Report


@pytest.mark.postgres
async def test_the_benchmark_runs_in_short_form():
    report = Report(quick=True)
    await storage.run(report)
    assert [figure for figure in report.figures if figure.met is False] == []
    assert {figure.name.partition(":")[0] for figure in report.figures} == {
        "SQLite",
        "PostgreSQL",
        "Chainlit's layer, SQLite",
    }
