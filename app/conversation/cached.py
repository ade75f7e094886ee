"""Turns with the answer cache: modes that look into it beside the model, and what is kept of a turn."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal

from app.completion.caching.cache import AnswerCache, CheckCaller, Hit, Miss, Outcome
from app.completion.caching.query import CacheQuery, Scope, cacheable_answer, query_of
from app.completion.caching.serving import Lookup, ReplayedCall
from app.conversation.answer import sampling_of
from app.conversation.mode import Mode, TurnContext
from app.core.caching import CachedAnswer
from app.core.concurrency import ended
from app.core.errors import KonsiliumError
from app.core.events import StepKind
from app.core.models import ModelProfile
from app.core.notes import CachedNote, Note, SuggestionNote, TitleNote
from app.core.options import ChatOptions, Scalar
from app.core.ports import CallObserver
from app.core.turns import Prompt, SettledTurn, StepRecord, TurnRequest, new_id
from app.core.usage import Outcome as Ended

log = logging.getLogger(__name__)

NAME = "Konsilium"
_OF_SCOPE = frozenset(
    [
        "model",
        "temperature",
        "max_tokens",
        "top_p",
        "seed",
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


class TurnCache:
    """The cache of turns: `wrap` the modes, and add `after` to what happens after a turn."""

    def __init__(
        self,
        cache: AnswerCache,
        observers: Sequence[CallObserver] = (),
        is_temporary: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        """`is_temporary(thread_id)`: of such a thread nothing is looked up or kept."""
        self.cache = cache
        self._is_temporary = is_temporary
        self._observers = observers

    def wrap(self, modes: Sequence[Mode]) -> tuple[Mode, ...]:
        """The same modes, with the cache."""
        return tuple(CachedMode(mode, self) for mode in modes)

    async def query(
        self, request: TurnRequest, prompt: Prompt, profile: ModelProfile
    ) -> CacheQuery | None:
        """What may be looked up and kept of a turn; None where nothing may."""
        off = request.options.text("answer_cache") == "off" and request.take_cached is None
        finds = (*request.options.names("tools"), *request.options.names("knowledge"))
        off = off or bool(finds)  # what is found may be another thing today
        if off or request.question.attachments:
            return None
        try:
            if self._is_temporary is not None and await self._is_temporary(request.thread_id):
                return None
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
        return query_of(prompt.messages, scope, request.turn_id)

    async def find(self, turn: TurnContext, query: CacheQuery) -> Outcome:
        """What the cache has for a turn: the entry that the person took, else what is found."""
        request = turn.request
        try:
            if request.take_cached is not None:
                return await self.cache.entry(query, request.take_cached)
            if request.again:
                await self.cache.purge(question_id=request.question.id)
        except KonsiliumError as error:
            log.warning("answer cache: %s: %s", error.code, error.detail)
            return Miss()
        return await self.cache.lookup(query, near=request.options.text("answer_cache") == "near")

    async def after(self, settled: SettledTurn) -> None:
        """Keeps the answer if it is whole; a regenerated one replaces what was kept."""
        request = settled.request
        query = None
        if settled.prompt is not None and settled.profile is not None:
            query = await self.query(request, settled.prompt, settled.profile)
        if (entry_id := _served_entry(settled.steps)) is not None:
            await self.cache.served(entry_id)
            return
        if request.again:
            await self.cache.purge(question_id=request.question.id)
        if query is None:
            return
        if request.bypass_cache:
            await self.cache.forget(query)
        if (answer := whole_answer(settled)) is not None:
            entry = query.entry(
                answer.output,
                settled.calls,
                title=title.title if (title := TitleNote.of(answer.metadata)) else None,
                thread_id=request.thread_id,
                turn_id=request.turn_id,
                question_id=request.question.id,
            )
            await self.cache.keep(query, entry)

    def replay(self, turn: TurnContext, hit: Hit) -> None:
        """The cached answer as the answer of this turn, counted like a call."""
        entry, step_id = hit.entry, new_id()
        record = ReplayedCall(hit, turn.request.turn_id, step_id).record
        turn.models.cache_missed = False
        turn.models.enter(record)
        for observer in self._observers:
            observer.started(turn.ask((), step_id=step_id), entry.model)
            observer.ended(record)
        notes: tuple[Note, ...] = (CachedNote(hit.kind, *_told(entry)),)
        if entry.title:
            notes += (TitleNote(entry.title),)
        with turn.step(StepKind.ANSWER, turn.model.name, step_id=step_id, notes=notes) as step:
            step.write(entry.answer)
            step.record, step.finish_reason = record, "stop"


class CachedMode:
    """Implements `Mode` over another mode."""

    def __init__(self, mode: Mode, memory: TurnCache) -> None:
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
        """The mode's answer, or a cached one in its place."""
        request, memory = turn.request, self._memory
        query = await memory.query(request, turn.prompt, turn.models.profile(turn.model))
        if query is None or request.bypass_cache:
            await self._mode.respond(turn)
            return
        asker = CheckCaller(lambda name, check: turn.models.call(turn.models.resolve(name), check))
        lookup = Lookup(
            lambda: memory.find(turn, query),
            memory.cache.confirmer(query, asker),
            expected=memory.cache.expects(query),
            taken=request.take_cached is not None,
        )
        async with contextlib.aclosing(lookup):
            await self._beside(turn, lookup)

    async def _beside(self, turn: TurnContext, lookup: Lookup) -> None:
        """The model answers beside the lookup; its words are held back until that has had its time."""
        if (hit := await lookup.before()) is not None:
            self._memory.replay(turn, hit)
            return
        turn.models.cache_missed = True
        ahead, writing = turn.held()
        answering = asyncio.create_task(self._mode.respond(ahead))
        ready = asyncio.create_task(writing.ready.wait())
        try:
            found = await lookup.in_time(answering, ready)
            if isinstance(found, Hit):
                await ended([answering])
                self._memory.replay(turn, found)
                return
            if found is None:
                writing.release()
                found = await lookup.late(answering)
            if not isinstance(found, Miss):
                _offer(turn, found.entry)
            writing.release()
            await answering
        finally:
            await ended([answering, ready])


