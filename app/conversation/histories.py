"""Conversations of other programs as values, and as the steps that they become here. Pure; how each
program writes them is `history_formats`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Literal
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from app.core.errors import BadRequest
from app.core.events import StepKind
from app.core.turns import StepRecord

Role = Literal["user", "assistant"]


Refusal = Literal["empty", "format", "damaged", "json", "zip", "member", "bytes", "memory"]


class HistoryRefused(BadRequest):
    """A file that holds no conversations that can be read; `place`: the number of the first of which that
    is so, or the megabytes that it may have."""

    def __init__(self, reason: Refusal, place: object = "") -> None:
        super().__init__(f"{reason} {place}".rstrip())
        self.reason: Refusal = reason
        self.place = str(place)


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """One message as another program kept it."""

    id: str
    parent_id: str | None
    role: Role | None
    """None: neither a person's nor a model's (system, tools): what follows it follows its parent."""
    text: str = ""
    thinking: str = ""
    """What the model thought before it."""
    model: str = ""
    at: datetime | None = None
    attachments: tuple[str, ...] = ()
    """Names of files that are not in the export."""

    @property
    def whole(self) -> str:
        """Its words, and the names of its files below them."""
        files = "\n".join(f"📎 {name}" for name in self.attachments)
        return "\n\n".join(part for part in (self.text, files) if part)


@dataclass(frozen=True)
class ExportedThread:
    """One conversation as another program kept it."""

    source: str
    id: str
    title: str
    created_at: datetime
    active_at: datetime
    messages: Mapping[str, ExportedMessage]
    leaf_id: str | None = None
    archived: bool = False
    project: str = ""
    """How the project is called that it was in."""

    @cached_property
    def said(self) -> tuple[ExportedMessage, ...]:
        """What people and models said, each after what it follows; parents are among these."""
        return _in_order(self.messages)

    @property
    def branches(self) -> int:
        """How many ends the conversation has."""
        said = self.said
        return len({one.id for one in said} - {one.parent_id for one in said})

    def with_more(self, other: "ExportedThread") -> "ExportedThread":
        """What a file holds of one conversation in two places."""
        return replace(
            self,
            active_at=max(self.active_at, other.active_at),
            messages={**self.messages, **other.messages},
            leaf_id=other.leaf_id or self.leaf_id,
        )


@dataclass(frozen=True, slots=True)
class ImportedThread:
    """The same as it is stored here."""

    id: str
    title: str
    created_at: datetime
    active_at: datetime
    steps: tuple[StepRecord, ...]
    leaf_id: str | None
    source: str
    source_id: str
    """Its id there: one of ours may be here under it."""
    archived: bool = False
    project: str = ""


def imported(thread: ExportedThread, user_id: str, author: str) -> ImportedThread:
    """The conversation as steps of ours. Ids follow from the user's and the source's, so that what comes
    twice is the same."""
    writing = _Writing(thread, user_id, author)
    for message in thread.said:
        writing.add(message)
    writing.end()
    return ImportedThread(
        writing.thread_id,
        thread.title,
        thread.created_at,
        thread.active_at,
        writing.finished(),
        writing.leaf(),
        thread.source,
        thread.id,
        thread.archived,
        thread.project,
    )


class _Writing:
    """The steps of one conversation, as they are made, parents first."""

    def __init__(self, thread: ExportedThread, user_id: str, author: str) -> None:
        self._seed = f"{user_id}/{thread.source}/{_key(thread.id)}"
        self.thread_id = _id(self._seed)
        self._thread = thread
        self._author = author
        self._said = {one.id: one for one in thread.said}
        self._steps: list[StepRecord] = []
        # By the ids of messages:
        self._questions: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        """The turn that an answer is of."""
        self._unanswered: dict[str, str] = {}
        """The turn without an answer that follows a question."""

    def add(self, message: ExportedMessage) -> None:
        """A message whose parent is there already."""
        before = self._said.get(message.parent_id or "")
        key = _key(message.id)
        if message.role == "user":
            follows = self._answers.get(before.id) if before else None
            if before and before.role == "user":  # two in a row: nobody answered the first
                follows = self._without_answer(before)
            self._questions[message.id] = self._question(key, follows, message, message.whole)
            return
        if before and before.role == "assistant":  # it went on
            turn = self._answers[before.id]
        elif before:
            turn = self._turn(key, self._questions[before.id], message)
        else:  # a model began
            opening = self._question(f"{key}/none", None, message, "…")
            turn = self._turn(key, opening, message)
        self._answers[message.id] = turn
        if message.thinking:
            self._part(StepKind.REASONING, key, turn, message, message.thinking)
        if message.whole:
            self._part(StepKind.ANSWER, key, turn, message, message.whole)

    def end(self) -> None:
        """Questions that nobody answered have a turn, too."""
        answered = {step.parent_id for step in self._steps if step.kind == "turn"}
        for id, question in self._questions.items():
            if question not in answered:
                self._without_answer(self._said[id])

    def leaf(self) -> str | None:
        """Through what the branch goes that was shown; the last one where the file does not say."""
        nodes = self._questions | self._answers | self._unanswered
        last = next((step.id for step in reversed(self._steps) if step.kind == "turn"), None)
        return next((nodes[id] for id in _upwards(self._thread) if id in nodes), last)

    def finished(self) -> tuple[StepRecord, ...]:
        """All of them; a question names the turn that answered it first."""
        first = {step.parent_id: step.id for step in reversed(self._steps) if step.kind == "turn"}
        return tuple(
            replace(step, turn_id=first[step.id]) if step.kind == "question" else step
            for step in self._steps
        )

    def _without_answer(self, question: ExportedMessage) -> str:
        if question.id not in self._unanswered:
            key = f"{_key(question.id)}/none"
            self._unanswered[question.id] = self._turn(key, self._questions[question.id], question)
        return self._unanswered[question.id]

    def _question(self, key: str, follows: str | None, said: ExportedMessage, text: str) -> str:
        return self._step("user_message", "question", key, follows, said, self._author, text)

    def _turn(self, key: str, question: str, said: ExportedMessage) -> str:
        turn = _id(f"{self._seed}/{key}/turn")
        return self._step("run", "turn", key, question, said, "on_message", turn=turn)

    def _part(self, kind: StepKind, key: str, turn: str, said: ExportedMessage, text: str) -> None:
        type = "tool" if kind is StepKind.REASONING else "assistant_message"
        name = said.model or self._thread.source
        self._step(type, kind, key, turn, said, name, text, turn)

    def _step(
        self,
        type: str,
        kind: StepKind | Literal["question", "turn"],
        key: str,
        parent: str | None,
        said: ExportedMessage,
        name: str,
        text: str = "",
        turn: str | None = None,
    ) -> str:
        id = _id(f"{self._seed}/{key}/{kind}")
        at = said.at or self._thread.created_at
        self._steps.append(
            StepRecord(
                id,
                self.thread_id,
                type,
                name,
                kind,
                turn_id=turn,
                parent_id=parent,
                output=text,
                created_at=at,
                ended_at=at,
            )
        )
        return id


def _upwards(thread: ExportedThread) -> Iterator[str]:
    """The leaf that the file names, and what it follows."""
    at = thread.leaf_id
    seen: set[str] = set()
    while at is not None and at not in seen and (message := thread.messages.get(at)) is not None:
        seen.add(at)
        yield at
        at = message.parent_id


def _key(id: str) -> str:
    """An id as a part of a seed: one that no other parts make together."""
    return quote(id, safe="", errors="replace")


def _id(seed: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"konsilium-import/{seed}"))


def _in_order(messages: Mapping[str, ExportedMessage]) -> tuple[ExportedMessage, ...]:
    """What was said, parents first; what hangs in a ring has no beginning, and is left out."""
    children: dict[str | None, list[ExportedMessage]] = {}
    for message in messages.values():
        parent = message.parent_id if message.parent_id in messages else None
        children.setdefault(parent, []).append(message)
    said: list[ExportedMessage] = []
    waiting: list[tuple[ExportedMessage, str | None]] = [
        (m, None) for m in reversed(children.get(None, []))
    ]
    while waiting:
        message, parent = waiting.pop()
        counts = message.role is not None and bool(message.whole or message.thinking)
        if counts:
            said.append(replace(message, parent_id=parent))
        below = message.id if counts else parent
        waiting += [(child, below) for child in reversed(children.get(message.id, []))]
    return tuple(said)
