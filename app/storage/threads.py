"""Threads as people see them: pages, one whole thread, names, sharing, verdicts, deletion.

Whoever asks is part of every statement: another's thread is NotFound, as if it did not exist.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from app.core.compression import COSTS_SCOPE
from app.core.errors import BadRequest, NotFound, StorageUnavailable
from app.core.threads import (
    FeedbackRecord,
    Page,
    StoredThread,
    ThreadRecord,
    title_of,
)
from app.core.turns import StepRecord, new_id, now
from app.storage.answers import drop_disliked, drop_of_thread
from app.storage.branches import branches_of, forks_near, node_of, on_path, write_steps
from app.storage.database import Database, upsert
from app.storage.files import LocalFiles
from app.storage.rows import (
    AnyRow,
    Values,
    element_from,
    feedback_from,
    fold,
    refuse_unstorable,
    step_from,
    storable_json,
    thread_from,
)
from app.storage.tables import documents, elements, feedback, presets, steps, threads
from app.storage.thread_pages import page_of, with_owner

log = logging.getLogger(__name__)

BIN_DAYS = 30
"""So long a deleted thread is kept."""
BIN_SECONDS = 3600.0
LEFT_FILES = "left_files"
"""Documents by the ids of threads that are no more, while there may be files of theirs."""
TEMPORARY_AGE = timedelta(days=1)
"""So long after its last word a temporary thread stays at most, whatever became of its page."""
MAX_PAGE = 1_000
"""Threads of one page; who asks for more is given so many."""


class Threads:
    """Conversations as people see them. `user_id` or `reader` is who asks: another's thread is
    NotFound, as if it did not exist. Failed writes raise StorageUnavailable."""

    def __init__(self, database: Database, files: LocalFiles) -> None:
        self._database = database
        self._files = files
        self._hearers: list[Callable[[str, str], None]] = []

    def on_moved(self, hear: Callable[[str, str], None]) -> None:
        """hear(user_id, thread_id): tells of each thread that is in another project from now on, or in none.
        Must be quick."""
        self._hearers.append(hear)

    async def page(
        self,
        user_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        search: str | None = None,
        feedback: int | None = None,
        archived: bool = False,
        project: str | None = None,
    ) -> Page[ThreadRecord]:
        """The user's threads, newest activity first, or those in the archive; of one `project`, or of none
        where that is empty. `search` finds words by
        their beginnings, in any case, in the archive too: threads whose title has them all, then those
        with a message that does, latest first."""
        if limit < 1:
            raise BadRequest(f"a page of {limit} threads")
        limit = min(limit, MAX_PAGE)
        return await self._database.read(
            lambda c: page_of(c, user_id, limit, cursor, search, feedback, archived, project)
        )

    async def find(self, thread_id: str, reader: str | None) -> ThreadRecord:
        """The thread, if it is the reader's or shared."""
        return await self._database.read(lambda c: _readable(c, thread_id, reader))

    async def contents(
        self,
        thread_id: str,
        reader: str | None,
        *,
        through: str | None = None,
        first: str | None = None,
        whole: bool = False,
    ) -> StoredThread:
        """The thread with what was said in its active branch, or in that `through` a step; only from
        the question `first` on, if given; in all its branches, if `whole`. NotFound where it is
        neither the reader's nor shared; of what is shared the active branch is."""
        return await self._database.read(
            lambda c: _contents(c, thread_id, reader, through=through, first=first, whole=whole)
        )

    async def near(self, thread_id: str, user_id: str, nodes: Sequence[str]) -> StoredThread:
        """The same of those questions and turns alone, which follow each other. Raises NotFound."""
        return await self._database.read(lambda c: _near(c, thread_id, user_id, nodes))

    async def versions(
        self, thread_id: str, user_id: str, node: str
    ) -> Mapping[str, tuple[StepRecord, ...]]:
        """Of a question and its siblings, by their ids and in the order they appeared: itself, and the
        answers that were shown last; of a turn and its siblings their answers. Raises NotFound."""
        return await self._database.read(lambda c: _versions(c, thread_id, user_id, node))

    async def ensure(self, thread_id: str, user_id: str) -> None:
        """Makes an empty thread, which no list shows yet, where there is none."""
        await self._database.write(lambda c: ensure_thread(c, thread_id, user_id))

    async def begin(
        self,
        user_id: str,
        *,
        temporary: bool = False,
        project_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Makes an empty thread, which no list shows yet; a temporary one no list ever does, and nothing finds
        it. Returns its id. Raises NotFound for a project that is not the user's."""
        at = now()
        row: Values = {"id": new_id(), "user_id": user_id, "tags": [], "temporary": temporary}
        row |= {"created_at": at, "active_at": at, "metadata": storable_json(metadata or {})}

        def work(connection: Connection) -> None:
            if project_id is not None:
                row["project_id"] = _own_project(connection, project_id, user_id)
            connection.execute(insert(threads), row)

        await self._database.write(work)
        return str(row["id"])

    async def move(self, thread_id: str, user_id: str, project_id: str | None) -> None:
        """Puts it into a project of the user's, or into none. NotFound for a temporary one."""

        def work(connection: Connection) -> None:
            if project_id is not None:
                _own_project(connection, project_id, user_id)
            own = (threads.c.id == thread_id) & (threads.c.user_id == user_id)
            moved = update(threads).where(own, threads.c.deleted_at.is_(None), ~threads.c.temporary)
            if not connection.execute(moved.values(project_id=project_id)).rowcount:
                raise NotFound(f"thread {thread_id} of {user_id}")

        await self._database.write(work)
        for hear in self._hearers:
            hear(user_id, thread_id)

    async def is_temporary(self, thread_id: str) -> bool:
        """Whether nothing of it may be kept."""
        query = select(threads.c.temporary).where(threads.c.id == thread_id)
        return bool(await self._database.read(lambda c: c.scalar(query)))

    async def keep(self, thread_id: str, user_id: str) -> None:
        """A temporary thread becomes one like the others."""
        await self._change(thread_id, user_id, {"temporary": False})

    async def archive(self, thread_id: str, user_id: str, archived: bool) -> None:
        """Takes it out of the list, or back into it; so does the next question."""
        await self._change(
            thread_id,
            user_id,
            {"archived_at": now() if archived else None},
            threads.c.title.is_not(None),
        )

    async def suggest_title(self, thread_id: str, user_id: str, title: str) -> None:
        """Names an unnamed thread; makes it where there is none."""
        title = title_of(title)

        def work(connection: Connection) -> None:
            ensure_thread(connection, thread_id, user_id)
            connection.execute(
                update(threads)
                .where(threads.c.id == thread_id, threads.c.title.is_(None))
                .values(title=title, titled_by="question", folded_title=fold(title))
            )

        await self._database.write(work)

    async def rename(self, thread_id: str, user_id: str, title: str) -> None:
        """Names a thread as a person wishes; no answer changes that name."""
        title = " ".join(title.split())
        values = {"title": title, "titled_by": "person", "folded_title": fold(title)}
        await self._change(thread_id, user_id, values)

    async def share(self, thread_id: str, user_id: str, shared: bool) -> None:
        """Lets everyone with the link read it, or no longer. NotFound for a temporary one."""
        values = {"shared_at": now() if shared else None}
        await self._change(thread_id, user_id, values, ~threads.c.temporary)

    async def annotate(
        self,
        thread_id: str,
        user_id: str,
        metadata: Mapping[str, Any],
        tags: Sequence[str] | None = None,
    ) -> None:
        """Merges `metadata` into what is known; a None deletes. No error for a thread that is gone."""
        which = (threads.c.id == thread_id) & (threads.c.user_id == user_id)

        def work(connection: Connection) -> None:
            known = connection.scalar(select(threads.c.metadata).where(which).with_for_update())
            if known is None:
                return
            merged = storable_json({**known, **metadata})
            values: Values = {"metadata": {k: v for k, v in merged.items() if v is not None}}
            if tags is not None:
                values["tags"] = list(tags)
            connection.execute(update(threads).where(which).values(values))

        await self._database.write(work)

    async def delete(self, thread_id: str, user_id: str) -> None:
        """Puts it into the bin: nobody sees it any more but its owner, there, for BIN_DAYS. A temporary one
        is deleted for good."""
        own = (threads.c.id == thread_id) & (threads.c.user_id == user_id)
        hide = update(threads).where(own, threads.c.deleted_at.is_(None)).values(deleted_at=now())

        def work(connection: Connection) -> None:
            if not connection.execute(hide).rowcount:
                raise NotFound(f"thread {thread_id} of {user_id}")
            drop_of_thread(connection, thread_id)

        await self._database.write(work)
        if await self.is_temporary(thread_id):
            await self.purge(user_id=user_id, thread_id=thread_id)

    async def restore(self, thread_id: str, user_id: str) -> None:
        """Takes it out of the bin."""
        own = (threads.c.id == thread_id) & (threads.c.user_id == user_id)
        listed = {"deleted_at": None, "archived_at": None}
        show = update(threads).where(own, threads.c.deleted_at.is_not(None)).values(listed)
        if not await self._database.write(lambda c: c.execute(show).rowcount):
            raise NotFound(f"thread {thread_id} of {user_id} in the bin")

    async def bin(self, user_id: str) -> tuple[ThreadRecord, ...]:
        """The user's deleted threads, the latest first."""
        query = with_owner().where(threads.c.user_id == user_id, ~threads.c.temporary)
        query = query.where(threads.c.deleted_at.is_not(None))
        ordered = query.order_by(threads.c.deleted_at.desc(), threads.c.id)
        return await self._database.read(lambda c: tuple(map(thread_from, c.execute(ordered))))

    async def purge(
        self,
        *,
        user_id: str | None = None,
        thread_id: str | None = None,
        before: datetime | None = None,
    ) -> int:
        """Deletes for good what is in the bin, with everything in it, files too, or those of it that match
        all that is given; returns how many. Their usage stays. Raises StorageUnavailable where files cannot
        be deleted, which is tried again later."""
        gone = select(threads.c.id).where(threads.c.deleted_at.is_not(None))
        if user_id is not None:
            gone = gone.where(threads.c.user_id == user_id)
        if thread_id is not None:
            gone = gone.where(threads.c.id == thread_id)
        if before is not None:
            gone = gone.where(threads.c.deleted_at < before)

        def work(connection: Connection) -> list[str]:
            ids = list(connection.scalars(gone.with_for_update()))
            for id in ids:
                connection.execute(delete(threads).where(threads.c.id == id))
                costs = (documents.c.scope == COSTS_SCOPE) & (documents.c.key == id)
                connection.execute(delete(documents).where(costs))
                left: Values = {"scope": LEFT_FILES, "key": id, "value": {}}
                upsert(connection, documents, [left], ["scope", "key"], ["value"])
            return ids

        ids = await self._database.write(work)
        await self._delete_files(ids)
        return len(ids)

    async def _delete_files(self, ids: Sequence[str]) -> None:
        """Of threads that are no more; until it is done, that is known to whoever tries again."""
        done, stuck = list[Values](), list[StorageUnavailable]()
        for id in ids:
            try:
                with contextlib.suppress(NotFound):  # a client's id that can name no folder
                    await self._files.delete(id)
            except StorageUnavailable as error:
                stuck.append(error)
            else:
                done.append({"thread": id})
        row = (documents.c.scope == LEFT_FILES) & (documents.c.key == bindparam("thread"))
        if done:
            await self._database.write(
                lambda c: c.execute(delete(documents).where(row), done).close()
            )
        if stuck:
            raise stuck[0]

    async def delete_left_files(self) -> None:
        """Deletes the files of threads that are no more: of a process that was killed, or of a disk that
        did not answer. Raises StorageUnavailable."""
        left = select(documents.c.key).where(documents.c.scope == LEFT_FILES)
        await self._delete_files(await self._database.read(lambda c: list(c.scalars(left))))

    async def keep_bin_short(self) -> None:
        """Deletes for good, once an hour, what has been in the bin for BIN_DAYS, and temporary threads that
        no page took along when it left: of a process that was killed. Never returns."""
        while True:
            try:
                await self.forget_temporary(now() - TEMPORARY_AGE)
                if count := await self.purge(before=now() - timedelta(days=BIN_DAYS)):
                    log.info("%d conversations left the bin for good", count)
                await self.delete_left_files()
            except StorageUnavailable as error:
                log.warning("the bin could not be emptied: %s", error.detail)
            await asyncio.sleep(BIN_SECONDS)

    async def forget_temporary(self, before: datetime) -> int:
        """Deletes for good the temporary threads in which nothing was said since; returns how many."""
        left = select(threads.c.id, threads.c.user_id).where(threads.c.temporary)
        left = left.where(threads.c.active_at < before, threads.c.deleted_at.is_(None))
        rows = await self._database.read(lambda c: c.execute(left).all())
        for row in rows:
            with contextlib.suppress(NotFound):  # left, or kept, meanwhile
                await self.delete(row.id, row.user_id)
        return len(rows)

    async def write_step(self, step: StepRecord, user_id: str) -> None:
        """Stores a step that is no turn's; makes the thread where there is none."""

        def work(connection: Connection) -> None:
            ensure_thread(connection, step.thread_id, user_id)
            write_steps(connection, [step], user_id)

        await self._database.write(work)

    async def mark_favorite(self, step_id: str, user_id: str, favorite: bool) -> StepRecord:
        """Stars a message, or no longer."""
        mark = (
            update(steps)
            .where(steps.c.id == step_id, steps.c.user_id == user_id)
            .values(favorite=favorite)
            .returning(*steps.c)
        )
        row = await self._database.write(lambda c: c.execute(mark).one_or_none())
        if row is None:
            raise NotFound(f"step {step_id} of {user_id}")
        return step_from(row)

    async def favorites(self, user_id: str) -> tuple[StepRecord, ...]:
        """The starred messages, latest first."""
        query = (
            select(steps)
            .join(threads, threads.c.id == steps.c.thread_id)
            .where(steps.c.user_id == user_id, steps.c.favorite, threads.c.deleted_at.is_(None))
            .where(~threads.c.temporary)
            .order_by(steps.c.seq.desc())
        )
        return await self._database.read(lambda c: tuple(map(step_from, c.execute(query))))

    async def judge(self, verdict: FeedbackRecord, user_id: str) -> str:
        """Stores a verdict on a step, in place of an earlier one; returns the id it is kept under."""
        own_step = select(steps.c.thread_id, steps.c.turn_id).where(
            steps.c.id == verdict.step_id, steps.c.user_id == user_id
        )

        def work(connection: Connection) -> str:
            judged = connection.execute(own_step).one_or_none()
            if judged is None:
                raise NotFound(f"step {verdict.step_id} of {user_id}")
            row = {"id": verdict.id, "step_id": verdict.step_id, "thread_id": judged.thread_id}
            row |= {"value": verdict.value, "comment": verdict.comment, "created_at": now()}
            upsert(connection, feedback, [row], ["step_id"], ["value", "comment"])
            if verdict.value == 0 and judged.turn_id is not None:
                drop_disliked(connection, judged.turn_id)
            of_step = select(feedback.c.id).where(feedback.c.step_id == verdict.step_id)
            kept: str = connection.execute(of_step).scalar_one()
            return kept

        return await self._database.write(work)

    async def withdraw(self, feedback_id: str, user_id: str) -> None:
        """Takes a verdict back."""
        own = select(steps.c.id).where(steps.c.user_id == user_id)
        this = (
            delete(feedback)
            .where(feedback.c.id == feedback_id)
            .where(feedback.c.step_id.in_(own.where(steps.c.id == feedback.c.step_id)))
        )
        if not await self._database.write(lambda c: c.execute(this).rowcount):
            raise NotFound(f"feedback {feedback_id} of {user_id}")

    async def _change(
        self, thread_id: str, user_id: str, values: dict[str, Any], *only: ColumnElement[bool]
    ) -> None:
        own = and_(threads.c.id == thread_id, threads.c.user_id == user_id, *only)
        change = update(threads).where(own, threads.c.deleted_at.is_(None)).values(values)
        if not await self._database.write(lambda c: c.execute(change).rowcount):
            raise NotFound(f"thread {thread_id} of {user_id}")


def ensure_thread(connection: Connection, thread_id: str, user_id: str) -> None:
    """Makes an unnamed thread of that user where there is none. Raises NotFound for another's."""
    refuse_unstorable(thread_id)
    at = now()
    row = {"id": thread_id, "user_id": user_id, "metadata": {}, "tags": []}
    upsert(connection, threads, [row | {"created_at": at, "active_at": at}], ["id"], [])
    there = (threads.c.id == thread_id) & threads.c.deleted_at.is_(None)
    owner = connection.scalar(select(threads.c.user_id).where(there))
    if owner != user_id:
        raise NotFound(f"thread {thread_id} of {user_id}")


def _own_project(connection: Connection, project_id: str, user_id: str) -> str:
    """The id of that project; it cannot be deleted before this transaction ends."""
    own = (presets.c.id == project_id) & (presets.c.user_id == user_id)
    query = select(presets.c.id).where(own, presets.c.kind == "projects")
    if connection.scalar(query.with_for_update(read=True)) is None:
        raise NotFound(f"project {project_id} of {user_id}")
    return project_id


def _readable(connection: Connection, thread_id: str, reader: str | None) -> ThreadRecord:
    """The thread, if it is the reader's own or shared."""
    allowed: ColumnElement[bool] = or_(
        threads.c.user_id == reader, threads.c.shared_at.is_not(None)
    )
    there = threads.c.deleted_at.is_(None)
    found = connection.execute(with_owner().where(threads.c.id == thread_id, allowed, there))
    row = found.one_or_none()
    if row is None:
        raise NotFound(f"thread {thread_id} for {reader}")
    return thread_from(row)


_SEQ = select(steps.c.seq).where(steps.c.id == bindparam("first")).scalar_subquery()
_STEPS = select(steps).where(steps.c.thread_id == bindparam("thread_id")).order_by(steps.c.seq)
_OF_NO_TURN = steps.c.turn_id.is_(None) & (steps.c.kind != "question")
_OF_BRANCH = _STEPS.where(
    or_(on_path(), _OF_NO_TURN),
    steps.c.seq >= func.coalesce(_SEQ, 0),
)


def _contents(
    connection: Connection,
    thread_id: str,
    reader: str | None,
    *,
    through: str | None,
    first: str | None,
    whole: bool,
) -> StoredThread:
    thread = _readable(connection, thread_id, reader)
    if thread.user_id != reader and (through or whole):
        raise NotFound(f"other branches of thread {thread_id} for {reader}")
    branches = branches_of(connection, thread_id)
    leaf = thread.leaf_id
    if through is not None:
        leaf = branches.leaf(node_of(connection, thread_id, through))
    path = branches.path(leaf)
    of_thread = {"thread_id": thread_id}
    if whole:
        rows = connection.execute(_STEPS, of_thread)
    else:
        end = {"leaf": path[-1] if path else None, "first": first}
        rows = connection.execute(_OF_BRANCH, of_thread | end)
    forks = branches.forks(path) if thread.user_id == reader else {}
    return _with_what_hangs(connection, thread, tuple(map(step_from, rows)), path, forks)


def _near(
    connection: Connection, thread_id: str, user_id: str, nodes: Sequence[str]
) -> StoredThread:
    thread = _readable(connection, thread_id, user_id)
    if thread.user_id != user_id:
        raise NotFound(f"branches of thread {thread_id} for {user_id}")
    near = or_(steps.c.id.in_(nodes), steps.c.turn_id.in_(nodes))
    found = tuple(map(step_from, connection.execute(_STEPS.where(near), {"thread_id": thread_id})))
    parents = {step.id: step.parent_id for step in found if step.id in nodes}
    forks = forks_near(connection, thread_id, parents)
    return _with_what_hangs(connection, thread, found, tuple(nodes), forks)


def _with_what_hangs(
    connection: Connection,
    thread: ThreadRecord,
    found: tuple[StepRecord, ...],
    path: tuple[str, ...],
    forks: Mapping[str, tuple[str, ...]],
) -> StoredThread:
    shown = {step.id for step in found}

    def hanging(table: Table, order: str) -> Iterable[AnyRow]:
        query = select(table).where(table.c.thread_id == thread.id).order_by(table.c[order])
        rows = connection.execute(query)
        return (row for row in rows if row.step_id is None or row.step_id in shown)

    return StoredThread(
        thread,
        found,
        tuple(map(element_from, hanging(elements, "seq"))),
        tuple(map(feedback_from, hanging(feedback, "created_at"))),
        path,
        forks,
    )


_SAID_OF = (
    select(steps)
    .where(steps.c.thread_id == bindparam("thread_id"), steps.c.kind.in_(("question", "answer")))
    .where(or_(*(steps.c[name].in_(bindparam("of", expanding=True)) for name in ("id", "turn_id"))))
    .order_by(steps.c.seq)
)


def _versions(
    connection: Connection, thread_id: str, user_id: str, node: str
) -> Mapping[str, tuple[StepRecord, ...]]:
    if _readable(connection, thread_id, user_id).user_id != user_id:
        raise NotFound(f"versions in thread {thread_id} for {user_id}")
    branches = branches_of(connection, thread_id)
    versions = {
        id: (id, branches.next(id))
        for id in branches.siblings(node_of(connection, thread_id, node))
    }
    of = {"thread_id": thread_id, "of": [id for held in versions.values() for id in held]}
    said = tuple(map(step_from, connection.execute(_SAID_OF, of)))
    return {
        id: tuple(s for s in said if s.id == id or (s.kind == "answer" and s.turn_id in held))
        for id, held in versions.items()
    }
