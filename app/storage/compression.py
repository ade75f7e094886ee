"""The blocks of threads, and the facts pinned in their active branches."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, String, bindparam, case, delete, insert, or_, select, update

from app.core.compression import Block, CompressionState, Notes, PinnedFact
from app.core.errors import NotFound
from app.storage.branches import path_ids
from app.storage.database import Database, upsert
from app.storage.rows import AnyRow, Values, storable_json
from app.storage.tables import compression_blocks as blocks
from app.storage.tables import compression_heads as heads
from app.storage.tables import pinned_facts, steps, threads


class Compressions:
    """Implements `core.ports.CompressionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self, thread_id: str) -> CompressionState:
        return await self._database.read(partial(_state, thread_id))

    async def pinned(self, thread_id: str) -> tuple[PinnedFact, ...]:
        return await self._database.read(partial(_pinned, thread_id))

    async def swap(self, thread_id: str, version: int, new: Sequence[Block]) -> bool:

        def work(connection: Connection) -> bool:
            if not _is_there(connection, thread_id):
                return False
            first = {"thread_id": thread_id, "version": 0, "announced": 0}
            upsert(connection, heads, [first], ["thread_id"], [])
            moved = connection.execute(
                update(heads)
                .where(heads.c.thread_id == thread_id, heads.c.version == version)
                .values(version=version + 1)
            )
            if moved.rowcount != 1:
                return False
            connection.execute(delete(blocks).where(blocks.c.thread_id == thread_id))
            rows = [_values(block, thread_id, at) for at, block in enumerate(new)]
            if rows:
                connection.execute(insert(blocks), rows)
            return True

        return await self._database.write(work)

    async def announce(self, thread_id: str, version: int) -> None:
        change = update(heads).where(heads.c.thread_id == thread_id).values(announced=version)
        await self._database.write(lambda c: c.execute(change).close())

    async def pin(self, thread_id: str, text: str) -> PinnedFact:
        fact = PinnedFact(text)
        row = {"id": fact.id, "thread_id": thread_id, "text": text, "created_at": fact.created_at}

        def work(connection: Connection) -> None:
            if not _is_there(connection, thread_id):
                raise NotFound(f"thread {thread_id}")
            node = connection.scalar(_BEFORE_LAST, {"thread_id": thread_id})
            connection.execute(insert(pinned_facts), row | {"node_id": node})

        await self._database.write(work)
        return fact

    async def unpin(self, thread_id: str, fact_id: str) -> None:
        this = (pinned_facts.c.thread_id == thread_id) & (pinned_facts.c.id == fact_id)
        await self._database.write(lambda c: c.execute(delete(pinned_facts).where(this)).close())


def _is_there(connection: Connection, thread_id: str) -> bool:
    """Whether the thread exists; it cannot be deleted before this transaction ends."""
    locked = select(threads.c.id).where(threads.c.id == thread_id).with_for_update(read=True)
    return connection.scalar(locked) is not None


_OF_THREAD = bindparam("thread_id", type_=String)
_HEAD = select(heads).where(heads.c.thread_id == _OF_THREAD)
_LAST = steps.alias("last")
_ASKED = steps.alias("asked")
_BEFORE_LAST = (
    select(case((_LAST.c.kind == "turn", _ASKED.c.parent_id), else_=_LAST.c.parent_id))
    .select_from(threads)
    .join(_LAST, _LAST.c.id == threads.c.leaf_id)
    .outerjoin(_ASKED, _ASKED.c.id == _LAST.c.parent_id)
    .where(threads.c.id == _OF_THREAD)
)
"""What the last question of the active branch follows: a fact pinned now is told in every branch from
there on, so that asking once more or in other words keeps it; none in the first exchange."""
_PINNED = (
    select(pinned_facts)
    .where(pinned_facts.c.thread_id == _OF_THREAD)
    .where(or_(pinned_facts.c.node_id.is_(None), pinned_facts.c.node_id.in_(path_ids())))
    .order_by(pinned_facts.c.created_at, pinned_facts.c.id)
)
_BLOCKS = select(blocks).where(blocks.c.thread_id == _OF_THREAD).order_by(blocks.c.position)


def _pinned(thread_id: str, connection: Connection) -> tuple[PinnedFact, ...]:
    rows = connection.execute(_PINNED, {"thread_id": thread_id, "leaf": None})
    return tuple(PinnedFact(row.text, row.id, row.created_at) for row in rows)


def _state(thread_id: str, connection: Connection) -> CompressionState:
    of_thread = {"thread_id": thread_id}
    facts = _pinned(thread_id, connection)
    head = connection.execute(_HEAD, of_thread).one_or_none()
    if head is None:
        return CompressionState(pinned=facts)
    found = connection.execute(_BLOCKS, of_thread)
    return CompressionState(head.version, head.announced, tuple(map(_block, found)), facts)


def _block(row: AnyRow) -> Block:
    return Block(
        message_ids=tuple(row.message_ids),
        source_hash=row.source_hash,
        notes=Notes.from_json(row.notes),
        tokens_before=row.tokens_before,
        tokens_after=row.tokens_after,
        model=row.model,
        id=row.id,
        created_at=row.created_at,
    )


def _values(block: Block, thread_id: str, position: int) -> Values:
    return {
        "id": block.id,
        "thread_id": thread_id,
        "position": position,
        "message_ids": list(block.message_ids),
        "source_hash": block.source_hash,
        "notes": storable_json(block.notes.as_json()),
        "tokens_before": block.tokens_before,
        "tokens_after": block.tokens_after,
        "model": block.model,
        "created_at": block.created_at,
    }
