"""The answer of a turn as a step: plain, or with a title where the person asked for one.

A structured answer is `{"title", "message"}` by JSON schema. The message streams while it is being
written; the title becomes a note of the step. Where the model answers in plain words instead, these
are the answer; where its JSON breaks, what was meant is mended, asked for once more, or shown as is.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from app.conversation.language import language_of_text
from app.conversation.limits import timed
from app.conversation.mode import TurnContext
from app.conversation.partial_json import PartialObject
from app.conversation.steps import StepWriter
from app.conversation.structured import Shape, formats, repaired
from app.core.errors import BadRequest, EmptyAnswer, KonsiliumError, Unsupported
from app.core.events import StepKind
from app.core.messages import Message
from app.core.notes import Note, TitleNote
from app.core.options import TEMPERATURE, ChatOptions
from app.core.ports import Call
from app.core.requests import JsonSchema, ModelRequest, Sampling
from app.core.text import Language, Text
from app.core.usage import Purpose

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

    def __init__(self, step: StepWriter) -> None:
        self.raw = ""
        self.shown = ""
        self.title = ""
        self._step = step
        self._parser = PartialObject()

    def visible(self, text: str) -> str:
        """The next words of the message; all words where the model does not write JSON."""
        self.raw += text
        grown = self._parser.feed(text)
        if self.plain:
            words = self.raw[len(self.shown) :]
        else:
            words = "".join(new for key, new in grown if key == "message")
        self.shown += words
        if not self.title:
            self.entitle(one_line(self._parser.fields.get("title")))
        return words

    def entitle(self, title: str) -> None:
        """The title is known; the empty one is none."""
        if title:
            self.title = title
            self._step.note(TitleNote(title))

    @property
    def plain(self) -> bool:
        """The model answers in words instead of JSON."""
        return self._parser.state == "not_json"

    @property
    def whole(self) -> bool:
        """What was shown is the message, complete."""
        return self._parser.state == "complete" and self._parser.fields.get("message") == self.shown


async def answer(
    turn: TurnContext,
    messages: tuple[Message, ...],
    *,
    purpose: Purpose = Purpose.ANSWER,
    notes: tuple[Note, ...] = (),
    before: str = "",
    after: str = "",
) -> None:
    """The conversation's model answers `messages`, with the person's sampling.

    `before` and `after` are lines of ours around its words. Raises the call's KonsiliumError, or
    EmptyAnswer where it ended without a word, after the step has ended as FAILED.
    """
    with turn.step(
        StepKind.ANSWER, turn.model.name, notes=notes, opening=before, begin=False
    ) as step:
        request = turn.ask(
            messages,
            sampling=sampling_of(turn.request.options),
            purpose=purpose,
            step_id=step.id,
        )
        await stream_answer(turn, step, request)
        if after:
            step.write(after)


async def stream_answer(
    turn: TurnContext, step: StepWriter, request: ModelRequest, deadline: float | None = None
) -> str:
    """`answer` for a step and a request of the caller's own; by `deadline` it raises LimitReached.
    Returns the title, empty where there is none."""

    def call(request: ModelRequest) -> Call:
        return timed(turn.models.call(turn.model, request), deadline)

    able = not turn.models.profile(turn.model).last_resort  # a tiny one fills the form with noise
    if turn.request.options.on("structured") and able:
        title, said = await _stream_titled(turn, step, request, call)
    else:
        title, said = "", await step.stream(call(request))
    if not said.strip() and step.finish_reason != "length":
        raise EmptyAnswer("not a word", server=turn.model.server, model=turn.model.name)
    return title


async def _stream_titled(
    turn: TurnContext,
    step: StepWriter,
    request: ModelRequest,
    call: Callable[[ModelRequest], Call],
) -> tuple[str, str]:
    """Streams the message of `{"title", "message"}`; returns the title and the raw words."""
    profile = turn.models.profile(turn.model)
    language = language_of_text(turn.request.question.text, turn.request.language)
    request = replace(request, messages=_ruled(request.messages, language))
    for form in formats(profile, TITLED.schema):
        draft = Draft(step)
        try:
            await step.stream(call(replace(request, response_format=form)), draft.visible)
            break
        except (BadRequest, Unsupported):
            if draft.raw or form is None:
                raise
    if _needs_mending(draft, step.finish_reason):
        turn.progress(MENDING)
        title, message = await _mended(turn, request, call, draft, language)
        step.replace(message)
        draft.entitle(title)
    return draft.title, draft.raw


def _needs_mending(draft: Draft, finish_reason: str | None) -> bool:
    cut_off = finish_reason == "length" and bool(draft.shown)
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


def sampling_of(options: ChatOptions) -> Sampling:
    """The sampling a person chose in the panel; what was left as it was is the model's own affair."""
    temperature = options.number("temperature")
    return Sampling(
        temperature=None if temperature == TEMPERATURE else temperature,
        max_tokens=int(options.number("max_tokens")) or None,
    )
