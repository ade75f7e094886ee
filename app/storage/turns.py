"""Turns write themselves through here: one transaction at the beginning, one at the end."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.threads import title_of
from app.core.turns import HistoryMessage, SettledTurn, StepRecord, TurnRequest
from app.core.usage import Outcome
from app.storage.database import Database, upsert
from app.storage.files import LocalFiles, image_name
from app.storage.history import MessageRows, message_rows, messages
from app.storage.rows import (
    AnyRow,
    Values,
    call_values,
    refuse_unstorable,
    step_values,
    storable_json,
)
from app.storage.tables import elements, running_turns, steps, threads, usage
from app.storage.thread_pages import fold

_CHANGES = (
    "turn_id",
    "parent_id",
    "name",
    "input",
    "output",
    "metadata",
    "outcome",
    "ended_at",
    "is_error",
    "open",
    "modes",
)
# Made once: to make a statement takes longer than to run it.
_RUNNING = insert(running_turns)
_THREAD = (
    select(threads.c.title, threads.c.titled_by, threads.c.metadata)
    .where(threads.c.id == bindparam("thread_id"), threads.c.user_id == bindparam("user_id"))
    .with_for_update()
)
_QUESTION = select(steps.c.seq, steps.c.thread_id).where(steps.c.id == bindparam("step_id"))
_OWNER = select(steps.c.user_id).where(steps.c.id == bindparam("step_id"))
_ENDED = delete(running_turns).where(running_turns.c.turn_id == bindparam("turn"))
_ACTIVE = (
    update(threads).where(threads.c.id == bindparam("thread")).values(active_at=bindparam("at"))
)


class StoredTurns:
    """Implements `core.ports.TurnStore`."""

    def __init__(self, database: Database, files: LocalFiles, process_id: str) -> None:
        self._database = database
        self._files = files
        self._process_id = process_id
        """Whose turns these are: what a dead process left running is found by it."""

    async def begin(
        self, request: TurnRequest, steps: Sequence[StepRecord]
    ) -> tuple[HistoryMessage, ...]:
        for attachment in request.question.attachments:
            if attachment.image is not None:
                name = image_name(attachment.element_id)
                await self._files.write(request.thread_id, name, attachment.image.data)
        gone, said = await self._database.write(partial(self._begin, request, steps))
        if gone:
            await self._files.delete(request.thread_id, *gone)
        return await messages(self._files, said)

    def _begin(
        self, request: TurnRequest, steps: Sequence[StepRecord], connection: Connection
    ) -> tuple[list[str], MessageRows]:
        """Returns the names of files to delete, and what was said before."""
        title = _own_thread(connection, request, steps[0].created_at)
        gone = _rewind(connection, request, title)
        write_steps(connection, steps, request.user_id)
        _attach(connection, request)
        running = {"turn_id": request.turn_id, "thread_id": request.thread_id}
        connection.execute(_RUNNING, running | {"process_id": self._process_id})
        return gone, message_rows(connection, request.thread_id, before=request.question.id)

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:

        def work(connection: Connection) -> None:
            if user_id := _turn_owner(connection, steps[0].turn_id):
                write_steps(connection, steps, user_id)

        await self._database.write(work)

    async def settle(self, turn: SettledTurn) -> None:
        """Of a turn whose thread or question is gone only the usage stays."""
        await self._database.write(partial(_settle, turn))


def _settle(turn: SettledTurn, connection: Connection) -> None:
    request = turn.request
    asked = {
        "user_id": request.user_id,
        "key_id": request.key_id,
        "thread_id": request.thread_id,
        "turn_id": request.turn_id,
        "mode": request.options.mode,
    }
    upsert(connection, usage, [call_values(call) | asked for call in turn.calls], ["id"], [])
    if not _turn_owner(connection, request.turn_id):
        return
    _no_longer_running(connection, request)
    write_steps(connection, turn.steps, request.user_id)
    ended = turn.steps[0].ended_at or turn.steps[0].created_at
    connection.execute(_ACTIVE, {"thread": request.thread_id, "at": ended})
    if turn.title:
        _set_title(connection, request.thread_id, turn.title)


def write_steps(connection: Connection, records: Sequence[StepRecord], user_id: str) -> None:
    """Inserts or updates steps; one that exists in another thread is left alone."""
    rows = [step_values(record, user_id) for record in records]
    upsert(connection, steps, rows, ["id"], _CHANGES, only_if_same="thread_id")


def _own_thread(connection: Connection, request: TurnRequest, at: datetime) -> AnyRow:
    """Makes the thread if it is new, marks it as active, and returns its title's row."""
    refuse_unstorable(request.thread_id, request.question.id)
    title = title_of(request.question.text)
    first = {"title": title, "titled_by": "question", "folded_title": fold(title)}
    row: Values = {"id": request.thread_id, "user_id": request.user_id, "tags": []}
    choices = {"mode": request.options.mode, **request.options.values}
    chosen = storable_json({"chat_settings": choices})
    row |= first | {"metadata": chosen, "created_at": at, "active_at": at}
    upsert(connection, threads, [row], ["id"], ["active_at"], only_if_same="user_id")
    whose = {"thread_id": request.thread_id, "user_id": request.user_id}
    thread = connection.execute(_THREAD, whose).one_or_none()
    if thread is None:
        raise NotFound(f"thread {request.thread_id} is not {request.user_id}'s")
    known = thread._mapping["metadata"]
    missing: Values = first if thread.title is None else {}
    if "chat_settings" not in known:  # the sidebar's own write made the thread a moment before
        missing = missing | {"metadata": {**known, **chosen}}
    if missing:
        connection.execute(update(threads).where(threads.c.id == request.thread_id).values(missing))
    return thread


