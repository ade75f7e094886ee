"""Conversations of other programs, read from their exports: ChatGPT's, Open WebUI's, LibreChat's, and
our own JSON. Pure; a file that is none of these, or is damaged, is refused, not guessed at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from app.core.errors import BadRequest
from app.core.events import StepKind
from app.core.turns import StepRecord, now

Role = Literal["user", "assistant"]
MAX_MESSAGES = 100_000
"""Of one conversation; more is no export of a person's."""
MAX_CHARACTERS = 4_000_000
"""Of one message."""


class HistoryRefused(BadRequest):
    """A file that holds no conversations that can be read; the detail says where."""


@dataclass(frozen=True, slots=True)
class ArrivingMessage:
    """One message as another program kept it."""

    id: str
    parent_id: str | None
    role: Role | None
    """None: neither a person's nor a model's (system, tools): what follows it follows its parent."""
    text: str = ""
    model: str = ""
    at: datetime | None = None
    attachments: tuple[str, ...] = ()
    """Names of files that are not in the export."""


@dataclass(frozen=True, slots=True)
class ArrivingThread:
    """One conversation as another program kept it."""

    source: str
    id: str
    title: str
    created_at: datetime
    active_at: datetime
    messages: Mapping[str, ArrivingMessage]
    leaf_id: str | None = None

    @property
    def said(self) -> tuple[ArrivingMessage, ...]:
        """What people and models said, each after what it follows; parents are among these."""
        return _in_order(self.messages)

    @property
    def branches(self) -> int:
        """How many ends the conversation has."""
        said = self.said
        return len({one.id for one in said} - {one.parent_id for one in said})


@dataclass(frozen=True, slots=True)
class ArrivedThread:
    """The same as it is stored here."""

    id: str
    title: str
    created_at: datetime
    active_at: datetime
    steps: tuple[StepRecord, ...]
    leaf_id: str | None
    source: str = field(default="")


def read_histories(document: Any) -> tuple[ArrivingThread, ...]:
    """The conversations of an export, already parsed from JSON. Raises HistoryRefused."""
    entries = document if isinstance(document, list) else [document]
    if not entries:
        raise HistoryRefused("the file is empty")
    threads = []
    for number, entry in enumerate(entries, 1):
        try:
            threads.append(_thread(entry))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise HistoryRefused(f"conversation {number}: {type(error).__name__}") from error
    return tuple(threads)


def arrived(thread: ArrivingThread, user_id: str, author: str) -> ArrivedThread:
    """The conversation as steps of ours. Ids follow from the user's and the source's, so that what comes
    twice is the same."""
    seed = f"{user_id}/{thread.source}/{thread.id}"
    thread_id = _id(seed)
    turns: dict[str, str] = {}  # the turn that holds a message, by the message's id
    steps: list[StepRecord] = []

    def add(
        kind: Any, key: str, *, parent: str | None, turn: str, at: datetime, **fields: Any
    ) -> str:
        types = {"question": "user_message", "turn": "run"}
        step_id = _id(f"{seed}/{key}/{kind}")
        step = StepRecord(
            step_id,
            thread_id,
            types.get(kind, "assistant_message"),
            fields.pop("name", author),
            kind,
            turn_id=turn,
            parent_id=parent,
            created_at=at,
            ended_at=at,
            **fields,
        )
        steps.append(step)
        return step_id

    def answered(key: str, question: str, at: datetime) -> str:
        turn = _id(f"{seed}/{key}/turn")
        add("turn", key, parent=question, turn=turn, at=at, name="on_message")
        return turn

    questions: dict[str, str] = {}
    unanswered: dict[str, str] = {}
    by_id = {one.id: one for one in thread.said}
    for message in by_id.values():
        at = message.at or thread.created_at
        before = by_id.get(message.parent_id or "")
        if message.role == "user":
            follows = turns.get(before.id) if before else None
            if before and before.role == "user":  # two in a row: nobody answered the first
                if before.id not in unanswered:
                    unanswered[before.id] = answered(f"{before.id}/none", questions[before.id], at)
                follows = unanswered[before.id]
            turn = _id(f"{seed}/{message.id}/turn")
            questions[message.id] = add(
                "question", message.id, parent=follows, turn=turn, at=at, output=_text(message)
            )
            continue
        if before and before.role == "assistant":  # it went on
            turn = turns[before.id]
        elif before:
            turn = answered(message.id, questions[before.id], at)
        else:  # a model began
            opening = add("question", f"{message.id}/none", parent=None, turn="", at=at, output="…")
            turn = answered(message.id, opening, at)
        turns[message.id] = turn
        name = message.model or thread.source
        add(
            StepKind.ANSWER,
            message.id,
            parent=turn,
            turn=turn,
            at=at,
            output=_text(message),
            name=name,
        )
    for id, question in questions.items():
        if not any(s.kind == "turn" and s.parent_id == question for s in steps):
            unanswered[id] = answered(f"{id}/none", question, by_id[id].at or thread.created_at)
    nodes = turns | unanswered
    leaf = next((nodes[id] for id in _upwards(thread, by_id) if id in nodes), None)
    runs = {step.parent_id: step.id for step in reversed(steps) if step.kind == "turn"}
    whole = tuple(
        replace(s, turn_id=runs.get(s.id, s.turn_id)) if s.kind == "question" else s for s in steps
    )
    title = " ".join(thread.title.split())[:200]
    return ArrivedThread(
        thread_id, title, thread.created_at, thread.active_at, whole, leaf, thread.source
    )


