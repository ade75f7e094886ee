"""The labelled pairs go through the app's own cache, with the vectors of a model server."""

import pytest
from pydantic import SecretStr

from app.core.errors import KonsiliumError
from app.settings import Settings
from bench.pairs import with_embeddings
from bench.report import Report
from tests.simulators.openai import OpenAISimulator

NOBODY = "http://127.0.0.1:9"


def configured(url):
    servers = SecretStr(f"here={url}")
    return Settings(
        ollama_host=NOBODY,
        openai_servers=servers,
        embedding_model="here/text-embed",
    )


async def test_the_pairs_are_measured_with_the_model_that_is_configured():
    report = Report(quick=True)
    async with OpenAISimulator(["text-embed"]) as server:
        await with_embeddings(report, configured(server.base_url))
    figures = {figure.name: figure.value for figure in report.figures}
    assert 0.5 <= figures["here/text-embed: least cosine, chosen on the tuning part"] <= 1
    false = [value for name, value in figures.items() if "the same, false ones" in name]
    assert len(false) == 12
    assert set(false) == {0}


async def test_a_model_that_does_not_answer_is_not_measured_as_if_it_did():
    with pytest.raises(KonsiliumError):
        await with_embeddings(Report(quick=True), configured(f"{NOBODY}/v1"))


async def test_without_a_model_nothing_is_measured():
    report = Report(quick=True)
    await with_embeddings(report, Settings(embedding_model=None))
    assert report.figures == []
