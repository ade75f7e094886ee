"""Fakes that go in through constructors: scripted models, a store in memory.

`ScriptedModels` answers each call from a script per model: a text, a list of events and pauses, an
error, or a function of the request that returns one of these. Every request is kept in `requests`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from app.core.errors import KonsiliumError, ModelNotFound, NoModels, NotFound
from app.core.events import Finished, ModelEvent, TextDelta
from app.core.models import Capability, ModelProfile, ModelRef, Price, ServerState
from app.core.requests import ModelRequest, RawRequest
from app.core.threads import BegunQuestion
from app.core.turns import HistoryMessage, SettledTurn, StepRecord, TurnRequest, now
from app.core.usage import CallRecord, Outcome, Purpose, Usage
from app.core.vectors import Vectors

Pause = timedelta
Item = str | ModelEvent | KonsiliumError | Pause | asyncio.Event
Script = str | KonsiliumError | Sequence[Item] | Callable[[ModelRequest], "Script"]


class ScriptedCall:
    def __init__(self, models: "ScriptedModels", ref: ModelRef, request: ModelRequest) -> None:
        self._models, self._ref, self._request = models, ref, request
        self.record = CallRecord(
            id=str(uuid4()),
            purpose=request.purpose,
            model=ref,
            started_at=now(),
            outcome=Outcome.RUNNING,
            request_id=request.request_id,
            step_id=request.step_id,
            saved_tokens=request.saved_tokens,
        )

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        self._models.open += 1
        start = asyncio.get_running_loop().time()
        characters, outcome, error, finished = 0, Outcome.STOPPED, None, None
        try:
            async for event in self._play(self._models.script_for(self._ref, self._request)):
                if isinstance(event, TextDelta):
                    characters += len(event.text)
                if isinstance(event, Finished):
                    outcome, finished = Outcome.COMPLETED, event
                yield event
        except KonsiliumError as failure:
            outcome, error = Outcome.FAILED, failure.code
            raise
        finally:
            self._models.open -= 1
            self.record = replace(
                self.record,
                outcome=outcome,
                error=error,
                characters=characters,
                usage=finished.usage if finished else Usage(),
                finish_reason=finished.finish_reason if finished else None,
                total_s=asyncio.get_running_loop().time() - start,
            )

    async def _play(self, script: Script) -> AsyncGenerator[ModelEvent, None]:
        await asyncio.sleep(0)
        while callable(script):
            script = script(self._request)
        items: Sequence[Item] = [script] if isinstance(script, str | KonsiliumError) else script
        ended = False
        words = 0
        for item in items:
            match item:
                case str():
                    words += len(item.split())
                    yield TextDelta(item)
                case KonsiliumError():
                    raise item
                case timedelta():
                    await asyncio.sleep(item.total_seconds())
                case asyncio.Event():
                    await item.wait()
                case Finished():
                    ended = True
                    yield item
                case _:
                    yield item
        if not ended:
            prompt = sum(len(m.text.split()) for m in self._request.messages)
            yield Finished("stop", Usage(input_tokens=prompt, output_tokens=words))


class ScriptedModels:
    """Implements `core.ports.Models`. `ScriptedModels({"big": "Hello", "small": [...]})`."""

    def __init__(
        self,
        scripts: dict[str, Script] | None = None,
        *,
        window: int | None = 8192,
        capabilities: frozenset[Capability] = frozenset(
            {Capability.COMPLETION, Capability.JSON_SCHEMA}
        ),
        local: bool = True,
        prices: Mapping[str, Price] | None = None,
        parameter_size: str | None = None,
    ) -> None:
        self.scripts: dict[str, Script] = {"model": "Hello"} if scripts is None else scripts
        self.requests: list[tuple[ModelRef, ModelRequest]] = []
        self.open = 0
        """Calls under way: 0 at the end of every test, or a call leaked."""
        self.busy = False
        """Other answers are running at the server."""
        self._window = window
        self._capabilities = capabilities
        self._local = local
        self._prices = prices or {}
        self._parameter_size = parameter_size

    def script_for(self, ref: ModelRef, request: ModelRequest) -> Script:
        self.requests.append((ref, request))
        if ref.name not in self.scripts:
            raise ModelNotFound(f"no {ref}", server=ref.server, model=ref.name)
        return self.scripts[ref.name]

    def states(self) -> tuple[ServerState, ...]:
        profiles = tuple(self.profile(ModelRef("fake", name)) for name in self.scripts)
        return (ServerState("fake", "fake", "http://fake", True, profiles, checked_at=now()),)

    async def refresh(self) -> tuple[ServerState, ...]:
        return self.states()

    def resolve(self, name: str) -> ModelRef:
        if not self.scripts:
            raise NoModels("nothing scripted")
        name = name.removeprefix("fake/") or next(iter(self.scripts))
        if name not in self.scripts:
            raise ModelNotFound(f"no {name}", model=name)
        return ModelRef("fake", name)

    def profile(self, ref: ModelRef) -> ModelProfile:
        return ModelProfile(
            ref,
            capabilities=self._capabilities,
            window=self._window,
            price=self._prices.get(ref.name),
            local=self._local,
            parameter_size=self._parameter_size,
        )

    def queued(self, ref: ModelRef) -> bool:
        return self.busy

    def cost(self, ref: ModelRef, usage: Usage) -> None:
        return None

    def call(self, ref: ModelRef, request: ModelRequest) -> ScriptedCall:
        return ScriptedCall(self, ref, request)

    def candidates(self, name: str) -> tuple[ModelRef, ...]:
        return (self.resolve(name),)

    def raw_call(self, ref: ModelRef, request: RawRequest) -> None:
        return None

    def embedding(
        self,
        ref: ModelRef,
        texts: Sequence[str],
        *,
        dimensions: int | None = None,
        request_id: str | None = None,
    ) -> "ScriptedEmbedding":
        return ScriptedEmbedding(ref, texts)


class ScriptedEmbedding:
    def __init__(self, ref: ModelRef, texts: Sequence[str]) -> None:
        self._texts = texts
        self.record = CallRecord(str(uuid4()), Purpose.EMBEDDING, ref, now(), Outcome.COMPLETED)

    async def vectors(self) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in self._texts]

    async def texts(self) -> list[bytes]:
        return list(Vectors.of(await self.vectors()).texts)


class MemoryStore:
    """Implements `core.ports.TurnStore`. Set `failing` to an error and every write raises it."""

    def __init__(self) -> None:
        self.steps: dict[str, StepRecord] = {}
        self.owners: dict[str, str] = {}
        self.settled: list[SettledTurn] = []
        self.transactions = 0
        self.failing: KonsiliumError | None = None

    def _write(self, steps: Sequence[StepRecord]) -> None:
        if self.failing is not None:
            raise self.failing
        self.transactions += 1
        self.steps |= {step.id: step for step in steps}

    async def begin(
        self, request: TurnRequest, steps: Sequence[StepRecord], over: str | None = None
    ) -> BegunQuestion:
        if self.owners.setdefault(request.thread_id, request.user_id) != request.user_id:
            raise NotFound(request.thread_id)
        if request.again:
            self._cut(request.question.id)
        history = tuple(
            HistoryMessage(
                step.id,
                "user" if step.type == "user_message" else "assistant",
                step.output,
                step.name,
                step.turn_id,
                step.outcome,
            )
            for step in self.steps.values()
            if step.thread_id == request.thread_id
            and step.kind in ("question", "answer", "interjection")
        )
        self._write(steps)
        return BegunQuestion(history, None)

    def _cut(self, question_id: str) -> None:
        """The other branches, which nothing here looks at, are not kept."""
        ids = list(self.steps)
        for step_id in ids[ids.index(question_id) :]:
            del self.steps[step_id]

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        self._write(steps)

    async def settle(self, turn: SettledTurn) -> None:
        self._write(turn.steps)
        self.settled.append(turn)
