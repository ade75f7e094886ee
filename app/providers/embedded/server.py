"""The server `embedded`: the one model that runs inside the app."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from app.core.errors import KonsiliumError, ModelNotFound, ServerUnavailable, Unsupported
from app.core.events import Finished, ModelEvent
from app.core.messages import Message
from app.core.models import Capability, LoadState, ModelProfile, ModelRef, ServerState
from app.core.ports import TokenCounter
from app.core.requests import ModelRequest
from app.core.turns import now
from app.core.usage import Usage
from app.core.vectors import Vectors
from app.providers.deadline import LOCAL, Timeouts
from app.providers.embedded.gguf import Header, read_header
from app.providers.embedded.llama import Llama, started
from app.providers.embedded.supervisor import IDLE_SECONDS, Begin, Connect, ProcessSupervisor

NAME = "embedded"
WINDOW = 8192
"""Tokens of context for one answer: what a larger one takes in memory, small machines lack."""
SMALL_WINDOW = 4096
"""The same for the small model that came with the install: half of what it was made for."""
SMALL_TOKENS = 256
"""The longest answer of the small model where nobody sets another: more is noise."""
SLOTS = 2
RETRY_SECONDS = 60.0
"""How long a failed start is shown; then the model is offered again, and a question tries it."""


class ModelFile(Protocol):
    """Where the model's file is, or why it is not there yet."""

    @property
    def name(self) -> str:
        """What EMBEDDED_MODEL says."""
        ...

    @property
    def last_resort(self) -> bool:
        """Whether it is the small one that came with the install."""
        ...

    @property
    def instruction(self) -> str | None:
        """The system prompt of conversations that have none; None: none either."""
        ...

    def path(self) -> Path:
        """The file. Raises ServerUnavailable with the reason where it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A file whose header has been read, as it was then."""

    path: Path
    modified_ns: int
    size: int
    header: Header


