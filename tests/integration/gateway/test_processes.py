"""Real processes: the gateway alone with two workers, and in the app before Chainlit."""

import asyncio
import signal
import sys
import time
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.processes import (
    Process,
    clean_environment,
    free_port,
    konsilium,
    run_command,
    running,
    simulator,
)
from tests.waiting import until

MODEL = "gpu/len-40+paced-50ms"
SLOW = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
ECHO = {"model": "gpu/echo", "messages": [{"role": "user", "content": "hi"}]}


def administer(environment: dict[str, str], *arguments: str) -> str:
    """What `python -m app …` prints."""
    done = run_command(*arguments, environment=environment)
    assert done.code == 0, done.err
    return done.out.strip()


async def asked_anew(url: str, secret: str, times: int) -> list[int]:
    """The statuses of questions, each over a connection of its own that any worker may take."""
    headers, kept = {"authorization": f"Bearer {secret}"}, httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=kept, timeout=30) as http:
        return [
            (await http.post("/v1/chat/completions", json=ECHO)).status_code for _ in range(times)
        ]


async def all_say(url: str, line: str) -> bool:
    """Whether /metrics has that line, over several connections that any worker may take."""
    kept = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=url, limits=kept, timeout=30) as http:
        return all([line in (await http.get("/metrics")).text for _ in range(6)])


def alone(folder: Path, upstream: str) -> Process:
    port = free_port()
    environment = clean_environment(
        DATA_DIR=str(folder / "data"),
        OPENAI_SERVERS=f"gpu={upstream}/v1",
        OLLAMA_HOST="http://127.0.0.1:9",
        REQUIRE_API_KEY="1",
    )
    command = [sys.executable, "-m", "app", "gateway", "--port", str(port), "--workers", "2"]
    url = f"http://127.0.0.1:{port}"
    return Process(command, url, environment, folder / "gateway.log", "/health")


async def files_may_be_larger_than_questions(http: httpx.AsyncClient, headers: dict[str, str]):
    large = b"x" * (33 * 1024 * 1024)
    heard = await http.post(
        "/v1/audio/transcriptions",
        headers=headers,
        data={"model": "gpu/echo"},
        files={"file": large},
    )
    assert heard.json()["text"], "sound may have 64 MB"
    anthropic = await http.post("/v1/messages", headers=headers, content=large)
    assert anthropic.json()["error"]["type"] == "request_too_large"
    ollama = await http.post("/ollama/api/chat", headers=headers, content=large)
    assert isinstance(ollama.json()["error"], str)
    openai = await http.post("/ollama/v1/chat/completions", headers=headers, content=large)
    assert openai.json()["error"]["code"] == "request_too_large"
    for refused in (anthropic, ollama, openai):
        assert refused.status_code == 413
        assert refused.headers["access-control-allow-origin"] == "*"


@pytest.mark.slow
async def test_workers_share_keys_and_limits_and_a_stop_lets_streams_finish(tmp_path):
    sim = simulator("openai", tmp_path, "len-40+paced-50ms", "echo")
    with running(sim):
        process = alone(tmp_path, sim.url)
        with running(process):
            environment = dict(process.environment)
            secret = administer(environment, "keys", "create", "--name", "ci", "--models", "gpu/*")
            assert "ci" in administer(environment, "keys", "list")
            headers = {"authorization": f"Bearer {secret}"}
            async with httpx.AsyncClient(base_url=process.url, timeout=30) as http:
                assert (await http.get("/health")).json()["status"] == "ok"
                assert (await http.head("/health")).status_code == 200
                assert (await http.post("/health")).headers["allow"] == "GET, HEAD, OPTIONS"
                assert "konsilium_turns_running 0" in (await http.get("/metrics")).text
                proxied = {"x-forwarded-for": "203.0.113.5"}
                assert (await http.get("/metrics", headers=proxied)).status_code == 401
                assert (await http.get("/metrics", headers=proxied | headers)).status_code == 200
                for _ in range(8):
                    assert (await http.get("/v1/models", headers=headers)).status_code == 200
                    assert (await http.get("/v1/models")).status_code == 401
                create = ("keys", "create", "--name", "b", "--rpm", "6")
                limited = await asyncio.to_thread(administer, environment, *create)
                start = time.monotonic()
                statuses = await asked_anew(process.url, limited, 16)
                later = (time.monotonic() - start) / 10  # one more is let in every ten seconds
                answered = statuses.count(200)
                assert 6 <= answered <= 7 + later
                finished = 'konsilium_streams_finished_total{model="echo",server="gpu"}'
                both = partial(all_say, process.url, f"{finished} {float(answered)}")
                await until(both, within=30)
                assert set(statuses) <= {200, 429}
                await files_may_be_larger_than_questions(http, headers)
                await asyncio.to_thread(administer, environment, "keys", "revoke", "b")
                async with http.stream(
                    "POST", "/v1/chat/completions", json=SLOW, headers=headers
                ) as answer:
                    pieces = answer.aiter_bytes()
                    await anext(pieces)
                    stopping = asyncio.create_task(
                        asyncio.to_thread(process.stop, signal.SIGTERM, 25)
                    )
                    rest = b"".join([piece async for piece in pieces])
                    assert rest.endswith(b"data: [DONE]\n\n")
                await stopping
            administer(environment, "keys", "revoke", "ci")


