"""What the gateway does when things are not as they should be: leaving and slow clients, waiting
models, failing servers, spent keys, foreign pages."""

import asyncio
import base64
import json
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.core.turns import now
from app.gateway.access import Authenticator
from app.gateway.app import Gateway, InFront
from tests.fakes import ScriptedModels
from tests.gateway import gateway, make_key, make_services, me, served
from tests.integration.gateway.conftest import House, open_house
from tests.waiting import until

CHAT = "/v1/chat/completions"
both = pytest.mark.parametrize("server", ["ollama", "gpu"])


def body(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]} | fields


def events(text: str) -> list[Any]:
    datas = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


async def raw(house: House, request: dict[str, Any]) -> tuple[Any, Any]:
    """A connection on which the request was sent."""
    host, port = house.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**12)
    content = json.dumps(request).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    await writer.drain()
    return reader, writer


@both
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("model", ["slow-first-30s", "len-3000+paced-10ms"])
async def test_a_client_that_leaves_stops_the_upstream_within_a_second(
    house, server, streaming, model
):
    await house.serve(model)
    upstream = house.ollama if server == "ollama" else house.openai
    upstream.forget()
    _, writer = await raw(house, body(f"{server}/{model}", stream=streaming))
    await until(lambda: upstream.bodies("/api/chat" if server == "ollama" else CHAT))
    connections = upstream.open_connections
    writer.close()
    await until(lambda: upstream.open_connections < connections, within=1.0)
    assert await house.idle(0.1)
    await until(lambda: house.store.calls)
    assert house.store.calls[-1].call.outcome == "stopped"


@both
async def test_a_reader_of_nothing_is_dropped_and_paces_the_upstream_meanwhile(house, server):
    await house.serve("burst-400000")
    upstream = house.ollama if server == "ollama" else house.openai
    _, writer = await raw(house, body(f"{server}/burst-400000", stream=True))
    await until(lambda: upstream.open_generations == 1)
    start = time.monotonic()
    assert await house.idle(8.0), "the upstream was left once the reader was dropped"
    assert time.monotonic() - start > 0.9, "it had its time"
    assert upstream.generations[-1].tokens < 400_000, "upstream was paced, not swallowed"
    writer.close()


@both
async def test_a_stream_is_kept_alive_while_the_model_loads(house, server):
    await house.serve("slow-first-1s+say-ready")
    async with httpx.AsyncClient() as http:
        request = body(f"{server}/slow-first-1s+say-ready", stream=True)
        answer = await http.post(house.base + "/chat/completions", json=request)
    assert answer.text.startswith(": ping\n\n")
    assert events(answer.text)[-1] == "[DONE]"


async def test_a_bare_name_goes_to_the_next_server_when_the_first_fails(house):
    await house.serve("gemma")
    house.ollama.down = True
    async with httpx.AsyncClient(base_url=house.base) as http:
        for streaming in (False, True):
            answer = await http.post("/chat/completions", json=body("gemma", stream=streaming))
            assert answer.status_code == 200
            assert "hi" in answer.text
    assert house.models.candidates("gemma")[0].server == "gpu", "the other rests"
    house.ollama.down = False


async def test_a_full_queue_is_a_429_that_says_when_to_come_back():
    async with open_house(parallel=1, waiting=0) as house:
        await house.serve("len-3000+paced-10ms")
        _, writer = await raw(house, body("ollama/len-3000+paced-10ms", stream=True))
        await until(lambda: house.ollama.open_generations == 1)
        async with httpx.AsyncClient(base_url=house.base) as http:
            answer = await http.post("/chat/completions", json=body("ollama/echo"))
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        writer.close()


async def test_near_names_are_told_and_only_those_of_the_key():
    async with open_house() as house:
        await house.serve("gemma2:2b")
        _, secret = await make_key(house.services, models=("gpu/*",))
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=house.base, headers=headers) as http:
            answer = await http.post("/chat/completions", json=body("gemma2:3b"))
            assert answer.status_code == 404
            message = answer.json()["error"]["message"]
            assert "gpu/gemma2:2b" in message
            assert "ollama" not in message
            listed = [m["id"] for m in (await http.get("/models")).json()["data"]]
            assert listed
            assert all(id.startswith("gpu/") for id in listed)
            refused = await http.post("/chat/completions", json=body("ollama/gemma2:2b"))
            assert refused.status_code == 404


