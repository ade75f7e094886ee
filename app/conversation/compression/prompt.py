"""The prompt that is really sent: compressed where the person wants it, and made to fit the window.

What was done is told as a `CompressionNote`: in the numbers under each answer, and, when it is news,
also in a line before the answer, with the notes themselves.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from app.completion.tokens import (
    IMAGE_TOKENS,
    answer_reserve,
    cyrillic_share,
    prompt_tokens,
    text_tokens,
)
from app.conversation.compression.compressor import Compressor
from app.conversation.compression.layout import Layout, lay_out, said
from app.conversation.tokens import Calibration, Scale, cut_by_server, window_of
from app.core.compression import CompressionState, PinnedFact
from app.core.errors import ContextTooLong, StorageUnavailable
from app.core.messages import Message, TextPart
from app.core.models import Capability, ModelProfile
from app.core.notes import CompressionNote, SystemTokens
from app.core.ports import CompressionStore
from app.core.text import Language, Text
from app.core.turns import HistoryMessage, Prompt, SettledTurn, TurnRequest
from app.core.usage import Outcome, Purpose

log = logging.getLogger(__name__)


class CompressingPromptBuilder:
    """A `PromptBuilder`; its `after_turn` learns how many tokens the prompt really was."""

    def __init__(
        self,
        store: CompressionStore,
        calibration: Calibration,
        compressor: Compressor | None = None,
    ) -> None:
        self._store = store
        self._calibration = calibration
        self._compressor = compressor

    async def build(
        self,
        request: TurnRequest,
        history: tuple[HistoryMessage, ...],
        profile: ModelProfile,
    ) -> Prompt:
        """The prompt. Raises ContextTooLong (prompt_tokens, window) where it cannot fit and the person
        wants to be asked."""
        if self._compressor is not None and profile.local:
            self._compressor.give_way(profile.ref.server)
        options = request.options
        state = await self._state(request)
        written = options.text("system_prompt").strip()
        system = await self._system(request, written)
        told_of = (*map(PinnedFact, request.facts), *state.pinned)
        head = replace(state, pinned=told_of)
        whole = lay_out(system, head, said(history), request.question)
        scale = await self._calibration.measured(profile.ref, _texts(whole.messages))
        window = window_of(profile, options)
        most = int(options.number("max_tokens")) or None
        needs = scale.tokens(prompt_tokens(whole.messages)) + answer_reserve(most, window or 0)
        window = window_of(profile, options, needs)
        room = window - answer_reserve(most, window) if window else None
        layout, dropped = _fit(request, head, said(history), system, scale, room)
        if not profile.can(Capability.VISION):
            layout = _without_earlier_pictures(layout, request.language)
        if room is not None and _too_long(layout, scale, room):
            raise ContextTooLong(
                f"about {scale.tokens(prompt_tokens(layout.messages))} tokens, room for {room}",
                server=profile.ref.server,
                model=profile.ref.name,
                prompt_tokens=scale.tokens(prompt_tokens(layout.messages)),
                window=window,
            )
        bound = prompt_tokens(layout.messages)
        images = IMAGE_TOKENS * sum(len(message.images) for message in layout.messages)
        likely = scale.likely(bound - images)  # what an image takes differs too much to judge by
        told = _told(layout, state, dropped, scale)
        if system != written:
            before, after = scale.tokens(text_tokens(written)), scale.tokens(text_tokens(system))
            told = replace(told, system=SystemTokens(before, after))
        return Prompt(
            layout.messages,
            tokens=scale.tokens(bound),
            bound=None if images else bound,
            likely=likely,
            window=window,
            wanted_window=int(options.number("window")) or None,
            needs=scale.tokens(bound) + answer_reserve(most, window or 0),
            widened=window is not None and window > (profile.window or window),
            compression=told,
            notes=layout.notes,
        )

    async def after_turn(self, turn: SettledTurn) -> None:
        """A hook of `Turns`: calibrates by the server's own count, and remembers that the
        conversation was told of a new version."""
        prompt = turn.prompt
        if prompt is None:
            return
        answers = [call for call in turn.calls if call.purpose is Purpose.ANSWER]
        if prompt.bound and len(answers) == 1 and answers[0].outcome is Outcome.COMPLETED:
            call = answers[0]
            counted = call.usage.input_tokens
            told = counted and not call.from_cache and not call.usage.estimated
            window = call.usage.window or prompt.window
            used = (counted or 0) + (call.usage.output_tokens or 0)
            odd = cut_by_server(counted, prompt.likely, window, prompt.bound)
            odd = odd or (window is not None and used > window)
            if counted and told and not odd:
                share = cyrillic_share(_texts(prompt.messages))
                await self._calibration.learn(call.model, prompt.bound, counted, share)
        if prompt.compression.news:
            await self._store.announce(turn.request.thread_id, prompt.compression.version)

    async def _state(self, request: TurnRequest) -> CompressionState:
        """The thread's state; its blocks only where compression is on."""
        try:
            state = await self._store.state(request.thread_id)
        except StorageUnavailable as error:
            log.warning("blocks of thread %s: %s", request.thread_id, error.detail)
            return CompressionState()
        on = request.options.on("compress_context")
        return state if on else CompressionState(state.version, state.announced, (), state.pinned)

    async def _system(self, request: TurnRequest, written: str) -> str:
        options = request.options
        both = options.on("compress_context") and options.on("compress_system_prompt")
        if not (written and both and self._compressor is not None):
            return written
        return await self._compressor.system_prompt(written)


