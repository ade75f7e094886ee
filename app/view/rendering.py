"""A stored step as Chainlit draws it: a `StepDict` and the elements that hang on it.

The same functions draw a step while it is written and when its thread is opened again, in the
language of whoever looks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

from app.conversation.modes import NOTES
from app.conversation.modes.compare.notes import ComparisonNote, names_hidden
from app.core.events import PARTS, StepKind
from app.core.notes import CitationsNote
from app.core.text import Language, Text
from app.core.threads import StoredThread
from app.core.turns import StepRecord
from app.core.usage import Outcome
from app.view import citations
from app.view.avatars import avatar_name
from app.view.chainlit.dicts import ElementDict, StepDict, stamp
from app.view.errors import advice_for

APP_NAME = "Konsilium"

REASONING = Text(ru="Размышления", uk="Роздуми", en="Thinking")
WITHHELD = Text(
    ru="Найденное видит только тот, чей это разговор.",
    uk="Знайдене бачить лише той, чия це розмова.",
    en="Only the owner of this conversation sees what was found.",
)
_PRIVATE = ("search_knowledge", "search_chats")
"""Tools whose results may come from what only the asking person may read."""


_MEASURED = (StepKind.ANSWER, *PARTS)
"""Steps with their numbers under them."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the browser is sent for one step."""

    step: StepDict
    elements: tuple[ElementDict, ...] = ()


def draw(
    record: StepRecord,
    language: Language,
    *,
    own: bool = True,
    ollama: frozenset[str] = frozenset(),
) -> Drawing:
    """The step in `language`, for whose conversation it is or for who reads a shared one. `ollama` names
    the servers whose start command we know."""
    step = _step(record, language, own)
    if facts := record.metadata.get("error"):
        return Drawing(step, (_error_card(record, facts, language, ollama),))
    return Drawing(step, tuple(_notes(record, language, own)))


def _notes(record: StepRecord, language: Language, own: bool) -> Iterator[ElementDict]:
    """What hangs on a step: each kind of note of `metadata` has its element."""

    def card(name: str, props: Mapping[str, Any]) -> ElementDict:
        common = {
            "lang": language,
            "turn_id": record.turn_id,
            "step_id": record.id,
        }
        return element(record.id, record.thread_id, name, common | dict(props))

    notes = record.metadata
    for note in NOTES:
        if note.element and record.kind in note.steps and (facts := notes.get(note.key)):
            ended = {"outcome": record.outcome.value} if note.resumable else {}
            yield card(note.element, {**note.drawn(facts), **note.props, **ended})
    cited = CitationsNote.about(notes, record.output)
    if cited is not None and record.kind in cited.steps and not _compares(record):
        yield card("Sources", citations.listed(cited, own))
    if record.kind == StepKind.TOOL:  # as text: what a tool says is never read as Markdown
        note = notes.get("tool", {})
        hidden = not own and note.get("id") in _PRIVATE
        output = WITHHELD[language] if hidden else record.output
        told = {"input": record.input, "output": output, "outcome": record.outcome}
        yield card("ToolCall", {**note, **told})
    if record.kind in _MEASURED and not names_hidden(notes) and (entry := notes.get("metrics")):
        yield card("MetricsCard", {"entry": entry, "compact": record.kind != StepKind.ANSWER})