@both
async def test_a_key_is_counted_limited_and_told_so(server):
    async with open_house() as house:
        key, secret = await make_key(house.services, rpm=2, tpm=10_000)
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=house.base, headers=headers) as http:
            first = await http.post("/chat/completions", json=body(f"{server}/echo"))
            assert first.headers["x-ratelimit-limit-requests"] == "2"
            assert first.headers["x-ratelimit-remaining-requests"] == "1"
            await http.post("/chat/completions", json=body(f"{server}/echo", stream=True))
            third = await http.post("/chat/completions", json=body(f"{server}/echo"))
        assert third.status_code == 429
        assert int(third.headers["retry-after"]) >= 1
        assert third.json()["error"]["code"] == "rate_limit_exceeded"
        await until(lambda: len(house.store.calls) == 2)
        assert {each.key_id for each in house.store.calls} == {key.id}
        assert key.id in house.store.used
        tokens = [each.call.usage.output_tokens for each in house.store.calls]
        assert all(tokens)
        assert [each.call.streaming for each in house.store.calls] == [False, True]


async def test_a_revoked_or_expired_key_opens_nothing():
    async with open_house() as house:
        services = house.services
        object.__setattr__(services, "authenticator", Authenticator(services.keys))
        key, secret = await make_key(services)
        _, old = await make_key(services, expires_at=now() - timedelta(seconds=1))
        async with httpx.AsyncClient(base_url=house.base) as http:

            async def status(secret: str | None) -> int:
                headers = {"authorization": f"Bearer {secret}"} if secret else {}
                return (await http.get("/models", headers=headers)).status_code

            assert await status(secret) == 200
            assert await status(old) == 401
            assert await status(None) == 401
            assert await status("sk-guess") == 401
            await services.keys.revoke(key.id)
            assert await status(secret) == 401


async def test_a_secret_of_ours_counts_however_a_program_sends_it():
    async with open_house() as house:
        key, secret = await make_key(house.services)
        basic = base64.b64encode(f"anybody:{secret}".encode()).decode()
        ways: list[Any] = [
            [("authorization", f"Bearer {secret}"), ("authorization", "Bearer none")],
            {"authorization": secret},
            {"authorization": f'Bearer "{secret}"'},
            {"authorization": f"Bearer Bearer {secret}"},
            {"authorization": f"Basic {basic}"},
            {"authorization": "Bearer none", "x-api-key": secret},
            {"x-api-key": "none", "api-key": secret},
        ]
        async with httpx.AsyncClient(base_url=house.base) as http:
            assert {(await http.get("/models", headers=way)).status_code for way in ways} == {200}
            await house.services.keys.revoke(key.id)
            assert {(await http.get("/models", headers=way)).status_code for way in ways} == {401}
            for nothing in ({"authorization": "Basic %"}, {"authorization": "Basic bm9uZTpub25l"}):
                assert (await http.get("/models", headers=nothing)).status_code == 200


async def test_a_spent_budget_is_no_quota_left_and_not_worth_a_retry():
    async with open_house() as house:
        key, secret = await make_key(house.services, budget_rub=Decimal(1))
        house.services.keys.spend(key.id, Decimal(2))
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=house.base, headers=headers) as http:
            answer = await http.post("/chat/completions", json=body("gpu/echo"))
        assert answer.status_code == 429
        assert answer.json()["error"]["type"] == "insufficient_quota"
        assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.5"},
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "x-forwarded-host": "evil.example"},
    ],
)
async def test_without_a_key_only_this_machine_is_served(house, headers):
    async with httpx.AsyncClient(base_url=house.base) as http:
        assert (await http.get("/models")).status_code == 200
        assert (await http.get("/models", headers=headers)).status_code == 401
        own = {"origin": house.url}
        assert (await http.get("/models", headers=own)).status_code == 200


async def test_a_demanded_key_is_demanded_on_this_machine_too():
    services = make_services(ScriptedModels())
    object.__setattr__(
        services, "authenticator", Authenticator(services.keys, local=me, require_key=True)
    )
    async with gateway(services) as url, httpx.AsyncClient() as http:
        assert (await http.get(url + "/v1/models")).status_code == 401


