"""Answers of OpenAI-compatible servers, passed through: watched, hardly touched."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import replace
from typing import Any, TypeVar

from app.core.errors import (
    FirstTokenTimeout,
    KonsiliumError,
    MalformedAnswer,
    SilenceTimeout,
)
from app.core.models import ModelRef
from app.core.ports import PassThrough, RawAnswer
from app.core.requests import ModelRequest
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Outcome, Purpose, TokenGaps, Usage
from app.gateway.openai.chunks import chunks_of
from app.gateway.openai.responder import CompletionRequest
from app.gateway.openai.sse import EventSplitter, Watch, fault, usage_of
from app.gateway.services import CHARACTERS_PER_TOKEN, GatewayServices

T = TypeVar("T")

ENDING_SECONDS = 5.0
"""After finish_reason, for the usage and `[DONE]`; servers that send neither keep nobody waiting."""
MAX_ANSWER_BYTES = 256 * 1024 * 1024


class ProxyResponder:
    """One call of an OpenAI-compatible server."""

    def __init__(
        self, desk: GatewayServices, ref: ModelRef, raw: PassThrough, asked: CompletionRequest
    ) -> None:
        self._desk = desk
        self._ref = ref
        self._raw = raw
        self._asked = asked
        self._path = "/completions" if asked.legacy else "/chat/completions"
        self._clock = asyncio.get_running_loop().time
        local = desk.models.profile(ref).local
        pace = desk.pace
        self._first_token = pace.first_token_local if local else pace.first_token_cloud

    def _body(self) -> bytes:
        body: dict[str, Any] = {**self._asked.body, "model": self._raw.wire_name(self._ref.name)}
        if self._asked.envelope.stream and self._raw.stream_usage:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    def _watch(self) -> Watch:
        several = self._asked.body.get("n")
        return Watch(
            wants_usage=self._asked.envelope.wants_usage,
            asked_usage=self._raw.stream_usage,
            choices=max(1, several) if isinstance(several, int) else 1,
        )

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        meter = Meter(self._desk, self._ref, self._asked)
        watch, splitter, answer = self._watch(), EventSplitter(), None
        held = b""  # the role: until a word comes, another server may still answer instead
        try:
            deadline = self._clock() + self._first_token
            answer = await self._by(deadline, self._open(), watch)
            if not _is_stream(answer):
                yield await self._unstreamed(answer, deadline, meter)
                return
            while True:
                seen, complete = watch.events, watch.complete
                data = await self._by(deadline, answer.next(), watch)
                block = watch.passed(splitter.feed(data)) if data else b""
                if not data or watch.done:
                    break
                if watch.events != seen:
                    meter.token()
                    deadline = self._clock() + self._desk.pace.silence
                if watch.complete and not complete:
                    deadline = self._clock() + ENDING_SECONDS
                if not watch.spoken:
                    held += b"" if block.startswith(b":") else block
                elif block:
                    yield held + block if held else block
                    held = b""
            block += watch.closing(splitter.rest())
            meter.completed(watch.usage, watch.finish_reason, watch.events)
            yield held + block
        except KonsiliumError as error:
            meter.failed(error, watch.events)
            self._place(error)
            raise
        finally:
            if answer is not None:
                await answer.close(whole=watch.done)
            meter.close(watch.events)

    async def whole(self) -> bytes:
        meter = Meter(self._desk, self._ref, self._asked)
        answer, complete = None, False
        try:
            deadline = self._clock() + self._desk.pace.first_token_local
            answer = await self._by(deadline, self._open(), None)
            body = await self._read(answer, deadline)
            complete = True
            meter.answered(parse_answer(body))
            return body
        except KonsiliumError as error:
            meter.failed(error, 0)
            self._place(error)
            raise
        finally:
            if answer is not None:
                await answer.close(whole=complete)
            meter.close(0)

    async def _unstreamed(self, answer: RawAnswer, deadline: float, meter: "Meter") -> bytes:
        parsed = parse_answer(await self._read(answer, deadline))
        meter.answered(parsed)
        return chunks_of(parsed, wants_usage=self._asked.envelope.wants_usage)

    def _open(self) -> Awaitable[RawAnswer]:
        return self._raw.open(self._path, self._body(), model=self._ref.name)

    async def _read(self, answer: RawAnswer, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        while data := await self._by(deadline, answer.next(), None):
            parts.append(data)
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise MalformedAnswer(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
        return b"".join(parts).strip()

    async def _by(self, deadline: float, arrival: Awaitable[T], watch: Watch | None) -> T:
        try:
            async with asyncio.timeout_at(deadline):
                return await arrival
        except TimeoutError:
            if watch is not None and watch.events:
                raise SilenceTimeout("the model fell silent in mid-answer") from None
            raise FirstTokenTimeout("the model did not begin to answer in time") from None

    def _place(self, error: KonsiliumError) -> None:
        """Tells the error where it happened."""
        error.server, error.model = error.server or self._ref.server, error.model or self._ref.name


def _is_stream(answer: RawAnswer) -> bool:
    """Whether events come; a whole JSON object is the other thing one can read."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("", "text/event-stream", "application/octet-stream", "text/plain"):
        return True
    if kind == "application/json":
        return False
    raise MalformedAnswer(f"asked for a stream of events, got {kind}")


