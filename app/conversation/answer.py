"""The answer of a turn as a step: plain, or with a title where the person asked for one.

A structured answer is `{"title", "message"}` by JSON schema. The message streams while it is being
written; the title becomes a note of the step. Where the model answers in plain words instead, these
are the answer; where its JSON breaks, what was meant is mended, asked for once more, or shown as is.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any

from app.conversation.language import language_of_text
from app.conversation.limits import timed
from app.conversation.mode import TurnContext
from app.conversation.partial_json import PartialObject
from app.conversation.sampling import sampling_of
from app.conversation.speech import Speech
from app.conversation.structured import Shape, formats, repaired
from app.core.errors import BadRequest, EmptyAnswer, KonsiliumError, Unsupported
from app.core.events import (
    Progress,
    StepDelta,
    StepKind,
    StepNoted,
    StepReplaced,
    StepStarted,
    TurnEvent,
)
from app.core.messages import Message
from app.core.ports import Call
from app.core.requests import JsonSchema, ModelRequest
from app.core.text import Language, Text
from app.core.turns import new_id
from app.core.usage import Outcome, Purpose

log = logging.getLogger(__name__)

Titled = tuple[str, str]
"""A title and a message."""

MAX_TITLE_CHARACTERS = 120
MENDING = Text(
    ru="Привожу ответ в порядок…", uk="Упорядковую відповідь…", en="Putting the answer in order…"
)
ABOUT = Text(
    ru="title: короткий заголовок ответа, до восьми слов. message: полный ответ, в нём можно "
    "использовать Markdown; заголовок в нём не повторяй.",
    uk="title: короткий заголовок відповіді, до восьми слів. message: повна відповідь, у ній можна "
    "використовувати Markdown; заголовок у ній не повторюй.",
    en="title: a short title of the answer, up to eight words. message: the full answer, Markdown is "
    "welcome in it; do not repeat the title there.",
)


def _read_titled(value: Mapping[str, Any]) -> Titled:
    message = value.get("message")
    if not isinstance(message, str):
        raise ValueError('"message" is missing')
    return one_line(value.get("title")), message


TITLED: Shape[Titled] = Shape(
    JsonSchema(
        "answer",
        {
            "type": "object",
            "properties": {"title": {"type": "string"}, "message": {"type": "string"}},
            "required": ["title", "message"],
            "additionalProperties": False,
        },
    ),
    '{"title": "…", "message": "…"}',
    _read_titled,
)


def one_line(title: object) -> str:
    """A title fit for a heading; empty where there is none."""
    words = " ".join(title.split()) if isinstance(title, str) else ""
    return words.lstrip("# ")[:MAX_TITLE_CHARACTERS]


class Draft:
    """A structured answer while it is being written: what of it can be shown already."""

    def __init__(self) -> None:
        self.raw = ""
        self.shown = ""
        self._parser = PartialObject()
        self._titled = False

    def visible(self, text: str) -> str:
        """The next words of the message; all words where the model does not write JSON."""
        self.raw += text
        grown = self._parser.feed(text)
        if self.plain:
            words = self.raw[len(self.shown) :]
        else:
            words = "".join(new for key, new in grown if key == "message")
        self.shown += words
        return words

    @property
    def plain(self) -> bool:
        """The model answers in words instead of JSON."""
        return self._parser.state == "not_json"

    @property
    def whole(self) -> bool:
        """What was shown is the message, complete."""
        return self._parser.state == "complete" and self._parser.fields.get("message") == self.shown

    def title(self) -> str:
        """The title, once, when it is complete."""
        title = "" if self._titled else one_line(self._parser.fields.get("title"))
        self._titled = self._titled or bool(title)
        return title


async def answer(
    turn: TurnContext,
    messages: tuple[Message, ...],
    *,
    purpose: Purpose = Purpose.ANSWER,
    note: Mapping[str, Any] | None = None,
    before: str = "",
    after: str = "",
) -> AsyncGenerator[TurnEvent, None]:
    """The conversation's model answers `messages`, with the person's sampling.

    `before` and `after` are lines of ours around its words. Raises the call's KonsiliumError, or
    EmptyAnswer where it ended without a word, after the step has ended as FAILED.
    """
    step = StepStarted(new_id(), StepKind.ANSWER, name=turn.model.name, note=note or {})
    request = turn.ask(
        messages,
        sampling=sampling_of(turn.request.options),
        purpose=purpose,
        step_id=step.step_id,
    )
    async with contextlib.aclosing(spoken(turn, step, request, before, after)) as events:
        async for event in events:
            yield event


def spoken(
    turn: TurnContext,
    step: StepStarted,
    request: ModelRequest,
    before: str = "",
    after: str = "",
    deadline: float | None = None,
) -> AsyncGenerator[TurnEvent, None]:
    """`answer` for a step and a request of the caller's own; by `deadline` it raises LimitReached."""

    def call(request: ModelRequest) -> Call:
        call = turn.models.call(turn.model, request)
        return timed(call, deadline) if deadline is not None else call

    if turn.request.options.on("structured"):
        return _structured(turn, step, request, call, before, after)
    return _said(Speech(step, call(request), keep_open=True), before, after)


