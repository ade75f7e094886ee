"""What else there is of Ollama's API: lists of models, embeddings, and models kept on a server."""

import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any

from app.completion.attempts import whole_elsewhere
from app.completion.pulls import Stores
from app.completion.tokens import tokens_of_characters
from app.core.errors import KonsiliumError, NotAllowed, Unsupported
from app.core.models import Capability, ModelProfile, ModelRef
from app.gateway.access import Caller
from app.gateway.completions import Completions
from app.gateway.errors import InvalidField, answer_to
from app.gateway.http import Exchange
from app.gateway.ollama.face import (
    LINES,
    OllamaFace,
    error_body,
    line,
    listed_name,
    timestamp,
)
from app.gateway.openai.modes import ModeModels
from app.gateway.openai.requests import embedding_texts, whole_number
from app.gateway.services import GatewayServices

Json = Mapping[str, Any]
Route = Callable[[Exchange], Awaitable[None]]

VERSION = "0.17.0"
"""Of Ollama: whose API this is. Clients look for what a version can do."""
ROOT = "/ollama"
_EPOCH = "1970-01-01T00:00:00Z"
_MANAGEMENT = "Models are managed by administrators: this key may use them, no more."


class OllamaApi:
    """The routes by path and method, as Ollama has them."""

    def __init__(self, services: GatewayServices, modes: ModeModels) -> None:
        self._services = services
        self._modes = modes
        self._stores = services.stores
        self.chat = self._answering("messages", generates=False)
        generate = self._answering("prompt", generates=True)
        self._shared: dict[str, dict[str, Route]] = {
            "/api/version": {"GET": self.version},
            "/api/tags": {"GET": self.tags},
            "/api/ps": {"GET": self.running},
            "/api/show": {"POST": self.show},
            "/api/generate": {"POST": generate},
            "/api/embed": {"POST": self.embed},
            "/api/embeddings": {"POST": self.embed_one},
        }
        self._own: dict[str, dict[str, Route]] = {
            "": {"GET": _running, "HEAD": _running},
            "/api/chat": {"POST": self.chat},
            "/api/pull": {"POST": self.pull},
            "/api/delete": {"DELETE": self.delete},
            "/api/copy": {"POST": self.unavailable},
            "/api/create": {"POST": self.unavailable},
            "/api/push": {"POST": self.unavailable},
        }

    @property
    def routes(self) -> dict[str, dict[str, Route]]:
        """All under /ollama, and at the root what clashes with nothing of ours."""
        under = {ROOT + path: methods for path, methods in (self._own | self._shared).items()}
        return under | self._shared

    def _answering(self, said: str, *, generates: bool) -> Route:
        """The route of a face; a request without what is `said` is about the model's memory."""
        face = OllamaFace(self._services, self._modes, generates=generates)
        answer = Completions(self._services, self._modes, face)

        async def route(x: Exchange) -> None:
            caller = await self._services.authenticator.caller(x)
            asked = await x.json()
            if any(asked.get(name) for name in (said, "suffix", "images")):
                await answer(x)
                return
            name = self._named(asked, caller)
            unload = asked.get("keep_alive") in (0, "0", "0s", "0m")
            async with x.while_connected():
                done = await self._keep_loaded(caller, name, unload=unload)
                nothing: Json = {"message": {"role": "assistant", "content": ""}}
                form = {"response": ""} if generates else nothing
                head = {"model": name, "created_at": timestamp()}
                await x.reply_json({**head, **form, "done_reason": done, "done": True})

        return route

    # -- models ---------------------------------------------------------------------------------

    async def version(self, x: Exchange) -> None:
        await x.reply_json({"version": VERSION})

    async def tags(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        models = await self._profiles(caller)
        listed = [_tag(str(profile.ref), profile) for profile in models]
        if listed:
            listed += [_tag(name, None) for name in self._modes.names if caller.may_use(name)]
            listed += [_tag(name, None) for name in self._services.aliases_of(caller)]
        await x.reply_json({"models": listed})

    async def running(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        models = await self._profiles(caller)
        await x.reply_json({"models": [_loaded(each) for each in models if each.load is not None]})

    async def show(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        name = await self._name(x, caller)
        profile = None
        if self._modes.mode(name) is None:
            profile = self._services.models.profile(self._services.candidates(caller, name)[0])
        await x.reply_json(_shown(profile))

    async def _profiles(self, caller: Caller) -> list[ModelProfile]:
        states = self._services.models.states()
        if not any(state.checked_at for state in states):
            states = await self._services.models.refresh()
        found = (profile for state in states for profile in state.models)
        return [profile for profile in found if caller.may_use(str(profile.ref))]

    async def _name(self, x: Exchange, caller: Caller) -> str:
        return self._named(await x.json(), caller)

    def _named(self, asked: Json, caller: Caller) -> str:
        name = listed_name(self._services, self._modes, caller, asked)
        if not isinstance(name, str) or not name.strip():
            raise InvalidField("`model` must be a model's name.", "model")
        return name.strip()

    # -- embeddings -----------------------------------------------------------------------------

    async def embed(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        asked = await x.json()
        began = time.perf_counter()
        if asked.get("input") == []:  # Ollama has none for it
            name = self._named(asked, caller)
            self._services.candidates(caller, name)
            await x.reply_json({"model": name, "embeddings": []})
            return
        vectors, tokens, name = await self._vectors(x, caller, asked, embedding_texts(asked))
        spent = int((time.perf_counter() - began) * 1e9)
        facts = {"total_duration": spent, "load_duration": 0, "prompt_eval_count": tokens}
        head = b'{"model":' + json.dumps(name).encode() + b',"embeddings":['
        rows = [part for vector in vectors for part in (b",", vector)][1:]
        await x.reply(200, [head, *rows, b"]," + json.dumps(facts).encode()[1:]])

    async def embed_one(self, x: Exchange) -> None:
        """The older form: one text, one vector."""
        caller = await self._services.authenticator.caller(x)
        asked = await x.json()
        if not isinstance(prompt := asked.get("prompt"), str):
            raise InvalidField("`prompt` must be a text.", "prompt")
        vectors, *_ = await self._vectors(x, caller, asked, [prompt])
        await x.reply(200, b'{"embedding":' + vectors[0] + b"}")

    async def _vectors(
        self, x: Exchange, caller: Caller, asked: Json, texts: list[str]
    ) -> tuple[list[bytes], int, str]:
        services, name = self._services, self._named(asked, caller)
        targets = services.candidates(caller, name)
        dimensions = whole_number(asked, "dimensions", minimum=1)
        tokens = max(1, tokens_of_characters(sum(map(len, texts))))

        async def attempt(ref: ModelRef) -> tuple[list[bytes], int]:
            call = services.models.embedding(
                ref, texts, dimensions=dimensions, request_id=x.request_id
            )
            try:
                return await call.texts(), call.record.usage.input_tokens or 0
            finally:
                if call.record.total_s is not None:
                    services.recorder.note(caller, call.record)

        async with services.admitted(x, caller, tokens, 0, targets[0]), x.while_connected():
            vectors, counted = await whole_elsewhere([lambda r=ref: attempt(r) for ref in targets])  # type: ignore[misc]  # a default binds each ref
        return vectors, counted, name

    # -- models kept on a server ----------------------------------------------------------------

    async def unavailable(self, x: Exchange) -> None:
        await self._administrator(x)
        raise Unsupported("Models are made, copied and published at the server itself.")

    async def pull(self, x: Exchange) -> None:
        stores = await self._administrator(x)
        asked = await x.json()
        server, model = self._kept_at(asked, stores)
        lines = _progress(stores, server, model)
        if asked.get("stream") is False:
            async with x.while_connected(), contextlib.aclosing(lines):
                async for _ in lines:
                    pass
            await x.reply_json({"status": "success"})
            return
        async with (
            self._services.kept_alive(x, line({"status": ""}), LINES),
            x.while_connected(),
            contextlib.aclosing(lines),
        ):
            try:
                async for said in lines:
                    await x.begin_stream(LINES)
                    await x.write(line(said))
                await x.end_stream(line({"status": "success"}))
            except KonsiliumError as error:
                if not x.started:
                    raise
                await x.end_stream(line(error_body(answer_to(error))))

    async def delete(self, x: Exchange) -> None:
        stores = await self._administrator(x)
        server, model = self._kept_at(await x.json(), stores)
        await stores.remove(server, model)
        await x.reply(200)

    async def _keep_loaded(self, caller: Caller, name: str, *, unload: bool) -> str:
        """Puts the model into memory, or takes it out for administrators; the word for it. Servers that
        see to it by themselves are left to it."""
        if self._modes.mode(name) is not None:
            return "load"
        ref = self._services.candidates(caller, name)[0]
        if unload and not caller.admin:
            raise NotAllowed(_MANAGEMENT)
        if self._stores is not None and self._stores.loads(ref.server):
            change = self._stores.unload if unload else self._stores.load
            await change(ref.server, ref.name)
        return "unload" if unload else "load"

    async def _administrator(self, x: Exchange) -> Stores:
        caller = await self._services.authenticator.caller(x)
        if not caller.admin or self._stores is None:
            raise NotAllowed(_MANAGEMENT)
        return self._stores

    def _kept_at(self, asked: Json, stores: Stores) -> tuple[str, str]:
        """The server and the model there; a name without a server is of the first that keeps models."""
        name = asked.get("model") or asked.get("name")
        if not isinstance(name, str) or not name.strip():
            raise InvalidField("`model` must be a model's name.", "model")
        server, slash, model = name.strip().partition("/")
        if slash and stores.has(server):
            return server, model
        for state in self._services.models.states():
            if stores.has(state.name):
                return state.name, name.strip()
        raise Unsupported("No server here keeps models.")


async def _progress(
    stores: Stores, server: str, model: str
) -> AsyncGenerator[dict[str, Any], None]:
    async with contextlib.aclosing(stores.of(server).pull(model)) as lines:
        async for each in lines:
            facts = {"digest": each.digest, "total": each.total, "completed": each.completed}
            known = {name: value for name, value in facts.items() if value is not None}
            if each.status != "success":
                yield {"status": each.status, **known}
    await stores.look(server)


async def _running(x: Exchange) -> None:
    await x.reply(200, b"Ollama is running", content_type=b"text/plain; charset=utf-8")


def _details(profile: ModelProfile | None) -> dict[str, Any]:
    family = (profile.family if profile else None) or ""
    return {
        "parent_model": "",
        "format": "gguf" if profile and profile.local else "",
        "family": family,
        "families": [family] if family else [],
        "parameter_size": (profile.parameter_size if profile else None) or "",
        "quantization_level": (profile.quantization if profile else None) or "",
    }


def _tag(name: str, profile: ModelProfile | None) -> dict[str, Any]:
    changed = profile.modified_at if profile else None
    return {
        "name": name,
        "model": name,
        "modified_at": changed.isoformat() if changed else _EPOCH,
        "size": (profile.size_bytes if profile else None) or 0,
        "digest": (profile.digest if profile else None) or sha256(name.encode()).hexdigest(),
        "details": _details(profile),
    }


def _loaded(profile: ModelProfile) -> dict[str, Any]:
    tag, load = _tag(str(profile.ref), profile), profile.load
    del tag["modified_at"]
    return tag | {
        "size": load.size_bytes if load else 0,
        "size_vram": load.vram_bytes if load else 0,
        "context_length": (load.context_length if load else None) or profile.window or 0,
        "expires_at": load.expires_at.isoformat() if load and load.expires_at else _EPOCH,
    }


_CAPABILITIES = (
    Capability.COMPLETION,
    Capability.TOOLS,
    Capability.VISION,
    Capability.THINKING,
    Capability.EMBEDDING,
)


def _shown(profile: ModelProfile | None) -> dict[str, Any]:
    """`None` is a council: it answers, and calls no tools."""
    family = (profile.family if profile else None) or "unknown"
    facts: dict[str, Any] = {"general.architecture": family}
    if profile is not None and (length := profile.longest or profile.window):
        facts[f"{family}.context_length"] = length
    able = [each.value for each in _CAPABILITIES if profile and profile.can(each)]
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "license": "",
        "details": _details(profile),
        "model_info": facts,
        "capabilities": able or [Capability.COMPLETION.value],
        "modified_at": _tag("", profile)["modified_at"],
    }