@pytest.mark.slow
async def test_in_the_app_the_gateway_stands_before_chainlit(tmp_path):
    sim = simulator("openai", tmp_path, "echo")
    with running(sim):
        app = konsilium(
            tmp_path, OPENAI_SERVERS=f"gpu={sim.url}/v1", OLLAMA_HOST="http://127.0.0.1:9"
        )
        with running(app):
            async with httpx.AsyncClient(base_url=app.url, timeout=30) as http:
                page = await http.get("/", headers={"accept": "text/html"})
                assert "<html" in page.text
                answer = await http.post("/v1/chat/completions", json=ECHO)
                assert answer.json()["choices"][0]["message"]["content"] == "hi"
                assert "content-encoding" not in answer.headers
                assert (await http.get("/v1/nothing")).json()["error"]["code"] == "unknown_url"
                said = await http.post("/api/chat", json={"message": "Привіт", "model": "gpu/echo"})
                assert said.json()["response"] == "Привіт"
                assert (await http.get("/api/chats")).json()["chats"][0]["title"] == "Привіт"
                assert (await http.get("/api/nothing")).status_code == 404
                assert (await http.head("/api/chats")).status_code == 200
                assert (await http.head("/health")).status_code == 200
                await files_may_be_larger_than_questions(http, {})
            proxied = {"x-forwarded-for": "203.0.113.5"}
            create = ("keys", "create", "--name", "prometheus")
            secret = await asyncio.to_thread(administer, dict(app.environment), *create)
            async with httpx.AsyncClient(base_url=app.url, headers=proxied) as elsewhere:
                assert (await elsewhere.get("/metrics")).status_code == 401
                elsewhere.headers["authorization"] = f"Bearer {secret}"
                scraped = (await elsewhere.get("/metrics")).text
                assert 'konsilium_streams_finished_total{model="echo",server="gpu"}' in scraped


@pytest.mark.slow
async def test_the_app_bounds_bodies_on_every_route_and_ends_with_requests_half_sent(tmp_path):
    app = konsilium(
        tmp_path,
        OLLAMA_HOST="http://127.0.0.1:9",
        REQUIRE_API_KEY="1",
        SHUTDOWN_GRACE_SECONDS="2",
    )

    async def endless():
        for _ in range(6):
            yield b"x" * (1024 * 1024)

    with running(app):
        async with httpx.AsyncClient(base_url=app.url, timeout=30) as http:
            for method, path in (
                ("POST", "/login"),
                ("POST", "/set-session-cookie"),
                ("PUT", "/project/thread"),
                ("POST", "/project/action"),
                ("PUT", "/feedback"),
            ):
                form = "application/x-www-form-urlencoded"
                kind = {"content-type": form if path == "/login" else "application/json"}
                refused = await http.request(method, path, content=endless(), headers=kind)
                # a form that long is none, says Starlette; a stranger's body is read by nobody
                assert refused.status_code in (400, 401, 413), path
            before_the_body = await http.post("/api/chat", content=endless())
            assert before_the_body.status_code == 401
        _, writer = await asyncio.open_connection("127.0.0.1", int(app.url.rsplit(":", 1)[1]))
        writer.write(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\nhalf")
        await writer.drain()
        started = time.monotonic()
        await asyncio.to_thread(app.stop, signal.SIGTERM, 15)
        assert time.monotonic() - started < 10
        writer.close()
