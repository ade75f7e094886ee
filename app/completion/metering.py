"""Measures one model call: time, tokens, money, and how it ended."""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from app.completion.tokens import (
    SAMPLE_CHARACTERS,
    TOKENS_PER_IMAGE,
    TOKENS_PER_MESSAGE,
    estimate_tokens,
)
from app.core.errors import KonsiliumError, ModelNotFound
from app.core.events import Finished, ModelEvent, ReasoningDelta, TextDelta
from app.core.models import ModelRef
from app.core.ports import CallObserver, ChatModel
from app.core.requests import ModelRequest
from app.core.turns import new_id, now
from app.core.usage import CacheHit, CallRecord, Cost, Outcome, TokenGaps, Usage

CACHE, SAVED_TOKENS = "konsilium_cache", "konsilium_saved_tokens"
"""Keys of `Finished.extra` by which a wrapper below the meter says that the answer came from the
cache ("exact" or "near"), and how many tokens that spared. A cached answer costs nothing."""

FREE_OF_CHARGE = Cost(Decimal(0), "RUB", Decimal(0))


class MeteredCall:
    """Implements core.ports.Call. Its record is complete however the call ends: finished, failed,
    cancelled while waiting, or closed by whoever was reading."""

    def __init__(
        self,
        model: ChatModel,
        ref: ModelRef,
        request: ModelRequest,
        cost: Callable[[Usage], Cost | None],
        observers: Sequence[CallObserver] = (),
        near: Callable[[ModelRef], tuple[str, ...]] = lambda ref: (),
        traffic: "Traffic | None" = None,
    ) -> None:
        """`near` finds names like one that its server does not know."""
        self._model = model
        self._near = near
        self._request = request
        self._cost = cost
        self._observers = observers
        self._traffic = traffic or Traffic()
        self.record = CallRecord(
            id=new_id(),
            purpose=request.purpose,
            model=ref,
            started_at=now(),
            outcome=Outcome.RUNNING,
            request_id=request.request_id,
            step_id=request.step_id,
        )

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The model's events, unchanged. Iterate once."""
        name = str(self.record.model)
        self._traffic.open += 1
        self.record = replace(self.record, started_at=now(), parallel=self._traffic.open)
        for observer in self._observers:
            observer.started(self._request, name)
        clock = time.perf_counter
        start = last = clock()
        first: float | None = None
        gaps = TokenGaps()
        answer, thinking = _Written(), _Written()
        finished: Finished | None = None
        outcome, error = Outcome.STOPPED, None
        try:
            async with contextlib.aclosing(self._model.stream(self._request)) as events:
                async for event in events:
                    kind = type(event)
                    if kind is TextDelta:
                        answer.add(event.text)  # type: ignore[union-attr]  # kind is the exact type: isinstance costs more, once a token
                    elif kind is ReasoningDelta:
                        thinking.add(event.text)  # type: ignore[union-attr]  # as above
                    elif kind is Finished:
                        finished = event  # type: ignore[assignment]  # as above
                        outcome = Outcome.COMPLETED
                    if finished is None:
                        moment = clock()
                        if first is None:
                            first = moment - start
                            for observer in self._observers:
                                observer.first_token(name, first)
                        else:
                            gaps.add(moment - last)
                        last = moment
                    yield event
        except ModelNotFound as failure:
            outcome, error = Outcome.FAILED, failure.code
            failure.near = failure.near or self._near(self.record.model)
            raise
        except KonsiliumError as failure:
            outcome, error = Outcome.FAILED, failure.code
            raise
        except Exception:  # raised again: a bug below is counted as a failure too
            outcome, error = Outcome.FAILED, KonsiliumError.code
            raise
        finally:
            self._traffic.open -= 1
            usage = self._usage(finished, answer, thinking, answered=first is not None)
            extra = finished.extra if finished else {}
            hit: CacheHit | None = extra.get(CACHE)
            self.record = replace(
                self.record,
                outcome=outcome,
                error=error,
                usage=usage,
                cost=FREE_OF_CHARGE if hit else self._cost(usage),
                first_token_s=first,
                total_s=clock() - start,
                characters=answer.characters,
                finish_reason=finished.finish_reason if finished else None,
                cache=hit,
                saved_tokens=extra.get(SAVED_TOKENS, self._request.saved_tokens),
            )
            for observer in self._observers:
                observer.gaps(name, gaps)
                observer.ended(self.record)

    def _usage(
        self, finished: Finished | None, answer: "_Written", thinking: "_Written", *, answered: bool
    ) -> Usage:
        """The server's counts, completed by estimates for what was answered without any."""
        usage = finished.usage if finished else Usage()
        known = usage.input_tokens is not None and usage.output_tokens is not None
        if known or not (finished or answered):
            return usage
        return replace(
            usage,
            input_tokens=_prompt_tokens(self._request)
            if usage.input_tokens is None
            else usage.input_tokens,
            output_tokens=answer.tokens() + thinking.tokens()
            if usage.output_tokens is None
            else usage.output_tokens,
            estimated=True,
        )


class Traffic:
    """How many calls of this process are under way."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open = 0


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
        return estimate_tokens(self.characters, "".join(self._sample))


def _prompt_tokens(request: ModelRequest) -> int:
    return sum(
        estimate_tokens(len(text), text)
        + TOKENS_PER_MESSAGE
        + TOKENS_PER_IMAGE * len(message.images)
        for message in request.messages
        for text in (message.text,)
    )