class EmbeddedServer:
    """Implements core.ports.ModelServer, ModelLoader and TokenCounter over one llama.cpp process, which it
    keeps."""

    def __init__(
        self,
        file: ModelFile,
        connect: Connect,
        *,
        timeouts: Timeouts = LOCAL,
        idle_seconds: float = IDLE_SECONDS,
        begin: Begin | None = None,
    ) -> None:
        """`connect` makes the server that speaks to the process, by its URL and key; `begin` runs that
        process, llama.cpp's where nothing else is given."""
        self._file = file
        self._timeouts = timeouts
        self._known: _Known | None = None
        self._begun: Path | None = None
        """The file that the process has, where it runs."""
        self._window: int | None = None
        self.supervisor = ProcessSupervisor(
            begin or self._begin, connect, idle_seconds=idle_seconds
        )

    @property
    def name(self) -> str:
        return NAME

    @property
    def local(self) -> bool:
        return True

    def model(self, name: str) -> "EmbeddedModel":
        """The model of that name; only the file's own is there."""
        return EmbeddedModel(self, name)

    def raw(self, name: str, path: str) -> None:
        """The process is to be woken first, and its answers counted with the time that took."""
        return

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[Vectors, Usage]:
        raise Unsupported("the embedded model only writes", server=NAME, model=model)

    async def count_tokens(self, model: str, text: str) -> int:
        """By the process, woken where it slept: a question is about to need it."""
        await self.own(model)
        async with self.running() as running:
            if not isinstance(running.server, TokenCounter):
                raise Unsupported("counts no tokens", server=NAME, model=model)
            return await running.server.count_tokens(model, text)

    async def load(self, model: str) -> None:
        """Starts the process, if it sleeps, and waits until the model is loaded."""
        await self.own(model)
        async with self.running():
            pass

    async def unload(self, model: str) -> None:
        """Ends the process after the answers under way; the next question starts it again."""
        await self.own(model)
        await self.supervisor.rest()

    async def aclose(self) -> None:
        await self.supervisor.aclose()

    async def state(self) -> ServerState:
        """The model, awake or not; where it cannot run, why. Wakes nothing."""
        try:
            known = await self._look()
            if (failed := self.supervisor.failed) and time.monotonic() - failed[0] < RETRY_SECONDS:
                raise failed[1]
        except KonsiliumError as error:
            return self._state(error=error)
        phase, latency = await self._phase(known)
        model = self._profile(known)
        return self._state(models=(model,), latency_s=latency, extra={"state": phase})

    async def own(self, model: str) -> None:
        """Raises ModelNotFound where it is another model, ServerUnavailable where its file is not there."""
        alias = _alias((await self._look()).path)
        if model != alias:
            raise ModelNotFound(f"only {alias} is here", server=NAME, model=model, near=(alias,))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[Any, None]:
        """The running process, woken where it slept, or where it has another file than is wanted now,
        after the answers under way. Raises ServerUnavailable, FirstTokenTimeout."""
        if self._begun not in (None, (await self._look()).path):
            await self.supervisor.rest()
            self._begun = None
        async with self.supervisor.in_use(self._timeouts.first_token, NAME) as running:
            yield running

    async def _phase(self, known: _Known) -> tuple[str, float | None]:
        if self.supervisor.starting:
            return "starting", None
        running = self.supervisor.running
        if running is None or self._begun not in (None, known.path):
            return "asleep", None
        said = await running.server.state()
        self._window = next((m.window for m in said.models), None) or self._window
        return "running", said.latency_s

    def _profile(self, known: _Known) -> ModelProfile:
        header = known.header
        made_for = min(header.window, self._most) if header.window else None
        window = self._window or made_for
        load = None
        if self.supervisor.running is not None and self._begun in (None, known.path):
            ends_at = now() + timedelta(seconds=self.supervisor.ends_in)
            load = LoadState(known.size, 0, window, ends_at)
        return ModelProfile(
            ModelRef(NAME, _alias(known.path)),
            capabilities=_capabilities(header),
            window=window,
            size_bytes=known.size,
            parameter_size=header.size_label,
            quantization=header.quantization,
            family=header.architecture,
            load=load,
            local=True,
            last_resort=self._file.last_resort,
        )

    @property
    def _most(self) -> int:
        return SMALL_WINDOW if self._file.last_resort else WINDOW

    def instructed(self, request: ModelRequest) -> ModelRequest:
        """With the model's own system prompt, where the conversation has none; the small one's answers
        end in time."""
        if self._file.last_resort and request.sampling.max_tokens is None:
            request = replace(request, sampling=replace(request.sampling, max_tokens=SMALL_TOKENS))
        told = self._file.instruction
        if not told or any(message.role == "system" for message in request.messages):
            return request
        return replace(request, messages=(Message.system(told), *request.messages))

    @contextlib.asynccontextmanager
    async def _begin(self) -> AsyncGenerator[Llama, None]:
        known = await self._look()
        self._begun = known.path
        running = started(
            known.path,
            _alias(known.path),
            window=min(known.header.window or self._most, self._most),
            slots=SLOTS,
            server=NAME,
            exact=self._file.last_resort,
        )
        async with running as llama:
            yield llama

    async def _look(self) -> _Known:
        """The file as it is now. Raises ServerUnavailable with what is to be done."""
        path = self._file.path()
        try:
            known = await asyncio.to_thread(_read, path, self._known)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ServerUnavailable(f"{path}: {why}", server=NAME) from error
        if known is not self._known:
            self._known, self._window = known, None
        return known

    def _state(self, **facts: Any) -> ServerState:
        return ServerState(
            NAME,
            "embedded",
            self._file.name,
            local=True,
            version=_version(),
            checked_at=now(),
            provider=NAME,
            **facts,
        )


class EmbeddedModel:
    """A ChatModel: the process is woken, and what it says passed on."""

    def __init__(self, server: EmbeddedServer, name: str) -> None:
        self._server = server
        self._name = name

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer, ended by `Finished`; its `load_s` is the time the model took to wake."""
        await self._server.own(self._name)
        asked = time.perf_counter()
        asleep = self._server.supervisor.running is None
        async with self._server.running() as running:
            woken = time.perf_counter() - asked if asleep else None
            told = self._server.instructed(request)
            answer = running.server.model(self._name).stream(told)
            async with contextlib.aclosing(answer) as events:
                async for event in events:
                    if isinstance(event, Finished) and woken is not None:
                        event = replace(event, usage=replace(event.usage, load_s=woken))
                    yield event


def _read(path: Path, known: _Known | None) -> _Known:
    """What is known of the file, read anew where it has changed. Raises ValueError, OSError."""
    path = path.absolute()
    stat = path.stat()
    if known and (known.path, known.modified_ns, known.size) == (
        path,
        stat.st_mtime_ns,
        stat.st_size,
    ):
        return known
    return _Known(path, stat.st_mtime_ns, stat.st_size, read_header(path))


def _alias(path: Path) -> str:
    return path.stem


def _capabilities(header: Header) -> frozenset[Capability]:
    able = {Capability.COMPLETION, Capability.JSON_MODE, Capability.JSON_SCHEMA}
    if "tools" in header.chat_template:
        able.add(Capability.TOOLS)
    if "<think>" in header.chat_template or "enable_thinking" in header.chat_template:
        able.add(Capability.THINKING)
    return frozenset(able)


def _version() -> str | None:
    try:
        return metadata.version("xllamacpp")
    except metadata.PackageNotFoundError:
        return None
