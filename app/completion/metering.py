"""Measures model calls: time, tokens, money, and how they ended. One recorder for every kind of call."""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Self

from app.completion.tokens import (
    LIKELY,
    SAMPLE_CHARACTERS,
    likely_tokens,
    prompt_tokens,
    tokens_of_characters,
)
from app.core.concurrency import unhurried
from app.core.errors import KonsiliumError, MalformedAnswer, ModelNotFound
from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.keys import payer
from app.core.models import ModelRef
from app.core.ports import CallObserver, ChatModel, ModelServer, RawAnswer, RawModel
from app.core.requests import ModelRequest, RawRequest
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Cost, Outcome, Purpose, TokenGaps, Usage
from app.core.vectors import Vectors

MAX_ANSWER_CHARACTERS = 16_000_000
"""A model that writes more than this in one answer, or thinks it, never stops."""
MAX_CALLED_CHARACTERS = 1_000_000
"""The same of what it calls tools with: twice what the longest answers have."""

TOKEN_CHARACTERS = 8
"""Pieces of more letters than this on average are of several tokens each."""


class Places:
    """Calls go before any server at once: where no router keeps a queue."""

    async def enter(self, ref: ModelRef) -> None:
        """Takes a place at the model's server."""

    def begun(self, ref: ModelRef) -> None:
        """The call's first piece has come."""

    def leave(self, ref: ModelRef, error: BaseException | None, *, begun: bool = False) -> None:
        """Gives it back; what went wrong counts against the server."""


