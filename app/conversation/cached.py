"""Modes that look into the answer cache first, and what is kept of a turn for the next time.

The lookup runs beside the model's call, and a hit ends that while no word has been said. Where this
process has reason to expect a hit, it waits up to PATIENCE_S first, so that no model is bothered.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.completion.caching.cache import AnswerCache, Asked, Hit, Miss, Outcome
from app.completion.caching.eligibility import LONGEST, lasting
from app.completion.caching.scope import Scope, context_key, question_key
from app.conversation.concurrency import ended
from app.conversation.keeping import entry_of, served_entry, whole_answer
from app.conversation.mode import Mode, TurnContext
from app.conversation.sampling import sampling_of
from app.conversation.steps import HeldWriting
from app.core.caching import CachedAnswer
from app.core.errors import KonsiliumError
from app.core.events import StepKind
from app.core.models import ModelProfile, ModelRef
from app.core.notes import CachedNote, Note, SuggestionNote, TitleNote
from app.core.options import ChatOptions, Scalar
from app.core.ports import CallObserver
from app.core.turns import Prompt, SettledTurn, TurnRequest, new_id, now
from app.core.usage import CallRecord, Purpose, Usage
from app.core.usage import Outcome as Ended

log = logging.getLogger(__name__)

PATIENCE_S = 0.02
"""How long the model is not asked because a hit is expected; a lookup takes a few milliseconds."""
AFTER_S = 0.005
"""How long after the model a lookup begins that is not expected to find anything."""
NAME = "Konsilium"
_OF_SCOPE = frozenset(
    [
        "model",
        "temperature",
        "max_tokens",
        "system_prompt",
        "answer_cache",
        "compress_context",
        "compress_every",
        "compress_system_prompt",
        "summary_model",
        "window",
        "overflow",
    ]
)
"""Options that are in the scope already, by what they come to, or that change no answer."""


class Remembering:
    """Wraps modes with the cache, and keeps their answers: `wrap` the modes, and add `after` to
    what happens after a turn."""

    def __init__(self, cache: AnswerCache, observers: Sequence[CallObserver] = ()) -> None:
        self.cache = cache
        self._observers = observers

    def wrap(self, modes: Sequence[Mode]) -> tuple[Mode, ...]:
        """The same modes, with a memory."""
        return tuple(Cached(mode, self) for mode in modes)

    async def asked(
        self, request: TurnRequest, prompt: Prompt, profile: ModelProfile
    ) -> Asked | None:
        """What may be looked up and kept of this turn; None where nothing may."""
        if request.options.text("answer_cache") == "off" and request.take_cached is None:
            return None
        images = any(message.images for message in prompt.messages)
        if request.question.attachments or images or not lasting(request.question.text):
            return None
        alone = not prompt.history
        try:
            owner = await self.cache.owner(f"user:{request.user_id}")
        except KonsiliumError as error:
            log.warning("answer cache: %s: %s", error.code, error.detail)
            return None
        scope = Scope(
            owner=owner,
            model=profile.ref,
            digest=profile.digest,
            sampling=sampling_of(request.options),
            system=prompt.system,
            language=request.language,
            mode=request.options.mode,
            choices=_choices(request.options),
        )
        text = request.question.text
        return Asked(
            scope,
            question_key(text) if alone else context_key(prompt.messages),
            text,
            first=alone and len(text) <= LONGEST,
            request_id=request.turn_id,
        )

    async def after(self, settled: SettledTurn) -> None:
        """Keeps the answer if it is whole; an edited or regenerated one replaces what was kept."""
        request = settled.request
        asked = None
        if settled.prompt is not None and settled.profile is not None:
            asked = await self.asked(request, settled.prompt, settled.profile)
        if (entry_id := served_entry(settled.steps)) is not None:
            await self.cache.served(entry_id)
            return
        if request.rewind:
            await self.cache.purge(question_id=request.question.id)
        if asked is None:
            return
        if request.bypass_cache:
            await self.cache.forget(asked)
        if (answer := whole_answer(settled)) is not None:
            await self.cache.keep(asked, entry_of(asked, answer, settled))

    def replayed(self, turn: TurnContext, record: CallRecord) -> None:
        """Counts an answer from the cache like a call."""
        turn.models.enter(record)
        for observer in self._observers:
            observer.started(turn.ask((), step_id=record.step_id), str(record.model))
            observer.ended(record)


class Cached:
    """Implements `Mode` over another mode."""

    def __init__(self, mode: Mode, memory: Remembering) -> None:
        self._mode = mode
        self._memory = memory
        self.id = mode.id
        self.name = mode.name
        self.description = mode.description
        self.icon = mode.icon
        self.options = mode.options
        self.notes = mode.notes
        self.takes_interjections = mode.takes_interjections

    async def respond(self, turn: TurnContext) -> None:
        choice = turn.request.options.text("answer_cache")
        profile = turn.models.profile(turn.model)
        asked = await self._memory.asked(turn.request, turn.prompt, profile)
        if asked is None or turn.request.bypass_cache:
            await self._mode.respond(turn)
        else:
            await self._beside(turn, asked, near=choice == "near")

    async def _beside(self, turn: TurnContext, asked: Asked, *, near: bool) -> None:
        """The lookup and the model's answer; the model waits only where a hit is likely."""
        cache = self._memory.cache
        expected = turn.request.take_cached or await cache.likely(asked, near=near)
        after_s = 0 if expected else AFTER_S
        looking = asyncio.create_task(self._look(turn.request, asked, near=near, after_s=after_s))
        tasks: list[asyncio.Task[Any]] = [looking]
        try:
            if expected:
                await asyncio.wait([looking], timeout=PATIENCE_S)
                if looking.done() and isinstance(hit := looking.result(), Hit):
                    self._replay(turn, hit)
                    return
            turn.models.cache_missed = True
            ahead, writing = turn.held()
            answering = asyncio.create_task(self._mode.respond(ahead))
            tasks.append(answering)
            found = await self._found(looking, answering, writing)
            if isinstance(found, Hit) and not writing.shown:
                await ended([answering])
                self._replay(turn, found)
                return
            if not isinstance(found, Miss):
                _offer(turn, found.entry)
            writing.release()
            await answering
        finally:
            await ended(tasks)

    async def _found(
        self, looking: asyncio.Task[Outcome], answering: asyncio.Task[None], writing: HeldWriting
    ) -> Outcome:
        """What the lookup found; nothing, where the model had answered before it was over. The model's
        words are let through where it is late."""
        ready = asyncio.create_task(writing.ready.wait())
        try:
            await asyncio.wait({looking, answering, ready}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([looking], timeout=PATIENCE_S)  # a very quick model
            if not looking.done():
                writing.release()
                await asyncio.wait({looking, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended([ready])
        return looking.result() if looking.done() else Miss()

    async def _look(
        self, request: TurnRequest, asked: Asked, *, near: bool, after_s: float
    ) -> Outcome:
        await asyncio.sleep(after_s)  # the model's request goes out first
        cache = self._memory.cache
        try:
            if request.take_cached is not None:
                entry = await cache.entry(asked, request.take_cached)
                return Hit("taken", entry) if entry else Miss()
            if request.rewind:
                await cache.purge(question_id=request.question.id)
        except KonsiliumError as error:
            log.warning("answer cache: %s: %s", error.code, error.detail)
            return Miss()
        return await cache.lookup(asked, near=near)

    def _replay(self, turn: TurnContext, hit: Hit) -> None:
        """The cached answer as the answer of this turn."""
        entry, step_id, at = hit.entry, new_id(), time.perf_counter()
        turn.models.cache_missed = False
        notes: list[Note] = [CachedNote(hit.kind, *_told(entry))]
        if entry.title:
            notes.append(TitleNote(entry.title))
        record = CallRecord(
            id=new_id(),
            purpose=Purpose.ANSWER,
            model=ModelRef.parse(entry.model),
            started_at=now(),
            outcome=Ended.COMPLETED,
            usage=Usage(input_tokens=0, output_tokens=0),
            first_token_s=0.0,
            total_s=time.perf_counter() - at,
            characters=len(entry.answer),
            finish_reason="stop",
            cache=hit.kind,
            request_id=turn.request.turn_id,
            step_id=step_id,
            saved_tokens=entry.tokens,
            saved_rub=entry.cost_rub,
        )
        self._memory.replayed(turn, record)
        with turn.step(
            StepKind.ANSWER, turn.model.name, step_id=step_id, notes=tuple(notes)
        ) as step:
            step.write(entry.answer)
            step.record, step.finish_reason = record, "stop"


def _told(entry: CachedAnswer) -> tuple[str, str, datetime, int | None, Decimal | None]:
    return entry.id, entry.question, entry.asked_at, entry.tokens, entry.cost_rub


def _offer(turn: TurnContext, entry: CachedAnswer) -> None:
    with turn.step(StepKind.NOTICE, NAME, notes=(SuggestionNote("suggestion", *_told(entry)),)):
        pass


def _choices(options: ChatOptions) -> dict[str, Scalar]:
    return {id: value for id, value in options.values.items() if id not in _OF_SCOPE}