def _upwards(thread: ArrivingThread, said: Mapping[str, ArrivingMessage]) -> Iterator[str]:
    """The leaf, or the last that was said, and what it follows."""
    at: str | None = thread.leaf_id if thread.leaf_id in thread.messages else None
    at = at or next(reversed(list(said)), None)
    seen: set[str] = set()
    while at is not None and at not in seen and (message := thread.messages.get(at)) is not None:
        seen.add(at)
        yield at
        at = message.parent_id


def _text(message: ArrivingMessage) -> str:
    files = "\n".join(f"📎 {name}" for name in message.attachments)
    return "\n\n".join(part for part in (message.text, files) if part)


def _id(seed: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"konsilium-import/{seed}"))


def _in_order(messages: Mapping[str, ArrivingMessage]) -> tuple[ArrivingMessage, ...]:
    """What was said, parents first; what hangs in a ring has no beginning, and is left out."""
    children: dict[str | None, list[ArrivingMessage]] = {}
    for message in messages.values():
        parent = message.parent_id if message.parent_id in messages else None
        children.setdefault(parent, []).append(message)
    said: list[ArrivingMessage] = []
    waiting: list[tuple[ArrivingMessage, str | None]] = [
        (m, None) for m in reversed(children.get(None, []))
    ]
    while waiting:
        message, parent = waiting.pop()
        counts = message.role is not None and bool(_text(message))
        if counts:
            said.append(replace(message, parent_id=parent))
        below = message.id if counts else parent
        waiting += [(child, below) for child in reversed(children.get(message.id, []))]
    return tuple(said)


# -- formats ---------------------------------------------------------------------------------------


def _thread(entry: Mapping[str, Any]) -> ArrivingThread:
    if "mapping" in entry:
        return _chatgpt(entry)
    if "chat" in entry:
        return _open_webui(entry)
    if "conversationId" in entry and "messages" in entry:
        return _librechat(entry)
    if ("steps" in entry and "leaf_id" in entry) or ("steps" in entry and "active_at" in entry):
        return _ours(entry)
    raise KeyError("none of the known formats")


def _chatgpt(entry: Mapping[str, Any]) -> ArrivingThread:
    messages = {}
    for id, node in _bounded(dict(entry["mapping"]).items()):
        message = node.get("message") or {}
        content = message.get("content") or {}
        role = (message.get("author") or {}).get("role")
        spoken = content.get("content_type") in ("text", "multimodal_text")
        facts = message.get("metadata") or {}
        hidden = facts.get("is_visually_hidden_from_conversation") is True
        parts = content.get("parts") or []
        messages[str(id)] = ArrivingMessage(
            str(id),
            _optional(node.get("parent")),
            role if role in ("user", "assistant") and spoken and not hidden else None,
            _cut("\n".join(part for part in parts if isinstance(part, str))),
            str(facts.get("model_slug") or ""),
            _moment(message.get("create_time")),
            tuple(str(file.get("name", "")) for file in facts.get("attachments") or ()),
        )
    id = entry.get("conversation_id") or entry["id"]
    created = _moment(entry.get("create_time")) or now()
    return ArrivingThread(
        "ChatGPT",
        str(id),
        str(entry.get("title") or ""),
        created,
        _moment(entry.get("update_time")) or created,
        messages,
        _optional(entry.get("current_node")),
    )


def _open_webui(entry: Mapping[str, Any]) -> ArrivingThread:
    chat = entry["chat"]
    history = chat.get("history") or {}
    kept = history.get("messages") or {str(m["id"]): m for m in chat.get("messages") or ()}
    messages = {}
    for id, message in _bounded(dict(kept).items()):
        role = message.get("role")
        messages[str(id)] = ArrivingMessage(
            str(id),
            _optional(message.get("parentId")),
            role if role in ("user", "assistant") else None,
            _cut(_words(message.get("content"))),
            str(message.get("model") or ""),
            _moment(message.get("timestamp")),
            tuple(_file(file) for file in message.get("files") or ()),
        )
    created = _moment(entry.get("created_at") or chat.get("timestamp")) or now()
    return ArrivingThread(
        "Open WebUI",
        str(entry["id"]),
        str(entry.get("title") or chat.get("title") or ""),
        created,
        _moment(entry.get("updated_at")) or created,
        messages,
        _optional(history.get("currentId")),
    )