class Traffic:
    """How many calls of this process are under way."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = 0


@dataclass(frozen=True, slots=True)
class Accounts:
    """What all calls are counted by."""

    cost: Callable[[ModelRef, Usage], Cost | None] = lambda ref, usage: None
    observers: Sequence[CallObserver] = ()
    near: Callable[[ModelRef], tuple[str, ...]] = lambda ref: ()
    """Names like one that its server does not know."""
    places: Places = field(default_factory=Places)
    traffic: Traffic = field(default_factory=Traffic)


class Recorder:
    """The record of one call, complete however the call ends: finished, failed, cancelled while
    waiting, or closed by whoever was reading. The call runs within its context, in its place before
    the server."""

    def __init__(
        self,
        accounts: Accounts,
        ref: ModelRef,
        request: ModelRequest,
        estimate: Callable[[Usage], Usage] = lambda usage: usage,
        *,
        characters: Callable[[], int] = lambda: 0,
        streaming: bool = True,
    ) -> None:
        """`estimate` completes the server's counts of a call that has answered; `characters` are those
        of its answer so far."""
        self._accounts = accounts
        self._payer = payer()
        self._request = request
        self._estimate = estimate
        self._name = str(ref)
        self._clock = time.perf_counter
        self._start = self._last = 0.0
        self._began: datetime | None = None
        self._parallel: int | None = None
        self._first: float | None = None
        self._gaps = TokenGaps()
        self._finished: Finished | None = None
        self._characters = characters
        self.record = CallRecord(
            id=new_id(),
            purpose=request.purpose,
            model=ref,
            started_at=now(),
            outcome=Outcome.RUNNING,
            request_id=request.request_id,
            step_id=request.step_id,
            streaming=streaming,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._accounts.places.enter(self.record.model)
        except KonsiliumError as error:
            self.record = replace(self.record, outcome=Outcome.FAILED, error=error.code)
            raise
        except BaseException:  # raised again: cancelled while it waited
            self.record = replace(self.record, outcome=Outcome.STOPPED)
            raise
        traffic = self._accounts.traffic
        traffic.open += 1
        self._began, self._parallel = now(), traffic.open
        for observer in self._accounts.observers:
            observer.started(self._request, self._name)
        self._start = self._last = self._clock()
        return self

    def piece(self) -> None:
        """Something of the answer has come."""
        moment = self._clock()
        if self._first is None:
            self._first = moment - self._start
            self._accounts.places.begun(self.record.model)
            for observer in self._accounts.observers:
                observer.first_token(self._name, self._first)
        else:
            self._gaps.add(moment - self._last)
        self._last = moment

    @property
    def pieces(self) -> int:
        """How many have come."""
        return sum(self._gaps.counts) + (self._first is not None)

    def finish(self, finished: Finished) -> None:
        """The answer is complete."""
        self._finished = finished

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        accounts, finished = self._accounts, self._finished
        accounts.traffic.open -= 1
        accounts.places.leave(self.record.model, error, begun=self._first is not None)
        outcome = Outcome.COMPLETED if finished else Outcome.STOPPED
        code: str | None = None
        if isinstance(error, Exception):
            outcome = Outcome.FAILED
            code = error.code if isinstance(error, KonsiliumError) else KonsiliumError.code
        if isinstance(error, ModelNotFound):
            error.near = error.near or accounts.near(self.record.model)
        usage = finished.usage if finished else Usage()
        if finished or self._first is not None:
            usage = self._estimate(usage)
        self.record = replace(
            self.record,
            started_at=self._began or self.record.started_at,
            parallel=self._parallel,
            outcome=outcome,
            error=code,
            usage=usage,
            cost=accounts.cost(self.record.model, usage),
            first_token_s=self._first,
            total_s=self._clock() - self._start,
            characters=self._characters(),
            finish_reason=finished.finish_reason if finished else None,
            saved_tokens=self._request.saved_tokens,
        )
        for observer in accounts.observers:
            observer.gaps(self._name, self._gaps)
            observer.ended(self.record)
        if self._payer is not None:
            self._payer.called(self.record)


class MeteredCall:
    """Implements core.ports.Call."""

    def __init__(
        self,
        model: ChatModel,
        ref: ModelRef,
        request: ModelRequest,
        accounts: Accounts,
    ) -> None:
        self._model = model
        self._request = request
        self._answer, self._thinking = _Written(), _Written()
        self._thought = self._called = 0
        self._recorder = Recorder(
            accounts,
            ref,
            request,
            self._estimate,
            characters=lambda: self._answer.characters - self._thought,
        )

    @property
    def record(self) -> CallRecord:
        return self._recorder.record

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The model's events, unchanged. Iterate once. Raises MalformedAnswer for an answer without
        end."""
        answer, thinking = self._answer, self._thinking
        finished = False
        async with (
            self._recorder as recorder,
            contextlib.aclosing(self._model.stream(self._request)) as events,
        ):
            async for event in events:
                kind = type(event)
                if kind is TextDelta:
                    answer.add(event.text)  # type: ignore[union-attr]  # kind is the exact type: isinstance costs more, once a token
                    if answer.characters > MAX_ANSWER_CHARACTERS:
                        raise self._endless()
                elif kind is ReasoningDelta:
                    thinking.add(event.text)  # type: ignore[union-attr]  # as above
                    if thinking.characters > MAX_ANSWER_CHARACTERS:
                        raise self._endless()
                elif kind is ToolCallDelta:
                    self._called += len(event.arguments)  # type: ignore[union-attr]  # as above
                    if self._called > MAX_CALLED_CHARACTERS:
                        raise self._endless()
                elif kind is TextWasThinking:
                    self._thought = answer.characters
                elif kind is Finished:
                    finished = True
                    recorder.finish(event)  # type: ignore[arg-type]  # as above
                if not finished:
                    recorder.piece()
                yield event

    def _endless(self) -> MalformedAnswer:
        ref = self.record.model
        return MalformedAnswer(
            f"an answer of more than {MAX_ANSWER_CHARACTERS:,} characters, or calls of more than"
            f" {MAX_CALLED_CHARACTERS:,}",
            server=ref.server,
            model=ref.name,
        )

    def _estimate(self, usage: Usage) -> Usage:
        """The server's counts, completed by estimates for what was answered without any."""
        if usage.input_tokens is not None and usage.output_tokens is not None:
            return usage
        return replace(
            usage,
            input_tokens=round(LIKELY * prompt_tokens(self._request.messages))
            if usage.input_tokens is None
            else usage.input_tokens,
            output_tokens=self._written() if usage.output_tokens is None else usage.output_tokens,
            estimated=True,
        )

    def _written(self) -> int:
        """Tokens of what has come: a piece is one where servers send each by itself (Ollama does), and
        those that gather several are known by the length of their pieces."""
        pieces = self._recorder.pieces
        if self._answer.characters + self._thinking.characters <= TOKEN_CHARACTERS * pieces:
            return pieces
        return self._answer.tokens() + self._thinking.tokens()