def _told(entry: CachedAnswer) -> tuple[str, str, datetime, int | None, Decimal | None]:
    return entry.id, entry.question, entry.asked_at, entry.tokens, entry.cost_rub


def _offer(turn: TurnContext, entry: CachedAnswer) -> None:
    with turn.step(StepKind.NOTICE, NAME, notes=(SuggestionNote("suggestion", *_told(entry)),)):
        pass


def _choices(options: ChatOptions) -> dict[str, Scalar]:
    return {id: value for id, value in options.values.items() if id not in _OF_SCOPE}


def _served_entry(steps: Sequence[StepRecord]) -> str | None:
    """The id of the cached answer that was shown, where one was."""
    for step in steps:
        if (cached := CachedNote.of(step.metadata)) is not None:
            return cached.entry_id
    return None


def whole_answer(settled: SettledTurn) -> StepRecord | None:
    """The turn's answer, if it is one, cacheable, and nothing of the turn went wrong; None where it
    has several, or words were said into it."""
    if settled.outcome is not Ended.COMPLETED or settled.error is not None:
        return None
    below = settled.steps[1:]
    answers = [step for step in below if step.kind is StepKind.ANSWER]
    if len(answers) != 1 or any(step.kind is StepKind.QUESTION for step in below):
        return None
    if any(step.outcome is not Ended.COMPLETED or step.is_error for step in below):
        return None
    answer = answers[0]
    spoken = any(call.step_id == answer.id for call in settled.calls)
    if not spoken or answer.parent_id != settled.request.turn_id:
        return None
    return answer if cacheable_answer(answer.output, settled.calls) else None