UNSEEN = Text(
    ru="[картинка, которой эта модель не видит]",
    uk="[зображення, якого ця модель не бачить]",
    en="[a picture, which this model does not see]",
)


def _without_earlier_pictures(layout: Layout, language: Language) -> Layout:
    """What was said, for a model that sees no pictures: with one among it, such a model is not asked at
    all by Ollama, whatever the question."""
    before = [
        replace(message, parts=(TextPart(f"{UNSEEN[language]}\n{message.text}"),))
        if message.images
        else message
        for message in layout.messages[:-1]
    ]
    return replace(layout, messages=(*before, *layout.messages[-1:]))


def _texts(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]


def _fit(
    request: TurnRequest,
    state: CompressionState,
    history: tuple[HistoryMessage, ...],
    system: str,
    scale: Scale,
    room: int | None,
) -> tuple[Layout, int]:
    """The layout, and how many of the oldest verbatim messages it leaves out: none, or, where the
    person allowed it, turn by turn as many as it takes."""
    whole = layout = lay_out(system, state, history, request.question)
    dropped = 0
    if room is not None and request.options.text("overflow") == "drop":
        while _too_long(layout, scale, room) and layout.recent:
            dropped = _next_turn(whole.recent, dropped)
            layout = lay_out(system, state, history, request.question, drop=dropped)
    return layout, dropped


def _too_long(layout: Layout, scale: Scale, room: int) -> bool:
    """What is likely to fit is sent."""
    return scale.likely(prompt_tokens(layout.messages)) > room


def _next_turn(recent: tuple[HistoryMessage, ...], start: int) -> int:
    """Where the turn after the one at `start` begins."""
    return next(
        (at for at in range(start + 1, len(recent)) if recent[at].role == "user"), len(recent)
    )


def _told(layout: Layout, state: CompressionState, dropped: int, scale: Scale) -> CompressionNote:
    told = CompressionNote(pinned=len(state.pinned) or None, dropped=dropped or None)
    if not layout.blocks:
        return told
    return replace(
        told,
        first=1,
        last=len(layout.covered),
        before=scale.tokens(layout.tokens_before),
        after=scale.tokens(layout.tokens_after),
        blocks=len(layout.blocks),
        version=state.version,
        news=state.version > state.announced,
    )
