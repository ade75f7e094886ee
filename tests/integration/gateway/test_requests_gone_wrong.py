"""What clients get wrong, and what a server cannot do, is said once, with a status that is true."""

import asyncio
import base64
import gzip
import json
import time
from typing import Any

import httpx
import pytest

from app.gateway.access import Authenticator
from app.gateway.bodies import BodyBounds
from tests.gateway import make_key, me, served
from tests.integration.gateway.conftest import open_house
from tests.integration.gateway.test_rest import house as app_house  # noqa: F401  # a fixture


def asks(model: str = "gpu/echo", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]} | fields


async def post(house: Any, body: Any, path: str = "/v1/chat/completions") -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.url, timeout=20) as http:
        return await http.post(path, json=body)


async def test_a_server_that_is_busy_stays_a_503(house):
    await house.serve("error-503")
    answer = await post(house, asks("gpu/error-503"))
    assert answer.status_code == 503
    said = answer.json()["error"]["message"]
    assert said == "The server is overloaded.", "its status is told once"


@pytest.mark.parametrize("server", ["ollama", "gpu"])
async def test_a_prompt_that_is_too_long_is_said_in_words_that_programs_know(house, server):
    await house.serve("context")
    error = (await post(house, asks(f"{server}/context"))).json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert "is longer than the model's context length" in error["message"]  # LiteLLM looks for it


async def test_tools_of_this_server_are_not_left_out_of_a_text_in_silence(house):
    asked = {"model": "gpu/echo", "prompt": "x", "konsilium": {"tools": ["calculator"]}}
    answer = await post(house, asked, "/v1/completions")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "konsilium")


async def test_an_http_1_0_client_is_sent_no_chunks(house):
    host, port = house.url.removeprefix("http://").split(":")
    for streams in (True, False):
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps(asks(stream=streams)).encode()
        head = (
            b"POST /v1/chat/completions HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
        )
        writer.write(head % len(body) + body)
        head, _, said = (await reader.read()).partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert said.startswith(b"data: {" if streams else b"{")
        assert said.endswith(b"data: [DONE]\n\n" if streams else b"}")
        writer.close()


async def test_what_a_server_does_not_support_is_not_worth_a_retry(house):
    await house.serve("error-501")
    answer = await post(house, asks("gpu/error-501"))
    assert answer.headers["x-should-retry"] == "false"
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "", "tool_calls": 5},
        {"role": "assistant", "content": "", "tool_calls": {"a": 1}},
        {"role": "assistant", "content": "", "tool_calls": [5]},
    ],
)
async def test_calls_of_tools_that_are_none_are_a_400(house, message):
    answer = await post(house, asks("ollama/echo", messages=[message]))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"stop": ["x"]},
        {"seed": 0},
        {"top_p": 0.5},
        {"top_k": 20},
        {"repetition_penalty": 1.1},
        {"a_field_of_next_year": 1},
        {"response_format": {"type": "json_object"}},
        {"konsilium": {"best_of_n": 99}},
        {"konsilium": {"best_of_m": 3}},
    ],
)
async def test_a_council_drops_nothing_in_silence(house, fields):
    answer = await post(house, asks("konsilium/best-of", **fields))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"]


async def test_a_council_takes_what_changes_nothing(house):
    empty = {"tools": list[str](), "stop": None, "logprobs": False}
    neutral = {"top_p": 1.0, "frequency_penalty": 0, "presence_penalty": 0.0, "n": 1}
    told = {
        "tool_choice": "auto",
        "reasoning_effort": "low",
        "user": "ann",
        "metadata": {"a": "b"},
        "store": True,
    }
    fields = empty | neutral | told
    named = {"konsilium": {"model": "ollama/echo"}}
    answer = await post(house, asks("konsilium/best-of", **fields, **named))
    assert answer.status_code == 200


