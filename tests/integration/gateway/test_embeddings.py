"""Embeddings: passed through where the server speaks OpenAI's protocol, asked for where it does not."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.core.providers import any_server
from app.core.requests import RawRequest
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.simulators import OpenAISimulator


async def embed(house: Any, server: str, **fields: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.base) as http:
        return await http.post("/embeddings", json={"model": f"{server}/embed-m3", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"input": "текст"},
        {"input": ["a", "b"], "dimensions": 256, "user": "me", "input_type": "query"},
        {"input": [9906, 1917]},
        {"input": [[9906, 1917], [3]], "encoding_format": "base64"},
    ],
)
async def test_what_is_asked_reaches_a_server_that_is_passed_through(house, fields):
    answer = await embed(house, "gpu", **fields)
    assert answer.status_code == 200
    assert house.openai.requests[-1].body == {"model": "embed-m3", **fields}
    record = house.store.calls[-1].call if house.store.calls else None
    assert record is None or (record.purpose, record.outcome) == ("embedding", "completed")


async def test_of_the_answer_of_such_a_server_only_the_models_name_is_written_anew(house):
    direct = await embed_directly(house.openai, ["a", "b"])
    theirs, ours = b'"model": "embed-m3"', b'"model":"gpu/embed-m3"'
    assert direct.count(theirs) == 1
    answer = await embed(house, "gpu", input=["a", "b"])
    assert answer.content == direct.replace(theirs, ours)
    assert (await embed(house, "ollama", input="a")).json()["model"] == "ollama/embed-m3"


async def embed_directly(simulator: OpenAISimulator, texts: list[str]) -> bytes:
    async with httpx.AsyncClient(base_url=simulator.base_url) as http:
        body = {"model": "embed-m3", "input": texts}
        return (await http.post("/embeddings", json=body)).content


async def test_dimensions_reach_ollama_and_token_ids_are_refused_in_words(house):
    answer = await embed(house, "ollama", input="a", dimensions=256)
    assert answer.status_code == 200
    assert house.ollama.bodies("/api/embed")[-1]["dimensions"] == 256
    refused = await embed(house, "ollama", input=[[9906, 1917]])
    assert refused.status_code == 400
    assert "text" in refused.json()["error"]["message"]


@pytest.mark.parametrize("server", ["ollama", "gpu"])
@pytest.mark.parametrize("given", [None, [], 5, {"a": 1}])
async def test_a_request_without_texts_is_refused(house, server, given):
    assert (await embed(house, server, input=given)).status_code == 400


async def test_a_bare_name_goes_to_the_next_server_when_the_first_fails(house):
    house.ollama.down = True
    async with httpx.AsyncClient(base_url=house.base) as http:
        answer = await http.post("/embeddings", json={"model": "embed-m3", "input": "a"})
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [10**400, 1e300])
@pytest.mark.parametrize("form", ["float", "base64"])
async def test_a_server_whose_numbers_no_vector_has_is_at_fault_and_the_next_is_asked(
    house, number, form
):
    house.ollama.vectors = [[0.5, number]]
    refused = await embed(house, "ollama", input="a", encoding_format=form)
    assert refused.status_code == 502
    async with httpx.AsyncClient(base_url=house.base) as http:
        asked = {"model": "embed-m3", "input": "a", "encoding_format": form}
        assert (await http.post("/embeddings", json=asked)).status_code == 200
    assert house.ollama.bodies("/api/embed")
    assert house.openai.requests


async def test_many_texts_for_a_server_that_takes_one_are_asked_for_one_by_one():
    async with OpenAISimulator(["embed-m3"]) as simulator:
        row = replace(any_server("yandex", simulator.base_url), embeddings_at_once=1)
        server = OpenAICompatibleServer(row)
        vectors, usage = await server.embed("embed-m3", ["a", "b", "c"])
        request = RawRequest("/embeddings", {"input": ["a", "b", "c"], "dimensions": 2})
        answer = await server.model("embed-m3").raw_answer(request)
        await server.aclose()
    assert len(vectors) == 3
    assert usage.input_tokens == 3
    assert answer.finished.usage.input_tokens == 3
    assert [body["input"] for body in simulator.bodies("/v1/embeddings")] == ["a", "b", "c"] * 2
