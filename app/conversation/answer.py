"""The answer of a turn as a step: plain, or with a title where the person asked for one.

A structured answer is `{"title", "message"}` by JSON schema. The message streams while it is being
written; the title becomes a note of the step. Where the model answers in plain words instead, these
are the answer; where its JSON breaks, what was meant is mended, asked for once more, or shown as is.
"""

import logging
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from app.conversation.language import language_of_text
from app.conversation.limits import timed
from app.conversation.mode import TurnContext
from app.conversation.partial_json import PartialObject
from app.conversation.steps import StepWriter
from app.conversation.structured import Structure, formats, json_in, plain_backslashes, repaired
from app.conversation.tools import with_system
from app.core.errors import BadRequest, EmptyAnswer, KonsiliumError, Unsupported
from app.core.events import StepKind
from app.core.mending import json_of
from app.core.messages import Message
from app.core.notes import Note, TitleNote
from app.core.options import TEMPERATURE, ChatOptions, Option
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


_TITLES = re.compile(
    r"title|head(?:ing|er|line)|subject|заголовок|название|тема|назва|tit(?:el|re)|título", re.I
)
_MESSAGES = re.compile(
    r"message|answer|text|content|body|response|reply|сообщение|ответ|текст|содерж(?:ание|имое)|"
    r"повідомлення|відповідь|[зв]міст|nachricht|antwort|réponse|mensaje|respuesta",
    re.I,
)


def _read_titled(value: object) -> Titled:
    found = titled_in(value)
    if found is None:
        raise ValueError('"message" is missing')
    return found


def titled_in(value: object, *, named: bool = False) -> Titled | None:
    """The title and the message in what a model wrote instead of the form: keys in another case or
    language, a wrapper around the object (a tool call's arguments, a list), paragraphs as a list.
    None where there is nothing of the kind. `named`: only by the keys, not by the shape."""
    match value:
        case str() if _is_object(value):
            try:
                return titled_in(json_of(plain_backslashes(value), strict=False), named=named)
            except ValueError:
                return None
        case list():
            return _of_list(value, named=named)
        case dict():
            return _of_object({str(k).strip(): v for k, v in value.items()}, named=named)
        case _:
            return None


def _of_object(fields: dict[str, Any], *, named: bool) -> Titled | None:
    title = next((_text(fields[key]) for key in fields if _TITLES.fullmatch(key)), None)
    message = next((fields[key] for key in fields if _MESSAGES.fullmatch(key)), None)
    if title is None:
        wrapped = (v for v in fields.values() if _is_object(v) or _holds_objects(v))
        for value in wrapped:
            found = titled_in(value, named=named)
            if found is not None:
                return found
    if message is None and title is not None and len(fields) == 2:
        others = (value for key, value in fields.items() if not _TITLES.fullmatch(key))
        message = next(others, None)
    said = _text(message)
    if said is not None and (inner := titled_in(said, named=True)):
        return one_line(title) or inner[0], inner[1]
    if said is not None:
        return one_line(title), said
    return None if named else _by_shape(list(fields.values()))


def _holds_objects(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(each, dict) for each in value)
    )


def _is_object(value: object) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("{")


def _of_list(values: list[Any], *, named: bool) -> Titled | None:
    found = [titled for value in values if (titled := titled_in(value, named=named))]
    if found:
        first, *others = found
        more = [f"**{title}**\n\n{said}" if title else said for title, said in others]
        return first[0], "\n\n".join([first[1], *more])
    return None if named else _by_shape(values)


def _by_shape(values: Sequence[object]) -> Titled | None:
    """A text alone is the message; of two, the first and shorter is its title."""
    match values:
        case [str() as only]:
            return "", only
        case [str() as first, str() as second] if len(first) <= min(
            MAX_TITLE_CHARACTERS, len(second)
        ):
            return one_line(first), second
        case _:
            return None


