"""What Konsilium relies on of an Ollama, tried at a real one: OLLAMA_REAL=http://127.0.0.1:11434 make clients.

The smallest model that completes is asked for a few short answers (OLLAMA_REAL_MODEL names another one).
Nothing is fetched and nothing is removed. A model that another program uses is loaded anew twice."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import aiohttp

from app.core.errors import (
    ContextTooLong,
    KonsiliumError,
    ModelNotFound,
    Unsupported,
)
from app.core.events import Finished, ModelEvent, TextDelta
from app.core.messages import ImagePart, Message
from app.core.models import Capability, ModelProfile
from app.core.requests import JsonSchema, ModelRequest, Sampling
from app.providers.ollama import OllamaServer

SCHEMA = {
    "type": "object",
    "properties": {"capital": {"type": "string"}},
    "required": ["capital"],
}
QUESTION = "Name the capital of France, in one word."
NARROW = 2048
"""A window, and a prompt of more words than that."""


class NotAsExpected(Exception):
    """What was found instead."""


async def tried(url: str, model: str | None = None) -> AsyncIterator[tuple[str, str]]:
    """What was tried, and what is wrong; empty: nothing."""
    server = OllamaServer("real", url)
    try:
        state = await server.state()
        if state.error is not None:
            yield "the list of models", state.error.detail
            return
        profile = _chosen(state.models, model)
        if profile is None:
            yield "the list of models", f"there is no {model or 'model that completes'}"
            return
        yield f"the list of models: {len(state.models)}, asked is {profile.ref.name}", ""
        embedder = next((m for m in state.models if m.can(Capability.EMBEDDING)), None)
        for what, check in _checks(server, url, profile, embedder).items():
            try:
                await check()
            except (NotAsExpected, KonsiliumError) as error:
                yield what, f"{type(error).__name__}: {error}"
            else:
                yield what, ""
    finally:
        await server.aclose()


def _chosen(models: Sequence[ModelProfile], name: str | None) -> ModelProfile | None:
    able = [m for m in models if m.can(Capability.COMPLETION) and m.local]
    able = [m for m in able if name in (None, m.ref.name)]
    return min(able, key=lambda m: m.size_bytes or 0, default=None)


def _checks(
    server: OllamaServer, url: str, profile: ModelProfile, embedder: ModelProfile | None
) -> dict[str, Callable[[], Awaitable[None]]]:
    name = profile.ref.name

    async def asked(request: ModelRequest) -> tuple[str, Finished]:
        events: list[ModelEvent] = [e async for e in server.model(name).stream(request)]
        last = events[-1]
        if not isinstance(last, Finished):
            raise NotAsExpected(f"the last event is {last}")
        return "".join(e.text for e in events if isinstance(e, TextDelta)), last

    async def counts() -> None:
        _, last = await asked(_question())
        theirs = await _post(url, "/api/chat", {"model": name, **_said(), "stream": False})
        ours, counted = last.usage.input_tokens, theirs.get("prompt_eval_count")
        _expect(ours == counted, f"{ours} tokens of the prompt, Ollama says {counted}")
        _expect(bool(last.usage.output_tokens), "no tokens of the answer")

    async def window() -> None:
        _, first = await asked(_question())
        await _post(url, "/api/chat", {"model": name, **_said(), "stream": False})
        _, second = await asked(_question())
        windows = first.usage.window, second.usage.window
        _expect(windows[0] == windows[1] is not None, f"windows {windows}")

    async def too_long() -> None:
        words = "word " * (NARROW * 2)
        try:
            await asked(ModelRequest((Message.user(words),), _brief(), window=NARROW))
        except ContextTooLong:
            return
        raise NotAsExpected("a prompt twice as long as the window was answered")

    async def stopped() -> None:
        async for _ in server.model(name).stream(ModelRequest((Message.user("Count to 10000."),))):
            break
        await asked(_question())

    async def schema() -> None:
        briefly = False if profile.can(Capability.THINKING) else None
        wanted, most = JsonSchema("answer", SCHEMA), Sampling(max_tokens=512, temperature=0)
        request = ModelRequest((Message.user(QUESTION),), most, wanted, think=briefly)
        text, _ = await asked(request)
        try:
            said = json.loads(text)
        except ValueError:
            raise NotAsExpected(f"no JSON: {text[:200]}") from None
        _expect("capital" in said, f"not by the schema: {text[:200]}")

    async def picture() -> None:
        request = ModelRequest((Message.user("What is it?", ImagePart(b"png", "image/png")),))
        await _raises(Unsupported, asked(request))

    async def unknown() -> None:
        stream = server.model("konsilium-has-no-such:1b").stream(_question())
        await _raises(ModelNotFound, anext(stream))

    async def pull() -> None:
        stream = server.pull("pull-unknown:konsilium")
        await _raises(KonsiliumError, _read(stream))

    async def thinking() -> None:
        for effort in profile.efforts:
            extra = {"reasoning_effort": effort}
            await asked(ModelRequest((Message.user(QUESTION),), _brief(), extra=extra))

    async def vectors() -> None:
        found, _ = await server.embed(embedder.ref.name if embedder else "", ["one", "two"])
        _expect(len(found) == 2 and bool(found[0]), f"{len(found)} vectors of two texts")

    checks: dict[str, Callable[[], Awaitable[None]]] = {
        "tokens are counted as Ollama counts them": counts,
        "the window is what it has by itself, and nothing loads it anew": window,
        "a prompt longer than the window is refused, never cut": too_long,
        "a stopped answer makes room for the next": stopped,
        "an answer keeps to a schema": schema,
        "an unknown model is said to be unknown": unknown,
        "a pull that fails says why": pull,
    }
    if not profile.can(Capability.VISION):
        checks["a picture is refused by a model that sees none"] = picture
    if profile.can(Capability.THINKING):
        checks["it thinks as much as it is told to"] = thinking
    if embedder is not None:
        checks["texts become vectors"] = vectors
    return checks


def _brief() -> Sampling:
    return Sampling(max_tokens=64, temperature=0)


def _question() -> ModelRequest:
    return ModelRequest((Message.user(QUESTION),), _brief())


def _said() -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": QUESTION}], "options": {"num_predict": 64}}


async def _post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """As another program asks, past our own client."""
    async with aiohttp.ClientSession() as session, session.post(url + path, json=body) as answer:
        return dict(await answer.json())


async def _read(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        pass


async def _raises(kind: type[KonsiliumError], doing: Awaitable[object]) -> None:
    try:
        await doing
    except kind:
        return
    raise NotAsExpected(f"no {kind.__name__}")


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise NotAsExpected(otherwise)
