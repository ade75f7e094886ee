"""A thread to take along: Markdown to read, JSON to work with."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.core.events import StepKind
from app.core.notes import CitationsNote, CitedSource, Mark, TitleNote
from app.core.text import Language, Text
from app.core.threads import StoredThread, title_of
from app.core.turns import StepRecord
from app.core.usage import Outcome

UNNAMED = Text(ru="Разговор", uk="Розмова", en="Conversation")
YOU = Text(ru="Вы", uk="Ви", en="You")
THINKING = Text(ru="Размышления", uk="Роздуми", en="Thinking")
FILES = Text(ru="Файлы", uk="Файли", en="Files")
UNFINISHED = Text(
    ru="Ответ не закончен.", uk="Відповідь не закінчено.", en="The answer is unfinished."
)

ANOTHER = Text(
    ru="Другой ответ на вопрос", uk="Інша відповідь на запитання", en="Another answer to"
)
AFTER = Text(
    ru="Другая ветвь, после вопроса", uk="Інша гілка, після запитання", en="Another branch, after"
)
ANEW = Text(ru="Другое начало", uk="Інший початок", en="Another beginning")

_SAID = ("question", StepKind.QUESTION, StepKind.ANSWER)
_HIDDEN = ("turn", StepKind.NOTICE)
_UNFINISHED = (Outcome.STOPPED, Outcome.FAILED, Outcome.INTERRUPTED)


def as_markdown(stored: StoredThread, language: Language) -> str:
    """What was said, message by message; how an answer came about is folded away before it. Where the
    words of several branches are there, a line says where each goes off."""
    thread = stored.thread
    title = thread.title or UNNAMED[language]
    parts = [f"# {title}", f"*{_day(thread.created_at)} — {_day(thread.active_at)}*"]
    files = _files_by_step(stored)
    children = _children(stored.steps)
    shown = {step.id for step in stored.steps if step.kind in _SAID}
    folded = {step.id for step in stored.steps if step.kind not in (*_SAID, *_HIDDEN)}
    nodes = {step.id: step for step in stored.steps if step.kind in ("question", "turn")}
    end: str | None = None
    for step in stored.steps:
        if step.id in nodes:
            if end is not None and step.parent_id != end:
                parts.append(_forked(step, nodes, language))
            end = step.id
        if step.kind in _SAID:
            parts += _message(step, files.get(step.id, ()), language)
        elif step.id in folded and step.parent_id not in folded:
            parts.append(_folded(step, children, shown, language))
    return "\n\n".join(parts) + "\n"


def as_json(stored: StoredThread) -> str:
    """Everything that is kept of the thread, as one JSON document."""
    thread = stored.thread
    document = {
        "id": thread.id,
        "title": thread.title,
        "created_at": thread.created_at.isoformat(),
        "active_at": thread.active_at.isoformat(),
        "leaf_id": thread.leaf_id,
        "settings": thread.metadata.get("chat_settings"),
        "project": thread.project,
        "steps": [_step(step) for step in stored.steps],
        "files": [
            {"id": e.id, "step_id": e.step_id, "name": e.name, "mime": e.mime, "url": e.url}
            for e in stored.elements
        ],
        "feedback": [
            {"step_id": f.step_id, "value": f.value, "comment": f.comment} for f in stored.feedback
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _forked(step: StepRecord, nodes: Mapping[str, StepRecord], language: Language) -> str:
    """What a branch is: another version of a question, another answer, or what is said after one."""
    if step.kind == "turn":
        asked = nodes.get(step.parent_id or "")
        return f"---\n\n*{ANOTHER[language]} «{title_of(asked.output) if asked else '…'}»*"
    turn = nodes.get(step.parent_id or "")
    asked = nodes.get(turn.parent_id or "") if turn else None
    if asked is None:
        return f"---\n\n*{ANEW[language]}*"
    return f"---\n\n*{AFTER[language]} «{title_of(asked.output)}»*"


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "id": step.id,
        "parent_id": step.parent_id,
        "turn_id": step.turn_id,
        "kind": str(step.kind),
        "name": step.name,
        "input": step.input,
        "output": step.output,
        "metadata": dict(step.metadata),
        "outcome": step.outcome.value,
        "created_at": step.created_at.isoformat(),
        "ended_at": step.ended_at.isoformat() if step.ended_at else None,
    }


def _message(step: StepRecord, files: Sequence[str], language: Language) -> list[str]:
    said = step.kind == StepKind.ANSWER
    parts = [f"## {step.name if said else step.name or YOU[language]}"]
    if title := TitleNote.of(step.metadata):
        parts.append(f"### {title.title}")
    if step.output:
        parts.append(_footnoted(step, language))
    if files:
        parts.append(f"{FILES[language]}: {', '.join(files)}")
    if said and step.outcome in _UNFINISHED:
        parts.append(f"*{UNFINISHED[language]}*")
    return parts


NOT_FOUND = Text(
    ru="в источнике не найдено", uk="у джерелі не знайдено", en="not found in the source"
)
OTHERWISE = Text(
    ru="в источнике иначе: «{words}»",
    uk="у джерелі інакше: «{words}»",
    en="the source says “{words}”",
)
OPEN = Text(
    ru="в источнике другими словами, если оно там есть: сверьте",
    uk="у джерелі іншими словами, якщо воно там є: звірте",
    en="in other words in the source, if at all: compare them",
)
PAGE = Text(ru="с. {page}", uk="с. {page}", en="p. {page}")


def source_name(source: CitedSource, language: Language) -> str:
    """A source in a line: its title, and where in it or when."""
    page = PAGE.format(page=source.page)[language] if source.page else ""
    parts = (source.title, page, source.heading, source.site, source.date, source.url)
    return ", ".join(filter(None, parts))


def _footnoted(step: StepRecord, language: Language) -> str:
    """The words of a step; its citations are footnotes, those that do not hold struck through."""
    known = step.kind in CitationsNote.steps
    cited = CitationsNote.about(step.metadata, step.output) if known else None
    if cited is None:
        return step.output
    name = step.id[:8]

    def mark(one: Mark) -> str:
        if one.holds or one.open:
            doubt = f" *({OPEN[language]})*" if one.open else ""
            return f"[^{name}-{one.number}]{doubt}"
        return f"~~[{one.number}]~~ *({why_struck(one, language)})*"

    text = with_marks(step.output, cited, mark)
    notes = []
    for source in cited.sources:
        if source.cited:
            quoted = " ".join(source.text.split())
            told = f": «{quoted}»" if quoted else ""
            notes.append(f"[^{name}-{source.number}]: {source_name(source, language)}{told}")
    return "\n\n".join([text, "\n".join(notes)] if notes else [text])


def why_struck(mark: Mark, language: Language) -> str:
    """What stands behind a citation that does not hold; of a source's own words nothing is Markdown."""
    if not mark.words:
        return NOT_FOUND[language]
    return OTHERWISE.format(words=as_plain(mark.words))[language]