async def test_a_body_may_come_as_gzip_and_never_larger_than_the_limit(house):
    async def packed(body: bytes, coding: str = "gzip") -> int:
        headers = {"content-encoding": coding, "content-type": "application/json"}
        async with httpx.AsyncClient(base_url=house.base, headers=headers) as http:
            return (await http.post("/chat/completions", content=body)).status_code

    whole = gzip.compress(json.dumps(asks()).encode())
    assert await packed(whole) == 200
    assert await packed(gzip.compress(b" " * 99) + whole) == 200, "several in a row are one"
    assert await packed(whole + b"more") == 400
    assert await packed(whole[:-9]) == 400
    assert await packed(b"no gzip") == 400
    assert await packed(gzip.compress(b" " * 40_000_000)) == 413
    assert await packed(whole, "br") == 415
    begun = time.process_time()
    assert await packed(gzip.compress(b"") * 200_000 + whole) == 400, "without end in a row"
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/v1/chat/completions", "chat/completions"),
        ("/v1/v1/models", "models"),
        ("//v1//chat//completions", "chat/completions"),
    ],
)
async def test_a_base_address_with_a_v1_too_many_is_told(house, path, meant):
    answer = await post(house, asks(), path)
    assert answer.status_code == 404
    assert f"Did you mean /v1/{meant}?" in answer.json()["error"]["message"]


@pytest.mark.parametrize("none", [-1, 0, -1.0])
async def test_no_bound_reaches_no_server_as_one(house, none):
    for field in ("max_tokens", "max_completion_tokens"):
        answer = await post(house, asks("gpu/echo", **{field: none}))
        assert answer.json()["choices"][0]["finish_reason"] == "stop"
        assert field not in house.openai.requests[-1].body
    scored = {"model": "gpu/echo", "prompt": "hi", "max_tokens": 0, "echo": True}
    await post(house, scored, "/v1/completions")
    assert house.openai.requests[-1].body["max_tokens"] == 0, "there it only has the prompt counted"


async def test_an_image_without_padding_is_one(house):
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 11).decode().rstrip("=")
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}, url]}]
    answer = await post(house, asks("ollama/echo", messages=messages))
    assert "base64" not in answer.text


async def test_pages_of_other_ports_are_strangers_unless_listed():
    async with open_house() as house:
        elsewhere = {"origin": "http://localhost:3000"}
        async with httpx.AsyncClient(base_url=house.base) as http:
            assert (await http.get("/models", headers=elsewhere)).status_code == 401
            same_site = {"sec-fetch-site": "same-site"}
            assert (await http.get("/models", headers=same_site)).status_code == 401
            _, secret = await make_key(house.services)
            with_key = elsewhere | {"authorization": f"Bearer {secret}"}
            assert (await http.get("/models", headers=with_key)).status_code == 200
            listed = Authenticator(
                house.services.keys, local=me, origins=frozenset({"http://localhost:3000"})
            )
            object.__setattr__(house.services, "authenticator", listed)
            assert (await http.get("/models", headers=elsewhere)).status_code == 200
            other = {"origin": "http://localhost:3001"}
            assert (await http.get("/models", headers=other)).status_code == 401


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00"])
async def test_a_key_cannot_expire_outside_of_history(app_house, moment):  # noqa: F811
    answer = await app_house.http.post("/api/keys", json={"name": "ci", "expiresAt": moment})
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("slip", ["budget", "budgetRubles", "rpmLimit", "expires", "model"])
async def test_a_limit_under_a_misspelled_name_makes_no_key_without_one(app_house, slip):  # noqa: F811
    answer = await app_house.http.post("/api/keys", json={"name": "ci", slip: 5})
    assert answer.status_code == 422
    assert slip in answer.text


async def test_a_key_for_no_model_is_refused(app_house):  # noqa: F811
    answer = await app_house.http.post("/api/keys", json={"name": "ci", "models": [""]})
    assert answer.status_code in (400, 422)


async def test_deep_participants_are_refused(app_house):  # noqa: F811
    options = {"dialogue_participants": "[" * 200_000}
    answer = await app_house.say("hi", mode="dialogue", options=options)
    assert 400 <= answer.status_code < 500


async def test_api_is_readable_by_pages_with_a_key(app_house):  # noqa: F811
    preflight = await app_house.http.options("/api/chats", headers={"origin": "https://a.example"})
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["access-control-allow-headers"]
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    listed = await app_house.http.get("/api/models/servers")
    assert listed.headers["access-control-allow-origin"] == "*"


async def test_a_nul_in_a_path_is_no_path():
    async def files(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("embedded null byte")

    async with served(BodyBounds(files, limit=lambda path: 100)) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /public/%00 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"404" in await reader.readline()
        writer.close()
