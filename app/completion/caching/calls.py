"""The cache for single calls, as the gateway makes them: what may be looked up, kept, played again."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from decimal import Decimal

from app.completion.caching.cache import AnswerCache, Asked, Hit, Miss, Outcome
from app.completion.caching.eligibility import LONGEST, lasting
from app.completion.caching.scope import Scope, context_key, question_key
from app.core.caching import CachedAnswer
from app.core.events import Finished, ModelEvent, TextDelta, TextWasThinking, ToolCallDelta
from app.core.models import ModelRef
from app.core.ports import Call
from app.core.requests import JsonSchema, ModelRequest
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Purpose, Usage
from app.core.usage import Outcome as Ended

HEADER = b"x-konsilium-cache"
"""In a request, `bypass`: ask the model and replace. In an answer: hit-exact, hit-near or miss."""
PATIENCE_S = 0.05
"""How long a call waits for the cache; it takes a few milliseconds."""

_WORDS = re.compile(r"\s*\S+\s*")


def asked_of(
    request: ModelRequest,
    ref: ModelRef,
    *,
    owner: str,
    digest: str | None = None,
    kind: str = "api",
) -> Asked | None:
    """What may be looked up of a call; None for one with tools, images, or fields that only a model
    can answer. `kind` keeps forms of the API apart."""
    messages = request.messages
    plain = all(m.role in ("system", "user", "assistant") and not m.images for m in messages)
    spoken = [message for message in messages if message.role != "system"]
    if request.tools or request.tool_choice or request.extra or not plain or not spoken:
        return None
    last = spoken[-1]
    if last.role != "user" or not lasting(last.text):
        return None
    form = request.response_format
    scope = Scope(
        owner=owner,
        model=ref,
        digest=digest,
        sampling=request.sampling,
        system="\n\n".join(m.text for m in messages if m.role == "system"),
        mode=kind,
        choices={
            "think": request.think,
            "form": type(form).__name__ if form else None,
            "schema": repr(form.schema) if isinstance(form, JsonSchema) else None,
        },
    )
    alone = len(spoken) == 1
    return Asked(
        scope,
        question_key(last.text) if alone else context_key(messages),
        last.text,
        first=alone and len(last.text) <= LONGEST,
        request_id=request.request_id,
    )


async def known(cache: AnswerCache, asked: Asked, *, near: bool) -> Outcome:
    """What the cache knows within PATIENCE_S; a miss where it takes longer."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await cache.lookup(asked, near=near)
    except TimeoutError:
        return Miss()


def header_of(found: Outcome) -> bytes:
    """The value of the answer's header."""
    return f"hit-{found.kind}".encode() if isinstance(found, Hit) else b"miss"


class Replayed:
    """A cached answer as a call: implements `core.ports.Call`."""

    def __init__(self, hit: Hit, request_id: str | None = None) -> None:
        self._hit = hit
        entry = hit.entry
        self.record = CallRecord(
            id=new_id(),
            purpose=Purpose.ANSWER,
            model=ModelRef.parse(entry.model),
            started_at=now(),
            outcome=Ended.COMPLETED,
            usage=Usage(input_tokens=0, output_tokens=0),
            first_token_s=0.0,
            total_s=0.0,
            characters=len(entry.answer),
            finish_reason="stop",
            cache=hit.kind,
            request_id=request_id,
            saved_tokens=entry.tokens,
            saved_rub=entry.cost_rub,
        )

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The answer word by word, as a model would have sent it."""
        for word in _WORDS.findall(self._hit.entry.answer):
            yield TextDelta(word)
        yield Finished("stop", self.record.usage)


class Kept:
    """A call whose answer is kept if it is whole: implements `core.ports.Call`."""

    def __init__(self, call: Call, cache: AnswerCache, asked: Asked, *, replaces: bool) -> None:
        """`replaces`: an earlier answer goes, however this call ends."""
        self._call = call
        self._cache = cache
        self._asked = asked
        self._replaces = replaces

    @property
    def record(self) -> CallRecord:
        """The call's, marked as a miss."""
        return replace(self._call.record, cache="miss")

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The call's events, unchanged; the answer is kept after the last of them."""
        text: list[str] = []
        whole = tools = False
        if self._replaces:
            self._cache.later(self._cache.forget(self._asked))
        async with contextlib.aclosing(self._call.events()) as events:
            async for event in events:
                match event:
                    case TextDelta(piece):
                        text.append(piece)
                    case TextWasThinking():
                        text.clear()
                    case ToolCallDelta():
                        tools = True
                    case Finished(reason):
                        whole = reason == "stop"
                yield event
        if whole and not tools:
            self._cache.later(self._cache.keep(self._asked, self._entry("".join(text))))

    def _entry(self, text: str) -> CachedAnswer:
        record = self._call.record
        usage = record.usage
        cost: Decimal | None = record.cost.rub if record.cost else None
        return CachedAnswer(
            scope=self._asked.scope.key,
            key=self._asked.key,
            owner=self._asked.scope.owner,
            question=self._asked.question,
            answer=text,
            model=str(self._asked.scope.model),
            tokens=((usage.input_tokens or 0) + (usage.output_tokens or 0)) or None,
            cost_rub=cost,
        )
