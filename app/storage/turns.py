"""Turns write themselves through here: one transaction at the beginning, one at the end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, bindparam, delete, select, update

from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.threads import BegunQuestion, BranchSwitch, title_of
from app.core.turns import (
    SettledTurn,
    StepRecord,
    ThreadBusy,
    TurnRequest,
    TurnTaken,
    new_id,
    now,
)
from app.core.usage import Outcome
from app.storage.branches import ACTIVE, activate, branches_of, node_of, on_path, write_steps
from app.storage.database import Database, insert_new, upsert
from app.storage.files import LocalFiles, image_name
from app.storage.history import MessageRows, message_rows, messages
from app.storage.rows import (
    AnyRow,
    Values,
    call_values,
    fold,
    refuse_unstorable,
    step_from,
    storable_json,
)
from app.storage.tables import elements, running_turns, steps, threads, usage

# Made once: to make a statement takes longer than to run it.
_THREAD = (
    select(threads.c.title, threads.c.leaf_id, threads.c.metadata)
    .where(threads.c.id == bindparam("thread_id"), threads.c.user_id == bindparam("user_id"))
    .where(threads.c.deleted_at.is_(None))
    .with_for_update()
)
_QUESTION = select(steps.c.thread_id, steps.c.parent_id, steps.c.kind).where(
    steps.c.id == bindparam("step_id")
)
_OWNER = (
    select(steps.c.user_id, steps.c.thread_id, steps.c.seq, running_turns.c.process_id)
    .outerjoin(running_turns, running_turns.c.turn_id == steps.c.id)
    .where(steps.c.id == bindparam("step_id"))
)
_RUNS_IN = select(running_turns.c.turn_id).where(running_turns.c.thread_id == bindparam("thread"))
_LATER = (
    select(steps.c.id)
    .where(steps.c.thread_id == bindparam("thread"), steps.c.seq > bindparam("token"))
    .where(steps.c.type == "run")
    .limit(1)
)
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
        self, request: TurnRequest, steps: Sequence[StepRecord], over: str | None = None
    ) -> BegunQuestion:
        for attachment in request.question.attachments:
            if attachment.image is not None:
                name = image_name(attachment.element_id)
                await self._files.write(request.thread_id, name, attachment.image.data)
        said, switched = await self._database.write(partial(self._begin, request, steps, over))
        return BegunQuestion(await messages(self._files, said), switched)

    def _begin(
        self,
        request: TurnRequest,
        steps: Sequence[StepRecord],
        over: str | None,
        connection: Connection,
    ) -> tuple[MessageRows, BranchSwitch | None]:
        """Returns what was said before, and how the thread is different on a screen."""
        question, turn = steps
        leaf = _own_thread(connection, request, question.created_at)
        if over is not None:
            _take_over(connection, request.thread_id, over)
        if not self._take(connection, request.turn_id, request.thread_id):
            raise ThreadBusy(connection.scalar(_RUNS_IN, {"thread": request.thread_id}) or "")
        asked, before = _place(connection, request, leaf)
        new = [turn] if asked else [replace(question, parent_id=before), turn]
        write_steps(connection, new, request.user_id)
        _attach(connection, request)
        said = message_rows(connection, request.thread_id, before) if before else ((), {})
        if asked or before != leaf:
            switched = activate(connection, request.thread_id, request.turn_id)
            known = switched.changed and switched.cut is not None
            return said, replace(switched, asked=True) if known else None
        ends = {"thread": request.thread_id, "leaf": request.turn_id}
        connection.execute(ACTIVE, ends)
        return said, _follows(request, before, said[0])

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:

        def work(connection: Connection) -> None:
            turn = _turn(connection, steps[0].turn_id)
            if turn is None:
                return
            if turn.process_id is None:  # taken for dead: it takes its place again, if nobody has
                _refuse_later(connection, turn)
                if not self._take(connection, str(steps[0].turn_id), turn.thread_id):
                    raise TurnTaken(turn.thread_id)
                _forget_notice(connection, turn.thread_id, str(steps[0].turn_id))
            write_steps(connection, steps, turn.user_id)

        await self._database.write(work)

    async def settle(self, turn: SettledTurn) -> None:
        """Of a turn whose thread or question is gone, or whose place another has taken, only the usage
        stays."""
        await self._database.write(partial(_settle, turn))

    def _take(self, connection: Connection, turn_id: str, thread_id: str) -> bool:
        """The turn has the thread to itself from now on; False where another has it."""
        row = {"turn_id": turn_id, "thread_id": thread_id, "process_id": self._process_id}
        return insert_new(connection, running_turns, row, ["thread_id"])


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
    stored = _turn(connection, request.turn_id)
    if stored is None:
        return
    if not connection.execute(_ENDED, {"turn": request.turn_id}).rowcount:  # taken for dead
        try:
            _refuse_later(connection, stored)
        except TurnTaken:
            return
        _forget_notice(connection, request.thread_id, request.turn_id)
    write_steps(connection, turn.steps, request.user_id)
    ended = turn.steps[0].ended_at or turn.steps[0].created_at
    connection.execute(_ACTIVE, {"thread": request.thread_id, "at": ended})
    if turn.title:
        _set_title(connection, request, turn.title)


def _own_thread(connection: Connection, request: TurnRequest, at: datetime) -> str | None:
    """Makes the thread if it is new, marks it as active, and returns the end of its active branch."""
    refuse_unstorable(request.thread_id, request.question.id)
    title = title_of(request.question.text)
    first = {"title": title, "titled_by": "question", "folded_title": fold(title)}
    row: Values = {"id": request.thread_id, "user_id": request.user_id, "tags": []}
    choices = {"mode": request.options.mode, **request.options.values}
    chosen = storable_json({"chat_settings": choices})
    row |= first | {"metadata": chosen, "created_at": at, "active_at": at}
    row["archived_at"] = None  # what goes on is in the list again
    upsert(connection, threads, [row], ["id"], ["active_at", "archived_at"], only_if_same="user_id")
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
    leaf: str | None = thread.leaf_id
    return leaf


def _place(
    connection: Connection, request: TurnRequest, leaf: str | None
) -> tuple[bool, str | None]:
    """Whether the question is stored already, and the turn that it follows."""
    question = connection.execute(_QUESTION, {"step_id": request.question.id}).one_or_none()
    if question is not None:
        return True, _parent(question, request, request.question.id)
    if request.instead_of is not None:
        other = connection.execute(_QUESTION, {"step_id": request.instead_of}).one_or_none()
        return False, _parent(other, request, request.instead_of)
    if request.after is None:
        return False, leaf
    return False, _turn_of(connection, request.thread_id, request.after) if request.after else None


def _follows(
    request: TurnRequest, before: str | None, said: Sequence[AnyRow]
) -> BranchSwitch | None:
    """On a screen a question that follows the last is sent with that one, whose end it may not have yet."""
    last = next((row.id for row in reversed(said) if row.kind == "question"), None)
    if before is None or last is None:
        return None
    near = (last, before, request.question.id, request.turn_id)
    return BranchSwitch(request.turn_id, last, last, near, whole=True, changed=True, asked=True)


def _parent(question: AnyRow | None, request: TurnRequest, id: str) -> str | None:
    """What a stored question of the request's own thread follows."""
    if question is None or question.thread_id != request.thread_id or question.kind != "question":
        raise NotFound(f"question {id} of thread {request.thread_id}")
    parent: str | None = question.parent_id
    return parent