def _text(value: object) -> str | None:
    """A message in words, whatever it was written as; None where it has none."""
    match value:
        case str():
            return value
        case int() | float():
            return str(value)
        case list():
            parts = [_text(part) for part in value]
            return "\n\n".join(part for part in parts if part) or None
        case dict():
            if inner := titled_in(value):
                return inner[1]
            sections = {str(name): _text(each) for name, each in value.items()}
            return "\n\n".join(f"**{n}**\n\n{said}" for n, said in sections.items() if said) or None
        case _:
            return None


TITLED: Structure[Titled] = Structure(
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


_BEGINS = re.compile(
    r"(?:```[\w-]*\s*)?(?:<\w+>\s*)?\"?(?:[\[{]\s*(?:\\?[\"'“«{\[]|&quot;|//|/\*)|\{\s*\w{1,20}\s*:)"
)
_MAY_BEGIN = re.compile(
    r"(?:`{1,3}|```[\w-]*\s*)?(?:<\w*>?\s*)?\"?(?:[\[{]\s*(?:\\|&\w{0,4}|/)?|\{\s*\w{1,20}\s*)?"
)
_OPENS = re.compile(r"[`<\[{]|\"(?=\s*[\[{]|\Z)")
_LABELLED = re.compile(
    r"\s*(?:<title>(.{1,400}?)</title>\s*<message>\s*(.+?)\s*(?:</message>\s*)?"
    r"|title: ([^\n]{1,400})\n+message:[ \t]*(?:[|>][-+]?[ \t]*\n)?(.+))\Z",
    re.IGNORECASE | re.DOTALL,
)
"""The form in another notation: tags, or keys as in YAML."""
_UNDECIDED = re.compile(r"(?:^|[^\\])(?:\\\\)*(\\\w{0,14})\Z")
"""A backslash and letters at the end: what it is shows by what comes next."""
PREFACE = 200
"""Characters of plain words after which a brace is part of a plain answer."""


class Draft:
    """A structured answer while it is being written: what of it can be shown already.

    Words before the JSON are shown until it begins. What may become JSON is held back; `rest()` gives
    it at the end, where it was none.
    """

    def __init__(self, step: StepWriter) -> None:
        self.title = ""
        self._step = step
        self.forget()

    def forget(self) -> None:
        """All so far was thinking: it begins anew."""
        self.raw = ""
        self.shown = ""
        self._parser = PartialObject()
        self._packed = False
        self._held = ""
        self._json_from: int | None = None

    def visible(self, text: str) -> str:
        """The next words of the message; all words where the model does not write JSON."""
        self.raw += text
        self._held += text
        words = self._prose() if self._json_from is None else ""
        if self._json_from is not None:
            words += self._message(last=False)
        self.shown += words
        return words

    def rest(self) -> str:
        """What was held back and is no JSON, at the end."""
        if self._json_from is not None:
            words = self._message(last=True)
        else:
            words, self._held = self._held, ""
        self.shown += words
        return words

    def entitle(self, title: str) -> None:
        """The title is known; the empty one is none."""
        if title:
            self.title = title
            self._step.note(TitleNote(title))

    def _prose(self) -> str:
        """The words that are surely none of the JSON, which may begin behind them."""
        shown: list[str] = []
        while (opens := _OPENS.search(self._held)) and self.prefaced:
            before, behind = self._held[: opens.start()], self._held[opens.start() :]
            shown.append(before)
            if _BEGINS.match(behind):
                self._json_from = len(self.raw) - len(behind)
                brace = behind.find("{")
                self._held = behind[brace:] if brace >= 0 else ""
                return "".join(shown)
            self._held = behind
            if len(behind) <= PREFACE and _MAY_BEGIN.fullmatch(behind):
                return "".join(shown)
            mark = re.match(r"`+|.", behind)
            shown.append(behind[: mark.end() if mark else 1])
            self._held = behind[mark.end() if mark else 1 :]
        words, self._held = "".join(shown) + self._held, ""
        return words

    def _message(self, *, last: bool) -> str:
        text, self._held = self._held, ""
        undecided = None if last else _UNDECIDED.search(text)
        if undecided is not None:
            text, self._held = text[: undecided.start(1)], text[undecided.start(1) :]
        grown = self._parser.feed(plain_backslashes(text))
        if not self.title:
            titles = (v for k, v in self._parser.fields.items() if k.casefold() == "title")
            self.entitle(one_line(next(titles, None)))
        words = "".join(new for key, new in grown if key.casefold() == "message")
        if not self._streamed and words.lstrip().startswith("{"):
            self._packed = True  # JSON within the message: shown when it is known what it says
        if self._packed:
            return ""
        if words and self._json_from and not self._streamed:
            self._step.replace("")  # the words before it were no part of the answer
            self.shown = ""
        return words

    @property
    def _streamed(self) -> bool:
        """Whether some of the message has been shown."""
        return self.shown != self.raw[: self._json_from]

    @property
    def prefaced(self) -> bool:
        """Whether JSON that begins here may still be the answer."""
        return len(self.raw) - len(self._held) <= PREFACE

    @property
    def plain(self) -> bool:
        """The model answers in words instead of JSON."""
        return self._json_from is None

    @property
    def written(self) -> str:
        """The JSON, from where it begins."""
        return self.raw[self._json_from or 0 :]

    @property
    def begun_by_words(self) -> bool:
        """Words stand before the JSON."""
        return bool(self.raw[: self._json_from or 0].strip())

    @property
    def whole(self) -> bool:
        """What was shown is the message, complete."""
        fields = {key.casefold(): value for key, value in self._parser.fields.items()}
        return self._parser.state == "complete" and fields.get("message") == self.shown


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
        return timed(turn.call(turn.model, request, step), deadline)

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
    rule = f"{TITLED.rule(language)}\n{ABOUT[language]}"
    request = replace(request, messages=with_system(request.messages, rule))
    # a form that the server enforces leaves no room for calls of tools
    forms = (None,) if turn.tools is not None else formats(profile, TITLED.schema)
    for form in forms:
        draft = Draft(step)
        try:
            await step.stream(
                call(replace(request, response_format=form)), draft.visible, draft.forget
            )
            break
        except (BadRequest, Unsupported):
            if draft.raw or form is None:
                raise
    if rest := draft.rest():
        step.write(rest)
    if draft.plain and (labelled := _LABELLED.match(draft.raw)):
        title, message = (part for part in labelled.groups() if part is not None)
        step.replace(textwrap.dedent(message).strip())
        draft.entitle(one_line(title))
    elif _needs_mending(draft, step.finish_reason):
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
    if draft.begun_by_words:  # the words may speak of some JSON, which is then no answer of ours
        try:
            found = titled_in(json_in(draft.written), named=True)
        except ValueError:
            found = None
        return found or ("", draft.raw)
    try:
        return _read_titled(json_in(draft.written))
    except ValueError as broken:
        profile = turn.models.profile(turn.model)
        try:
            return await repaired(call, profile, request, TITLED, language, draft.raw, broken)
        except KonsiliumError as error:
            log.info("turn %s: shown as it is: %s", turn.request.turn_id, error.detail)
            return "", draft.shown or draft.raw


def sampling_of(options: ChatOptions) -> Sampling:
    """The sampling a person chose in the panel; what was left as it was is the model's own affair."""
    temperature, top_p = options.number("temperature"), options.number("top_p")
    return Sampling(
        temperature=None if temperature == TEMPERATURE else temperature,
        top_p=None if top_p in (0, 1) else top_p,
        max_tokens=int(options.number("max_tokens")) or None,
        seed=int(options.number("seed")) or None,
    )


def limit_of(options: ChatOptions, own: Option) -> int:
    """The most tokens of one of several answers (a specialist's, a member's, a dialogue's line), by `own`;
    while that stands untouched, no more than the person gives any answer. 0 is no limit."""
    apart, whole = int(options.number(own.id)), int(options.number("max_tokens"))
    return min(apart or whole, whole) if whole and apart == own.default else apart
