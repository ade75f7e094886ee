"""docs/metrics.md names every metric there is, and no other; the vendored library is the published one."""

import hashlib
import re
from pathlib import Path

from tests.unit.observability.test_grafana import families, names_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")


def test_every_metric_is_documented_and_every_documented_one_exists():
    documented = set(re.findall(r"`(konsilium_\w+)`", PAGE))
    ours = [family for family in families() if family.name.startswith("konsilium_")]
    written = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in ours
    }
    assert documented == written
    assert all(names_of(family) for family in ours)


def test_the_chart_library_is_the_file_that_was_published():
    (library,) = (ROOT / "public" / "dashboard").glob("chart-*.js")
    assert hashlib.sha256(library.read_bytes()).hexdigest() in PAGE
    version = library.name.removeprefix("chart-").removesuffix(".umd.min.js")
    assert f"Chart.js v{version}" in library.read_text("utf-8")[:200]
    assert f") {version} (MIT)" in PAGE
    assert "MIT" in (library.parent / "chart-LICENSE.md").read_text("utf-8")