def _step(record: StepRecord, language: Language, own: bool) -> StepDict:
    running = record.outcome is Outcome.RUNNING
    name = REASONING[language] if record.kind == StepKind.REASONING else record.name
    metadata = {key: record.metadata[key] for key in ("favorite", "icon") if key in record.metadata}
    metadata["avatarName"] = _avatar(record)
    told = record.kind == StepKind.TOOL or _compares(record)
    output = "" if told else record.output  # an element shows it
    speechless = record.kind in PARTS and "error" in record.metadata and not record.output.strip()
    if record.kind in CitationsNote.steps and (
        cited := CitationsNote.about(record.metadata, output)
    ):
        output = citations.marked(output, cited, language, own)
    if record.kind == StepKind.ANSWER and (title := record.metadata.get("title")):
        output = f"## {title}\n\n{output}"
    if speaker := record.metadata.get("participant"):
        output = f"**{speaker['name']}**\n\n{output}"
    return cast(
        StepDict,
        {
            "id": record.id,
            "threadId": record.thread_id,
            "parentId": None if record.kind == "question" else record.parent_id,
            "type": record.type,
            "name": name or APP_NAME,
            # the page unfolds only what has some text; a tool and an error are drawn by their elements
            "input": " " if record.kind == StepKind.TOOL or speechless else record.input,
            "output": output,
            "metadata": metadata,
            "streaming": False,
            "isError": record.is_error,
            "createdAt": stamp(record.created_at),
            "start": stamp(record.created_at),
            "end": None if running else stamp(record.ended_at or record.created_at),
            "showInput": False,
            "defaultOpen": record.open,
            "autoCollapse": record.kind == StepKind.REASONING,
            "modes": dict(record.modes) if record.modes else None,
            "tags": None,
            "language": None,
            "generation": None,
            "command": None,
            "waitForAnswer": False,
        },
    )


def _compares(record: StepRecord) -> bool:
    """Whether its words stand in columns, and what belongs to them there too."""
    return ComparisonNote.key in record.metadata


def _avatar(record: StepRecord) -> str:
    if record.kind == StepKind.REASONING:
        return "thinking"
    if record.kind in (StepKind.PLAN, StepKind.GROUP, StepKind.TOOL):  # of the council as a whole
        return APP_NAME
    if _compares(record):
        return APP_NAME
    named = record.metadata.get("avatar")
    speaker = record.metadata.get("participant") or {}
    name = named if isinstance(named, str) else record.name or APP_NAME
    return avatar_name(name, speaker.get("number"))


def arrows(stored: StoredThread, language: Language) -> Iterator[ElementDict]:
    """The arrows to the siblings of each question and turn of the branch: under the question, under
    the turn's last message, and under its question while it has none."""
    kinds = {step.id: step.kind for step in stored.steps}
    parents = {step.id: step.parent_id for step in stored.steps}
    said = {s.parent_id: s.id for s in stored.steps if s.kind in (StepKind.ANSWER, StepKind.NOTICE)}
    common = element("", stored.thread.id, "Siblings", {})
    for node, ids in stored.forks.items():
        if node in kinds:
            answer = kinds[node] == "turn"
            place = said.get(node, parents[node]) if answer else node
            versions = {"thread": stored.thread.id, "node": node, "ids": list(ids)}
            props = {**versions, "lang": language, "answer": answer}
            yield cast(
                ElementDict, {**common, "id": f"siblings-{node}", "forId": place, "props": props}
            )


def element(
    record_id: str, thread_id: str, name: str, props: Mapping[str, Any], *, key: str = ""
) -> ElementDict:
    """A custom element on a step. Its id follows from the step's, so drawing again replaces it."""
    return cast(
        ElementDict,
        {
            "id": str(uuid5(NAMESPACE_URL, f"{record_id}/{name}{key}")),
            "threadId": thread_id,
            "forId": record_id,
            "type": "custom",
            "name": name,
            "display": "inline",
            "props": dict(props),
            "url": None,
            "chainlitKey": None,
            "objectKey": None,
            "size": None,
            "page": None,
            "language": None,
            "mime": "application/json",
        },
    )


def _error_card(
    record: StepRecord, facts: Mapping[str, Any], language: Language, ollama: frozenset[str]
) -> ElementDict:
    named = facts.get("server")
    props = advice_for(facts, language, ollama=named in ollama if named else bool(ollama))
    again = (
        {"retry": False, "actions": []} if record.kind in PARTS else {}
    )  # only the whole question is asked again
    about = {name: facts.get(name) for name in ("code", "server", "model")}
    about["model"] = about["model"] or facts.get("facts", {}).get("model")
    common = {"lang": language, "turn_id": record.turn_id}
    return element(record.id, record.thread_id, "ErrorCard", common | about | props | again)