async def test_a_broken_database_is_said_and_stops_no_answer_that_needs_none(house):
    async with httpx.AsyncClient(base_url=house.base) as http:
        house.store.failing = True
        answer = await http.post("/chat/completions", json=body("gpu/echo"))
        assert answer.status_code == 200
        unknown = await http.get("/models", headers={"authorization": "Bearer sk-new"})
        assert unknown.status_code == 503
        house.store.failing = False


async def test_a_council_answers_as_a_model_with_its_progress_as_reasoning(house):
    await house.serve("say-Yes")
    request = body("konsilium/consultation", konsilium={"model": "gpu/say-Yes"})
    async with httpx.AsyncClient(base_url=house.base, timeout=30) as http:
        whole = (await http.post("/chat/completions", json=request)).json()
        assert whole["choices"][0]["message"]["content"]
        assert whole["usage"]["completion_tokens"] > 0
        answer = await http.post("/chat/completions", json=request | {"stream": True})
        seen = events(answer.text)
        assert seen[0]["choices"][0]["delta"]["role"] == "assistant"
        assert seen[-1] == "[DONE]"
        assert seen[-2]["choices"][0]["finish_reason"] == "stop"
        missing = await http.post("/chat/completions", json=body("konsilium/nothing"))
        assert missing.status_code == 404
    await until(lambda: house.store.calls)
    assert house.store.calls[0].mode == "consultation"


async def test_a_client_that_leaves_a_council_ends_it(house):
    await house.serve("len-3000+paced-10ms")
    request = body("konsilium/consultation", konsilium={"model": "gpu/len-3000+paced-10ms"})
    _, writer = await raw(house, request | {"stream": True})
    await until(lambda: house.openai.open_generations > 0)
    writer.close()
    assert await house.idle(1.0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1", 404),
        ("DELETE", "/v1/models", 405),
        ("GET", "/v1/embeddings", 405),
        ("OPTIONS", "/v1/chat/completions", 204),
        ("HEAD", "/v1/models", 200),
        ("HEAD", "/", 200),
        ("HEAD", "/ollama", 200),
        ("HEAD", "/v1/chat/completions", 405),
        ("HEAD", "/v1/nothing", 404),
    ],
)
async def test_paths_and_methods_are_answered_in_json_with_cors(house, method, path, status):
    async with httpx.AsyncClient() as http:
        answer = await http.request(method, house.url + path)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    if status >= 400 and method != "HEAD":
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("HEAD", "/v1/chat/completions", "OPTIONS, POST"),
        ("GET", "/v1/messages", "OPTIONS, POST"),
        ("POST", "/v1/models/gpu/echo", "GET, HEAD, OPTIONS"),
        ("PUT", "/v1/responses/resp_1", "DELETE, GET, HEAD, OPTIONS, POST"),
        ("GET", "/ollama/api/delete", "DELETE, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(house, method, path, allowed):
    async with httpx.AsyncClient() as http:
        answer = await http.request(method, house.url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_body_over_the_limit_is_a_413_whether_it_says_its_length_or_not(house):
    async def endless():
        for _ in range(40):
            yield b"x" * 2**20

    async with httpx.AsyncClient() as http:
        url = house.base + "/chat/completions"
        assert (await http.post(url, content=b"x" * (33 * 2**20))).status_code == 413
        assert (await http.post(url, content=endless())).status_code == 413


async def test_unknown_fields_reach_a_server_that_is_passed_through(house):
    async with httpx.AsyncClient(base_url=house.base) as http:
        await http.post("/chat/completions", json=body("gpu/echo", x_new={"a": [1]}, top_k=3))
    sent = house.openai.requests[-1].body
    assert sent["x_new"] == {"a": [1]}
    assert sent["model"] == "echo"
    assert "stream_options" not in sent


async def test_the_application_behind_keeps_its_own_paths():
    async def behind(scope, receive, send):
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    services = make_services(ScriptedModels())
    async with (
        served(InFront(behind, gateway=Gateway(services))) as url,
        httpx.AsyncClient() as http,
    ):
        assert (await http.get(url + "/")).status_code == 418
        assert (await http.get(url + "/v1beta")).status_code == 418
        assert (await http.post(url + "/openai/v1/chat/completions")).status_code == 404
        assert (await http.get(url + "/v1/models")).status_code == 200