def parse_answer(body: bytes) -> dict[str, Any]:
    """A whole completion. Raises MalformedAnswer, or what the server says went wrong."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise MalformedAnswer(f"not JSON: {body[:200]!r}") from broken
    if isinstance(parsed, dict):
        if (error := parsed.get("error")) and isinstance(error, dict | str):
            raise fault(error)
        choices = parsed.get("choices")
        if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
            return parsed
    raise MalformedAnswer(f"not a completion: {body[:200]!r}")


class Meter:
    """The record of one call that went past the `Models`."""

    def __init__(
        self,
        desk: GatewayServices,
        ref: ModelRef,
        asked: CompletionRequest,
        purpose: Purpose = Purpose.ANSWER,
    ) -> None:
        self._desk = desk
        self._asked = asked
        self._clock = asyncio.get_running_loop().time
        self._start = self._last = self._clock()
        self._gaps: TokenGaps | None = None
        self._name = str(ref)
        self._record = CallRecord(
            id=new_id(),
            purpose=purpose,
            model=ref,
            started_at=now(),
            outcome=Outcome.STOPPED,
            request_id=asked.request_id,
            streaming=asked.envelope.stream,
        )
        if desk.observer is not None:
            desk.observer.started(ModelRequest((), request_id=asked.request_id), self._name)

    async def __aenter__(self) -> "Meter":
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KonsiliumError):
            self.failed(error, 0)
        self.close(0)

    def token(self) -> None:
        """Something of the answer has come."""
        at = self._clock()
        if self._gaps is None:
            self._gaps = TokenGaps()
            self._record = replace(self._record, first_token_s=at - self._start)
            if self._desk.observer is not None:
                self._desk.observer.first_token(self._name, at - self._start)
        else:
            self._gaps.add(at - self._last)
        self._last = at

    def completed(self, usage: Usage, finish_reason: str | None, events: int | None) -> None:
        self._record = replace(
            self._record,
            outcome=Outcome.COMPLETED,
            usage=usage if usage.output_tokens is not None else self._estimate(events),
            finish_reason=finish_reason,
        )

    def answered(self, answer: dict[str, Any]) -> None:
        """A whole answer has come."""
        choices, usage = answer["choices"], answer.get("usage")
        reason = choices[0].get("finish_reason") if choices else None
        self.completed(usage_of(usage if isinstance(usage, dict) else {}), reason, None)

    def failed(self, error: KonsiliumError, events: int) -> None:
        self._record = replace(
            self._record, outcome=Outcome.FAILED, error=error.code, usage=self._estimate(events)
        )

    def _estimate(self, events: int | None) -> Usage:
        """Servers that count nothing, and answers broken off: an event is about a token."""
        if not events:
            return Usage()
        prompt = int(self._asked.envelope.characters / CHARACTERS_PER_TOKEN)
        return Usage(input_tokens=prompt, output_tokens=events, estimated=True)

    def close(self, events: int) -> None:
        """However it ended: the record goes to the ledger and the observer."""
        record = self._record
        if record.outcome is Outcome.STOPPED:
            record = replace(record, usage=self._estimate(events))
        record = replace(
            record,
            total_s=self._clock() - self._start,
            cost=self._desk.price(record.model, record.usage),
        )
        self._desk.recorder.note(self._asked.caller, record, known=self._asked.counted)
        if self._desk.observer is not None:
            if self._gaps is not None:
                self._desk.observer.gaps(self._name, self._gaps)
            self._desk.observer.ended(record)