def _rewind(connection: Connection, request: TurnRequest, thread: AnyRow) -> list[str]:
    """Deletes what came after the question, if asked; returns the names of files to delete."""
    question = connection.execute(_QUESTION, {"step_id": request.question.id}).one_or_none()
    if question is None:
        return []
    if question.thread_id != request.thread_id:
        raise NotFound(f"step {request.question.id} is not of thread {request.thread_id}")
    if not request.rewind:
        return []
    later = (steps.c.thread_id == request.thread_id) & (steps.c.seq > question.seq)
    gone = (
        connection.execute(
            delete(elements)
            .where(elements.c.thread_id == request.thread_id)
            .where(elements.c.step_id.in_(select(steps.c.id).where(later)))
            .returning(elements.c.id)
        )
    ).scalars()
    names = [name for id in gone for name in (id, image_name(id))]
    connection.execute(delete(steps).where(later))
    connection.execute(delete(running_turns).where(running_turns.c.thread_id == request.thread_id))
    _retitle(connection, request, question.seq, thread)
    return names


def _retitle(connection: Connection, request: TurnRequest, seq: int, thread: AnyRow) -> None:
    """A first question that is asked anew names the thread anew, unless a person has named it."""
    earlier = select(steps.c.id).where(steps.c.thread_id == request.thread_id, steps.c.seq < seq)
    if thread.titled_by != "person" and not (connection.execute(earlier.limit(1))).first():
        title = title_of(request.question.text)
        connection.execute(
            update(threads)
            .where(threads.c.id == request.thread_id)
            .values(title=title, titled_by="question", folded_title=fold(title))
        )


def _attach(connection: Connection, request: TurnRequest) -> None:
    """Keeps what the model is shown of each file; the file itself comes through the browser's door."""
    rows: list[Values] = [
        {
            "id": attachment.element_id,
            "thread_id": request.thread_id,
            "step_id": request.question.id,
            "type": "image" if attachment.image else "file",
            "name": attachment.name,
            "mime": attachment.mime,
            "display": "inline",
            "has_file": False,
            "extra": {},
            "text": attachment.text,
            "image_mime": attachment.image.mime if attachment.image else None,
        }
        for attachment in request.question.attachments
    ]
    upsert(
        connection,
        elements,
        rows,
        ["id"],
        ["step_id", "text", "image_mime"],
        only_if_same="thread_id",
    )


def _turn_owner(connection: Connection, turn_id: str | None) -> str | None:
    """Whose turn it is; None where its own step is gone: rewound, or deleted with its thread."""
    owner: str | None = connection.scalar(_OWNER, {"step_id": turn_id})
    return owner


def _no_longer_running(connection: Connection, request: TurnRequest) -> None:
    """It has ended; where it was taken for dead meanwhile, the notice that says so goes."""
    ended = connection.execute(_ENDED, {"turn": request.turn_id})
    if not ended.rowcount:
        connection.execute(
            delete(steps)
            .where(steps.c.thread_id == request.thread_id, steps.c.turn_id == request.turn_id)
            .where(steps.c.kind == StepKind.NOTICE.value)
            .where(steps.c.outcome == Outcome.INTERRUPTED.value)
        )


def _set_title(connection: Connection, thread_id: str, title: str) -> None:
    """The answer's name for the thread; the first such name stays, a person's name always does."""
    title = title_of(title)
    connection.execute(
        update(threads)
        .where(threads.c.id == thread_id, threads.c.titled_by == "question")
        .values(title=title, titled_by="answer", folded_title=fold(title))
    )