def as_plain(text: str) -> str:
    """A text of somebody else's in a line of Markdown, no longer than a sentence or two: it stands there as
    it is."""
    line = " ".join(text.split())
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST].rstrip()}…"
    return _MARKUP.sub(r"\\\g<0>", line)


_LONGEST = 240
_MARKUP = re.compile(r"[!-/:-@\[-`{-~]")


def with_marks(
    text: str,
    cited: CitationsNote,
    mark: Callable[[Mark], str],
    figure: Callable[[str], str] | None = None,
) -> str:
    """The text with each citation as `mark` writes it, and each number that is in no source as `figure`
    does."""
    spans: dict[tuple[int, int], str] = {}
    for one in cited.marks:
        at = (one.start, one.end)
        before = spans.get(at, "")
        spans[at] = f"{before} {mark(one)}".strip()
    for start, end in cited.unsourced if figure else ():
        spans[start, end] = figure(text[start:end]) if figure else ""
    for (start, end), written in sorted(spans.items(), reverse=True):
        text = f"{text[:start]}{written}{text[end:]}"
    return text


def _folded(
    step: StepRecord,
    children: Mapping[str | None, Sequence[StepRecord]],
    shown: set[str],
    language: Language,
) -> str:
    """A step and all below it, in HTML that Markdown readers fold."""
    name = THINKING[language] if step.kind == StepKind.REASONING else step.name
    inner = [text for text in (step.input, _footnoted(step, language)) if text]
    if step.kind == StepKind.TOOL:  # data, whatever it looks like
        inner = [_as_code(text) for text in inner]
    inner += [
        _folded(child, children, shown, language)
        for child in children.get(step.id, ())
        if child.id not in shown
    ]
    body = "\n\n".join(inner)
    return f"<details>\n<summary>{_escaped(name)}</summary>\n\n{body}\n\n</details>"


def _children(steps: Sequence[StepRecord]) -> dict[str | None, list[StepRecord]]:
    below: dict[str | None, list[StepRecord]] = {}
    for step in steps:
        below.setdefault(step.parent_id, []).append(step)
    return below


def _files_by_step(stored: StoredThread) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for element in stored.elements:
        if element.step_id is not None and element.type != "custom":
            names.setdefault(element.step_id, []).append(element.name)
    return names


def _as_code(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