def _turn_of(connection: Connection, thread_id: str, step_id: str) -> str:
    """The turn that a step belongs to; of a question its last answer's, as it was last shown."""
    node = node_of(connection, thread_id, step_id)
    asked = connection.execute(_QUESTION, {"step_id": node}).one().kind == "question"
    return branches_of(connection, thread_id).next(node) if asked else node


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


def _turn(connection: Connection, turn_id: str | None) -> AnyRow | None:
    """Whose turn it is, and whether it holds its thread; None where its own step is gone: rewound, or
    deleted with its thread."""
    return connection.execute(_OWNER, {"step_id": turn_id}).one_or_none()


def _refuse_later(connection: Connection, turn: AnyRow) -> None:
    """Raises TurnTaken where a later turn was begun in the thread: `seq` of a turn's own step, which only
    grows, is the fencing token."""
    if connection.scalar(_LATER, {"thread": turn.thread_id, "token": turn.seq}):
        raise TurnTaken(turn.thread_id)


def _forget_notice(connection: Connection, thread_id: str, turn_id: str) -> None:
    """The turn was taken for dead, and is not: what says so goes."""
    connection.execute(
        delete(steps)
        .where(steps.c.thread_id == thread_id, steps.c.turn_id == turn_id)
        .where(steps.c.kind == StepKind.NOTICE.value)
        .where(steps.c.outcome == Outcome.INTERRUPTED.value)
    )


def _take_over(connection: Connection, thread_id: str, turn_id: str) -> None:
    """Of a turn that does not end though it was asked to, the thread is taken."""
    if connection.execute(_ENDED, {"turn": turn_id}).rowcount:
        interrupt(connection, thread_id, turn_id)


def interrupt(connection: Connection, thread_id: str, turn_id: str) -> None:
    """What of the turn was running is INTERRUPTED, its answers say so, and a notice offers a retry."""
    found = connection.execute(
        select(steps)
        .where(steps.c.thread_id == thread_id, steps.c.turn_id == turn_id)
        .where(steps.c.outcome == Outcome.RUNNING.value)
        .order_by(steps.c.seq)
    )
    left = [(step_from(row), row.user_id) for row in found]
    for step, user_id in left:
        metadata = dict(step.metadata)
        if step.kind == StepKind.ANSWER:
            metadata["metrics"] = {"outcome": "interrupted", "characters": len(step.output)}
        ended = replace(step, outcome=Outcome.INTERRUPTED, ended_at=now(), metadata=metadata)
        write_steps(connection, [ended], user_id)
    for step, user_id in left[:1]:
        write_steps(connection, [_notice(step)], user_id)


def _notice(step: StepRecord) -> StepRecord:
    return StepRecord(
        id=new_id(),
        thread_id=step.thread_id,
        turn_id=step.turn_id,
        parent_id=step.turn_id,
        type="assistant_message",
        kind=StepKind.NOTICE,
        name="Konsilium",
        metadata={"error": {"code": "interrupted"}},
        outcome=Outcome.INTERRUPTED,
        ended_at=now(),
        is_error=True,
    )


def _set_title(connection: Connection, request: TurnRequest, title: str) -> None:
    """The answer's name for the thread; the first such name stays, a person's name always does, and
    an answer of a branch that was left meanwhile names nothing."""
    title = title_of(title)
    active = select(steps.c.id).where(steps.c.id == request.turn_id, on_path())
    connection.execute(
        update(threads)
        .where(threads.c.id == request.thread_id, threads.c.titled_by == "question")
        .where(active.exists())
        .values(title=title, titled_by="answer", folded_title=fold(title)),
        {"thread_id": request.thread_id, "leaf": None},
    )
