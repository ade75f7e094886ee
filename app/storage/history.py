"""What was said in the active branch of a thread, as the next turn is given it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.messages import ImagePart
from app.core.threads import BranchSwitch, copied
from app.core.turns import Attachment, HistoryMessage, Question, StepRecord, new_id, now
from app.core.usage import Outcome
from app.storage.branches import activate, node_of, on_path, path_ids, write_steps
from app.storage.database import Database
from app.storage.files import LocalFiles, image_name
from app.storage.rows import AnyRow, step_from, storable_json
from app.storage.tables import elements, pinned_facts, steps, threads

MESSAGE_KINDS = ("question", StepKind.ANSWER.value, StepKind.QUESTION.value)
"""The kinds of step that count as conversation."""

MessageRows = tuple[Sequence[AnyRow], Mapping[str, Sequence[AnyRow]]]
"""Rows of steps, and the rows of what hangs on each, by the step's id."""


class Conversations:
    """What a turn and the chat ask of a thread. Implements `core.ports.ThreadHistory`. Raises NotFound for
    another user's thread."""

    def __init__(self, database: Database, files: LocalFiles) -> None:
        self._database = database
        self._files = files
        self._hearers: list[Callable[[str, BranchSwitch | None], None]] = []

    def on_switched(self, hear: Callable[[str, BranchSwitch | None], None]) -> None:
        """Tells of each thread of which another branch is shown from now on, and how it differs from the one
        before; None where more than that has changed. Must be quick."""
        self._hearers.append(hear)

    async def history(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        said = await self._database.read(partial(message_rows, thread_id=thread_id))
        return await messages(self._files, said)

    async def question(self, user_id: str, thread_id: str, step_id: str) -> Question:
        """The question with its attachments, to be asked again; `step_id` is its own, its turn's or
        an answer's."""
        turn_id = select(steps.c.turn_id).where(steps.c.id == step_id, steps.c.kind != "question")
        of_turn = select(steps.c.parent_id).where(steps.c.id == turn_id.scalar_subquery())
        query = (
            select(steps.c.id, steps.c.output)
            .where(or_(steps.c.id == step_id, steps.c.id == of_turn.scalar_subquery()))
            .where(steps.c.kind == "question")
            .where(steps.c.user_id == user_id, steps.c.thread_id == thread_id)
        )

        def work(connection: Connection) -> tuple[AnyRow, Sequence[AnyRow]]:
            row = connection.execute(query).one_or_none()
            if row is None:
                raise NotFound(f"question {step_id} of thread {thread_id} of {user_id}")
            return row, _attached(connection, thread_id).get(row.id, [])

        row, attached = await self._database.read(work)
        return Question(row.id, row.output, await _attachments(self._files, attached))

    async def switch(self, thread_id: str, user_id: str, step_id: str) -> BranchSwitch:
        """Makes the branch through that step the active one, and goes on in it where one last was.
        Nothing is moved or deleted. Raises NotFound."""

        def work(connection: Connection) -> BranchSwitch:
            _lock_own(connection, thread_id, user_id)
            return activate(connection, thread_id, node_of(connection, thread_id, step_id))

        switched = await self._database.write(work)
        self._tell(thread_id, switched)
        return switched

    async def add_turn(
        self, user_id: str, turn: Sequence[StepRecord], shown: str | None = None
    ) -> None:
        """Stores a whole turn, its own step first, beside the other answers of its question, and shows
        it; or whatever steps, and shows the turn `shown`. Raises NotFound."""
        thread_id, turn_id = turn[0].thread_id, shown or turn[0].id

        def work(connection: Connection) -> None:
            _lock_own(connection, thread_id, user_id)
            write_steps(connection, turn, user_id)
            activate(connection, thread_id, turn_id)

        await self._database.write(work)
        self._tell(thread_id, None)

    async def fork(self, user_id: str, thread_id: str, step_id: str) -> str:
        """A new thread with copies of all that was said and pinned up to the turn of that step, files too; returns
        its id. Raises NotFound."""
        made = new_id()
        of_thread = elements.c.thread_id == thread_id

        def read(connection: Connection) -> tuple[Sequence[AnyRow], ...]:
            _lock_own(connection, thread_id, user_id, lock=False)
            leaf = node_of(connection, thread_id, step_id)
            path = {"thread_id": thread_id, "leaf": leaf}
            said = connection.execute(_ALL, path).all()
            hung = connection.execute(select(elements).where(of_thread).order_by(elements.c.seq))
            pinned = connection.execute(_PINNED_BEFORE, path)
            return said, hung.all(), pinned.all()

        said, hung, pinned = await self._database.read(read)
        before = [step_from(row) for row in said]
        after = copied(before, made)
        ids = {old.id: new.id for old, new in zip(before, after, strict=True)}
        files = {row.id: new_id() for row in hung if row.step_id in ids}
        for old, new in files.items():
            await self._files.copy(thread_id, old, made, new)
            await self._files.copy(thread_id, image_name(old), made, image_name(new))
        rows = [
            {k: v for k, v in row._mapping.items() if k != "seq"}
            | {"id": files[row.id], "thread_id": made, "step_id": ids[row.step_id]}
            for row in hung
            if row.id in files
        ]
        leaf = next(step.id for step in reversed(after) if step.kind in ("turn", "question"))
        at = now()

        def write(connection: Connection) -> None:
            _lock_own(connection, thread_id, user_id)
            source = connection.execute(select(threads).where(threads.c.id == thread_id)).one()
            kept = (
                "user_id",
                "title",
                "titled_by",
                "folded_title",
                "metadata",
                "tags",
                "temporary",
                "project_id",
            )
            row = {name: source._mapping[name] for name in kept} | {"id": made, "leaf_id": leaf}
            connection.execute(insert(threads), row | {"created_at": at, "active_at": at})
            write_steps(connection, after, user_id)
            if rows:
                connection.execute(insert(elements), rows)
            facts: list[dict[str, Any]] = [
                {
                    "id": new_id(),
                    "thread_id": made,
                    "text": fact.text,
                    "created_at": fact.created_at,
                }
                for fact in pinned
            ]
            if facts:
                connection.execute(insert(pinned_facts), facts)

        await self._database.write(write)
        return made

    def _tell(self, thread_id: str, switched: BranchSwitch | None) -> None:
        for hear in self._hearers:
            hear(thread_id, switched)

    async def keep_settings(
        self, user_id: str, thread_id: str, settings: Mapping[str, Any]
    ) -> None:
        """Remembers the choices of the thread (its metadata's `chat_settings`); a thread that is not
        there yet is left for its first turn to make."""
        which = (threads.c.id == thread_id) & (threads.c.user_id == user_id)

        def work(connection: Connection) -> None:
            known = connection.scalar(select(threads.c.metadata).where(which).with_for_update())
            if known is not None:
                kept = {**known, "chat_settings": storable_json(settings)}
                connection.execute(update(threads).where(which).values(metadata=kept))

        await self._database.write(work)


def _lock_own(connection: Connection, thread_id: str, user_id: str, *, lock: bool = True) -> None:
    own = (threads.c.id == thread_id) & (threads.c.user_id == user_id)
    own &= threads.c.deleted_at.is_(None)
    query = select(threads.c.id).where(own)
    if connection.scalar(query.with_for_update() if lock else query) is None:
        raise NotFound(f"thread {thread_id} of {user_id}")


_ALL = (
    select(steps)
    .where(steps.c.thread_id == bindparam("thread_id"), on_path())
    .order_by(steps.c.seq)
)
_PINNED_BEFORE = (
    select(pinned_facts)
    .where(pinned_facts.c.thread_id == bindparam("thread_id"))
    .where(or_(pinned_facts.c.node_id.is_(None), pinned_facts.c.node_id.in_(path_ids())))
)
_SAID = (
    select(*(steps.c[name] for name in ("id", "kind", "output", "name", "turn_id", "outcome")))
    .where(steps.c.thread_id == bindparam("thread_id"), steps.c.kind.in_(MESSAGE_KINDS))
    .where(on_path())
    .order_by(steps.c.seq)
)
_ATTACHED = (
    select(elements)
    .where(elements.c.thread_id == bindparam("thread_id"), elements.c.step_id.is_not(None))
    .where(or_(elements.c.text.is_not(None), elements.c.image_mime.is_not(None)))
    .order_by(elements.c.seq)
)


def message_rows(connection: Connection, thread_id: str, leaf: str | None = None) -> MessageRows:
    """The messages of a branch, in order, up to the turn `leaf`; None: of the active branch."""
    said = connection.execute(_SAID, {"thread_id": thread_id, "leaf": leaf}).all()
    return said, _attached(connection, thread_id)


async def messages(files: LocalFiles, said: MessageRows) -> tuple[HistoryMessage, ...]:
    """The messages of those rows; images are read from the files."""
    rows, attached = said
    return tuple(
        [
            HistoryMessage(
                row.id,
                "assistant" if row.kind == StepKind.ANSWER else "user",
                row.output,
                row.name,
                row.turn_id,
                Outcome(row.outcome),
                await _attachments(files, attached.get(row.id, ())),
            )
            for row in rows
        ]
    )


def _attached(connection: Connection, thread_id: str) -> dict[str, list[AnyRow]]:
    by_step: dict[str, list[AnyRow]] = {}
    for row in connection.execute(_ATTACHED, {"thread_id": thread_id}):
        by_step.setdefault(row.step_id, []).append(row)
    return by_step


async def _attachments(files: LocalFiles, rows: Sequence[AnyRow]) -> tuple[Attachment, ...]:
    return tuple([await _attachment(files, row) for row in rows])


async def _attachment(files: LocalFiles, row: AnyRow) -> Attachment:
    image = None
    if row.image_mime is not None:
        data = await files.read(row.thread_id, image_name(row.id))
        image = ImagePart(data, row.image_mime)
    return Attachment(row.id, row.name, row.mime or "", row.text, image)