async def _said(
    speech: Speech, before: str, after: str, draft: Draft | None = None
) -> AsyncGenerator[TurnEvent, None]:
    """The speech between our lines; its title as soon as it is known."""
    step_id = speech.step.step_id
    async with contextlib.aclosing(speech.events()) as events:
        async for event in events:
            if draft and (title := draft.title()):
                yield StepNoted(step_id, {"title": title})
            yield event
            if event is speech.step and before:
                yield StepDelta(step_id, before)
    if draft and (title := draft.title()):
        yield StepNoted(step_id, {"title": title})
    if draft is None:
        async with contextlib.aclosing(_ended(speech, after)) as events:
            async for event in events:
                yield event


async def _ended(speech: Speech, after: str) -> AsyncGenerator[TurnEvent, None]:
    """The end of an answer's step: our last line, or EmptyAnswer where nothing was said."""
    assert speech.ended is not None
    if not speech.text.strip() and speech.finish_reason != "length":
        model = speech.call.record.model
        error = EmptyAnswer("not a word", server=model.server, model=model.name)
        yield replace(speech.ended, outcome=Outcome.FAILED, error=error)
        raise error
    if after:
        yield StepDelta(speech.step.step_id, after)
    yield speech.ended


async def _structured(
    turn: TurnContext,
    step: StepStarted,
    request: ModelRequest,
    call: Callable[[ModelRequest], Call],
    before: str,
    after: str,
) -> AsyncGenerator[TurnEvent, None]:
    profile = turn.models.profile(turn.model)
    language = language_of_text(turn.request.question.text, turn.request.language)
    request = replace(request, messages=_ruled(request.messages, language))
    for form in formats(profile, TITLED.schema):
        draft, begun = Draft(), False
        asked = call(replace(request, response_format=form))
        speech = Speech(step, asked, keep_open=True, visible=draft.visible)
        try:
            async with contextlib.aclosing(_said(speech, before, after, draft)) as events:
                async for event in events:
                    begun = True
                    yield event
            break
        except (BadRequest, Unsupported):
            if begun or form is None:
                raise
    if _needs_mending(draft, speech):
        yield Progress(MENDING)
        title, message = await _mended(turn, request, call, draft, language)
        yield StepReplaced(step.step_id, before + message)
        if title:
            yield StepNoted(step.step_id, {"title": title})
    async with contextlib.aclosing(_ended(speech, after)) as events:
        async for event in events:
            yield event


def _needs_mending(draft: Draft, speech: Speech) -> bool:
    cut_off = speech.finish_reason == "length" and bool(draft.shown)
    return bool(draft.raw.strip()) and not (draft.plain or draft.whole or cut_off)


async def _mended(
    turn: TurnContext,
    request: ModelRequest,
    call: Callable[[ModelRequest], Call],
    draft: Draft,
    language: Language,
) -> Titled:
    try:
        return TITLED.parse(draft.raw)
    except ValueError as broken:
        profile = turn.models.profile(turn.model)
        try:
            return await repaired(call, profile, request, TITLED, language, draft.raw, broken)
        except KonsiliumError as error:
            log.info("turn %s: shown as it is: %s", turn.request.turn_id, error.detail)
            return "", draft.shown or draft.raw


def _ruled(messages: tuple[Message, ...], language: Language) -> tuple[Message, ...]:
    """The prompt with the rule for the form in its system text."""
    rule = f"{TITLED.rule(language)}\n{ABOUT[language]}"
    if messages and messages[0].role == "system":
        return (Message.system(f"{messages[0].text}\n\n{rule}"), *messages[1:])
    return (Message.system(rule), *messages)