class MeteredRawCall:
    """Implements core.ports.RawCall."""

    def __init__(
        self, model: RawModel, ref: ModelRef, request: RawRequest, accounts: Accounts
    ) -> None:
        self._model = model
        self._request = request
        self._events = 0
        known = ModelRequest((), purpose=request.purpose, request_id=request.request_id)
        self._recorder = Recorder(accounts, ref, known, self._estimate, streaming=request.stream)

    @property
    def record(self) -> CallRecord:
        return self._recorder.record

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """The answer as whole events. Iterate once."""
        async with (
            self._recorder as recorder,
            contextlib.aclosing(self._model.raw_stream(self._request)) as pieces,
        ):
            async for data, events, finished in pieces:
                if events != self._events:
                    self._events = events
                    recorder.piece()
                if finished is not None:
                    recorder.finish(finished)
                yield data

    async def answer(self) -> RawAnswer:
        """The answer as one body."""
        async with self._recorder as recorder:
            answer = await self._model.raw_answer(self._request)
            recorder.finish(answer.finished)
            return answer

    def _estimate(self, usage: Usage) -> Usage:
        """Servers that count nothing, and answers broken off: an event is about a token."""
        if usage.output_tokens is not None or not self._events:
            return usage
        prompt = tokens_of_characters(self._request.characters)
        return Usage(input_tokens=prompt, output_tokens=self._events, estimated=True)


class MeteredEmbedding:
    """Implements core.ports.EmbeddingCall."""

    def __init__(
        self,
        server: ModelServer,
        ref: ModelRef,
        texts: Sequence[str],
        accounts: Accounts,
        *,
        dimensions: int | None = None,
        request_id: str | None = None,
    ) -> None:
        self._server, self._texts, self._dimensions = server, texts, dimensions
        request = ModelRequest((), purpose=Purpose.EMBEDDING, request_id=request_id)
        self._recorder = Recorder(accounts, ref, request, streaming=False)

    @property
    def record(self) -> CallRecord:
        return self._recorder.record

    async def vectors(self) -> list[list[float]]:
        """One vector a text."""
        kept: list[list[float]] = []
        await self._read(kept.append)
        return kept

    async def texts(self) -> list[bytes]:
        """The same as JSON, as the server wrote them."""
        return list((await self._read(lambda numbers: None)).texts)

    async def _read(self, keep: Callable[[list[float]], None]) -> Vectors:
        """All numbers are read, so that what is none is an error."""
        ref = self.record.model
        async with self._recorder as recorder:
            vectors, usage = await self._server.embed(ref.name, self._texts, self._dimensions)
            if len(vectors) != len(self._texts):
                raise MalformedAnswer("not one vector a text", server=ref.server, model=ref.name)
            try:
                async for numbers in unhurried(vectors):
                    keep(numbers)
            except (ValueError, TypeError) as error:
                said = f"not a vector: {error}"
                raise MalformedAnswer(said, server=ref.server, model=ref.name) from error
            recorder.finish(Finished("stop", usage))
            return vectors


class _Written:
    """Counts characters as they come and keeps a sample: all of a long answer would be kept twice."""

    __slots__ = ("_sample", "_sampled", "characters")

    def __init__(self) -> None:
        self.characters = 0
        self._sample: list[str] = []
        self._sampled = True

    def add(self, text: str) -> None:
        self.characters += len(text)
        if self._sampled:
            self._sample.append(text)
            self._sampled = self.characters < SAMPLE_CHARACTERS

    def tokens(self) -> int:
        return likely_tokens(self.characters, "".join(self._sample))
