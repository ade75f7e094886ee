"""Answers in odd forms, of either protocol, through the whole gateway: every face says the same of each."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.core.providers import any_server
from app.providers.ollama.server import OllamaServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests import odd_lines
from tests.gateway import gateway, make_services
from tests.odd_streams import BROKEN_OFF, ODD, Odd
from tests.simulators.http import Exchange, HttpServer, chunk

FORMS: dict[str, Odd] = {f"lab/odd-{n}": row for n, row in enumerate(ODD.values())}
FORMS |= {f"home/odd-{n}": row for n, row in enumerate(odd_lines.ODD.values())}
NAMES = dict(zip(FORMS, (*ODD, *odd_lines.ODD), strict=True))
BREAKS: dict[str, bytes] = {f"lab/broken-{n}": body for n, body in enumerate(BROKEN_OFF.values())}
BREAKS |= {f"home/broken-{n}": body for n, body in enumerate(odd_lines.BROKEN_OFF.values())}
PIECED = "calls: a name in two pieces"
"""An item of /v1/responses has its name from the beginning on: this one would come half."""
MAX_CONCURRENT = 4


class OddServer(HttpServer):
    """Its models answer with the rows of the tables, `lab` by OpenAI's protocol and `home` by Ollama's."""

    async def handler(self, exchange: Exchange) -> None:
        path = exchange.path
        server = "home" if path.startswith("/api/") else "lab"
        names = [name.split("/")[1] for name in (*FORMS, *BREAKS) if name.startswith(server)]
        if path.endswith("/models"):
            await exchange.respond(200, {"data": [{"id": name} for name in names]})
        elif path == "/api/tags":
            await exchange.respond(200, {"models": [{"name": name} for name in names]})
        elif path == "/api/show":
            await exchange.respond(200, {"capabilities": ["completion", "tools"]})
        elif path.endswith(("/completions", "/api/chat")):
            form = f"{server}/{exchange.json['model'].removesuffix(':latest')}"
            body = FORMS[form].body if form in FORMS else BREAKS[form]
            kind = "text/event-stream" if server == "lab" else "application/x-ndjson"
            await exchange.write(exchange.start(kind))
            for at in range(0, len(body), 97):
                await exchange.write(chunk(body[at : at + 97]))
            await exchange.write(chunk(b""))
        else:
            await exchange.respond(404, {})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with contextlib.AsyncExitStack() as stack:
        odd = await stack.enter_async_context(OddServer())
        lab = OpenAICompatibleServer(any_server("lab", f"{odd.url}/v1"))
        catalogue = Catalogue([lab, OllamaServer("home", odd.url)])
        models = Models(catalogue, Prices())
        await models.refresh()
        yield await stack.enter_async_context(gateway(make_services(models)))
        await catalogue.aclose()


TOOLS = [{"type": "function", "function": {"name": n, "parameters": {}}} for n in ("f", "g")]
ASKED = [{"role": "user", "content": "?"}]


def events(body: str) -> list[Any]:
    lines = [line[6:] for line in body.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


async def chat_stream(http: httpx.AsyncClient, model: str) -> list[Any]:
    body = {"model": model, "messages": ASKED, "stream": True}
    said = events((await http.post("/v1/chat/completions", json=body)).text)
    assert not [each for each in said if each.get("error")], said[-1]
    choices = [choice for each in said for choice in each["choices"]]
    calls: dict[int, list[str]] = {}
    for choice in choices:
        for call in choice["delta"].get("tool_calls") or ():
            known = calls.setdefault(call["index"], ["", ""])
            known[0] += call["function"].get("name") or ""
            known[1] += call["function"].get("arguments") or ""
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return [text, [tuple(call) for _, call in sorted(calls.items())]]


async def chat_whole(http: httpx.AsyncClient, model: str) -> list[Any]:
    answer = await http.post("/v1/chat/completions", json={"model": model, "messages": ASKED})
    assert answer.status_code == 200, answer.text
    message = answer.json()["choices"][0]["message"]
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    return [message["content"] or "", [(each["name"], each["arguments"]) for each in functions]]


async def responses(http: httpx.AsyncClient, model: str) -> list[Any]:
    answer = await http.post("/v1/responses", json={"model": model, "input": "?", "stream": True})
    last = events(answer.text)[-1]
    assert last["type"] in ("response.completed", "response.incomplete"), last
    output = last["response"]["output"]
    parts = [part for item in output for part in (item.get("content") or ())]
    text = "".join(part["text"] for part in parts if part["type"] == "output_text")
    calls = [item for item in output if item["type"] == "function_call"]
    return [text, [(call["name"], call["arguments"]) for call in calls]]


async def messages(http: httpx.AsyncClient, model: str) -> list[Any]:
    body = {"model": model, "messages": ASKED, "max_tokens": 99}
    answer = await http.post("/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()["content"]
    text = "".join(part["text"] for part in content if part["type"] == "text")
    calls = [part for part in content if part["type"] == "tool_use"]
    return [text, [(call["name"], call["input"]) for call in calls]]


async def ollama(http: httpx.AsyncClient, model: str) -> list[Any]:
    answer = await http.post("/ollama/api/chat", json={"model": model, "messages": ASKED})
    said = [json.loads(line) for line in answer.text.splitlines()]
    assert said[-1].get("done") is True, said[-1]
    text = "".join(each["message"]["content"] for each in said)
    calls = [call["function"] for each in said for call in each["message"].get("tool_calls") or ()]
    return [text, [(call["name"], call["arguments"]) for call in calls]]


Ask = Callable[[httpx.AsyncClient, str], Awaitable[list[Any]]]
FACES = pytest.mark.parametrize("ask", [chat_stream, chat_whole, responses, messages, ollama])


def expected(row: Odd, ask: Ask) -> list[Any]:
    as_objects = ask in (messages, ollama)
    calls = [(name, json.loads(said) if as_objects else said) for name, said in row.calls]
    return [row.text, calls]


async def gathered(url: str, ask: Ask, models: list[str]) -> list[list[Any] | BaseException]:
    """What each of these models says, some asked at once."""
    turn = asyncio.Semaphore(MAX_CONCURRENT)

    async def one(http: httpx.AsyncClient, model: str) -> list[Any]:
        async with turn:
            return await ask(http, model)

    kept = httpx.Limits(max_keepalive_connections=0)  # none that the gateway ends just then
    async with httpx.AsyncClient(base_url=url, timeout=600, limits=kept) as http:
        asking = (one(http, model) for model in models)
        return await asyncio.gather(*asking, return_exceptions=True)


@FACES
async def test_every_face_reads_an_odd_answer_alike(url: str, ask: Ask) -> None:
    found = await gathered(url, ask, list(FORMS))
    wrong = {
        f"{model}: {NAMES[model]}": said
        for (model, row), said in zip(FORMS.items(), found, strict=True)
        if not (NAMES[model] == PIECED and ask is responses)
        if isinstance(said, BaseException) or [said[0].strip(), said[1]] != expected(row, ask)
    }
    assert wrong == {}


@FACES
async def test_no_face_takes_an_answer_that_broke_off_for_a_whole_one(url: str, ask: Ask) -> None:
    found = await gathered(url, ask, list(BREAKS))
    wrong = {
        form: said
        for form, said in zip(BREAKS, found, strict=True)
        if not isinstance(said, BaseException)
    }
    assert wrong == {}