def _librechat(entry: Mapping[str, Any]) -> ArrivingThread:
    messages: dict[str, ArrivingMessage] = {}
    waiting: list[tuple[Mapping[str, Any], str | None]] = [
        (m, None) for m in reversed(entry["messages"])
    ]
    while waiting:
        message, above = waiting.pop()
        id = str(message["messageId"])
        parent = _optional(message.get("parentMessageId")) or above
        if id in messages:
            continue
        if len(messages) >= MAX_MESSAGES:
            raise ValueError("too many messages")
        messages[id] = ArrivingMessage(
            id,
            parent,
            "user" if message.get("isCreatedByUser") else "assistant",
            _cut(str(message.get("text") or "") or _words(message.get("content"))),
            ""
            if message.get("isCreatedByUser")
            else str(message.get("model") or message.get("sender") or ""),
            _moment(message.get("createdAt")),
            tuple(_file(file) for file in message.get("files") or ()),
        )
        waiting += [(child, id) for child in reversed(message.get("children") or ())]
    times = [one.at for one in messages.values() if one.at]
    at = _moment(entry.get("exportAt")) or now()
    return ArrivingThread(
        "LibreChat",
        str(entry["conversationId"]),
        str(entry.get("title") or ""),
        min(times, default=at),
        max(times, default=at),
        messages,
    )


def _ours(entry: Mapping[str, Any]) -> ArrivingThread:
    steps = {str(step["id"]): step for step in entry["steps"]}
    files: dict[str, list[str]] = {}
    for file in entry.get("files") or ():
        files.setdefault(str(file.get("step_id")), []).append(str(file.get("name", "")))
    messages: dict[str, ArrivingMessage] = {}
    last: str | None = None  # of before there were branches, in the order of the file
    branched = "leaf_id" in entry
    for id, step in _bounded(steps.items()):
        kind = step["kind"]
        role: Role | None = "user" if kind in ("question", "interjection") else None
        role = "assistant" if kind == "answer" else role
        parent = _optional(step.get("parent_id"))
        if not branched and kind == "question":
            parent = last
        messages[id] = ArrivingMessage(
            id,
            parent,
            role,
            _cut(str(step.get("output") or "")) if role else "",
            str(step.get("name") or "") if role == "assistant" else "",
            _moment(step.get("created_at")),
            tuple(files.get(id, ())) if role else (),
        )
        last = id if kind in ("question", "answer") else last
    _follow_answers(messages, steps)
    leaf = _optional(entry.get("leaf_id"))
    answers = [
        id for id, step in steps.items() if step["kind"] == "answer" and step.get("turn_id") == leaf
    ]
    created = _moment(entry.get("created_at")) or now()
    return ArrivingThread(
        "Konsilium",
        str(entry["id"]),
        str(entry.get("title") or ""),
        created,
        _moment(entry.get("active_at")) or created,
        messages,
        answers[-1] if answers else leaf,
    )


def _follow_answers(
    messages: dict[str, ArrivingMessage], steps: Mapping[str, Mapping[str, Any]]
) -> None:
    """Within a turn the messages follow each other, and a question the last of the turn before it."""
    last: dict[str, str] = {}
    for id, message in messages.items():
        turn = str(steps[id].get("turn_id") or "")
        if message.role is not None and steps[id]["kind"] != "question":
            if turn in last:
                messages[id] = replace(message, parent_id=last[turn])
            else:
                messages[id] = replace(message, parent_id=turn)
            last[turn] = id
    for id, message in messages.items():
        if steps[id]["kind"] == "question" and message.parent_id in last:
            messages[id] = replace(message, parent_id=last[message.parent_id])


def _bounded(items: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, (id, item) in enumerate(items):
        if number >= MAX_MESSAGES:
            raise ValueError("too many messages")
        yield str(id), item


def _words(content: Any) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content if isinstance(content, list) else ()
    texts = (p.get("text") for p in parts if isinstance(p, Mapping) and p.get("type") == "text")
    return "\n".join(
        text if isinstance(text, str) else str((text or {}).get("value", "")) for text in texts
    )


def _file(file: Any) -> str:
    known = file if isinstance(file, Mapping) else {}
    return str(known.get("name") or known.get("filename") or "?")


def _cut(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise ValueError("a message that is too long")
    return text


def _optional(id: Any) -> str | None:
    return None if id in (None, "", "00000000-0000-0000-0000-000000000000") else str(id)


def _moment(value: Any) -> datetime | None:
    """Seconds, milliseconds or nanoseconds since 1970, or ISO 8601; None where it is none of these."""
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return None
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    seconds = float(value)
    while seconds > 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC)
