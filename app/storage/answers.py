"""Cached answers in the database, shared by all processes."""

from array import array
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)

from app.core.caching import CachedAnswer, LookupResult
from app.core.turns import now
from app.storage.database import Database
from app.storage.rows import AnyRow
from app.storage.tables import cached_answers, cached_terms, feedback, steps, threads

NEWEST = 300
"""Of the entries that hold a word, how many are looked at, latest first: a lookup's time has a bound
however many answers there are."""
NEWEST_VECTORS = 2000
"""Of a scope's entries, how many are compared by vector."""


class CachedAnswers:
    """Implements `core.ports.AnswerStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look_up(
        self, scope: str, key: str, terms: Sequence[str], since: datetime, limit: int
    ) -> LookupResult:
        """The entry of that key, and those that share most terms."""
        values: dict[str, Any] = {"scope": scope, "key": key, "since": since}

        def work(connection: Connection) -> LookupResult:
            exact = connection.execute(_EXACT, values).one_or_none()
            if exact is not None or not terms:
                return LookupResult(_entry(exact) if exact is not None else None)
            named = {f"term_{place}": term for place, term in enumerate(terms)}
            statement = _sharing(len(terms))
            found = connection.execute(statement, values | named | {"most": limit})
            return LookupResult(None, tuple(_entry(row) for row in found))

        return await self._database.read(work)

    async def nearest(
        self, scope: str, vector: Sequence[float], since: datetime, limit: int
    ) -> tuple[CachedAnswer, ...]:
        """By cosine, over the latest NEWEST_VECTORS entries of the scope."""
        width = len(vector) * 4
        vectors = (
            select(cached_answers.c.seq, cached_answers.c.vector)
            .where(
                cached_answers.c.scope == scope,
                cached_answers.c.asked_at >= since,
                func.length(cached_answers.c.vector) == width,
            )
            .order_by(cached_answers.c.seq.desc())
            .limit(NEWEST_VECTORS)
        )

        def work(connection: Connection) -> tuple[CachedAnswer, ...]:
            rows = connection.execute(vectors).all()
            if not rows:
                return ()
            order = _nearest(rows, vector, limit)
            found = connection.execute(
                select(cached_answers).where(cached_answers.c.seq.in_(order))
            )
            by_seq = {row.seq: _entry(row) for row in found}
            return tuple(by_seq[seq] for seq in order if seq in by_seq)

        return await self._database.read(work)

    async def has_vectors(self, scope: str, since: datetime) -> bool:
        """Whether any entry of the scope has one."""
        wanted = select(cached_answers.c.seq).where(
            cached_answers.c.scope == scope,
            cached_answers.c.asked_at >= since,
            cached_answers.c.vector.is_not(None),
        )
        found = await self._database.read(lambda c: c.scalar(wanted.limit(1)))
        return found is not None

    async def find(self, entry_id: str) -> CachedAnswer | None:
        """The entry of that id."""
        query = select(cached_answers).where(cached_answers.c.id == entry_id)
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        return _entry(row) if row is not None else None

    async def put(self, answer: CachedAnswer, terms: Sequence[str]) -> None:
        """Keeps it, in place of an entry with the same key; one of a turn that was disliked or is
        gone is not kept."""
        same = and_(cached_answers.c.scope == answer.scope, cached_answers.c.key == answer.key)

        def work(connection: Connection) -> None:
            connection.execute(delete(cached_answers).where(same))
            if answer.turn_id is not None and not _stands(connection, answer.turn_id):
                return
            seq = connection.scalar(
                insert(cached_answers).values(_values(answer)).returning(cached_answers.c.seq)
            )
            if terms:
                words = [{"scope": answer.scope, "term": t, "seq": seq} for t in set(terms)]
                connection.execute(insert(cached_terms), words)

        await self._database.write(work)

    async def touch(self, entry_id: str) -> None:
        """It was served just now."""
        served = update(cached_answers).where(cached_answers.c.id == entry_id)
        await self._database.write(lambda c: c.execute(served.values(used_at=now())).close())

    async def purge(self, *, entry_id: str | None = None, **wanted: str | None) -> int:
        """Deletes what matches all that is given."""
        given = {"id": entry_id, **wanted}
        matching = [cached_answers.c[name] == v for name, v in given.items() if v is not None]
        gone = delete(cached_answers).where(true(), *matching)
        return await self._database.write(lambda c: c.execute(gone).rowcount)

    async def trim(self, since: datetime, limit: int) -> int:
        """Deletes what is too old, and the longest unserved beyond the limit."""
        spared = (
            select(cached_answers.c.seq)
            .order_by(cached_answers.c.used_at.desc(), cached_answers.c.seq.desc())
            .offset(limit)
        )
        if self._database.sqlite:
            spared = spared.limit(-1)  # SQLite knows no OFFSET without LIMIT

        def work(connection: Connection) -> int:
            old = delete(cached_answers).where(cached_answers.c.asked_at < since)
            many = delete(cached_answers).where(cached_answers.c.seq.in_(spared))
            return sum(connection.execute(gone).rowcount for gone in (old, many))

        return await self._database.write(work)


def _stands(connection: Connection, turn_id: str) -> bool:
    """Whether the turn is there, in no deleted thread, and nobody disliked it. A verdict given meanwhile waits for this
    transaction, and then finds what it kept."""
    deleted = select(threads.c.id).where(threads.c.deleted_at.is_not(None))
    turn = select(steps.c.id).where(steps.c.id == turn_id, steps.c.thread_id.not_in(deleted))
    turn = turn.with_for_update()
    if connection.scalar(turn) is None:
        return False
    disliked = (
        select(feedback.c.id)
        .join(steps, steps.c.id == feedback.c.step_id)
        .where(steps.c.turn_id == turn_id, feedback.c.value == 0)
    )
    return connection.scalar(disliked.limit(1)) is None


def drop_disliked(connection: Connection, turn_id: str) -> None:
    """Deletes the answer that the turn left, and the one it showed."""
    written = select(steps.c.metadata).where(steps.c.turn_id == turn_id)
    shown = [
        noted["entry_id"]
        for metadata in connection.scalars(written)
        if isinstance(noted := metadata.get("cache"), dict) and "entry_id" in noted
    ]
    connection.execute(
        delete(cached_answers).where(
            or_(cached_answers.c.turn_id == turn_id, cached_answers.c.id.in_(shown))
        )
    )


def drop_of_thread(connection: Connection, thread_id: str) -> None:
    """Deletes the answers that came of a thread."""
    connection.execute(delete(cached_answers).where(cached_answers.c.thread_id == thread_id))


_EXACT = select(cached_answers).where(
    cached_answers.c.scope == bindparam("scope"),
    cached_answers.c.key == bindparam("key"),
    cached_answers.c.asked_at >= bindparam("since"),
)


@cache
def _sharing(terms: int) -> Select[Any]:
    """The entries that share most of so many terms, of which the first counts as all the others."""
    holding = [
        select(
            select(cached_terms.c.seq, literal(1 if place else terms).label("weight"))
            .where(
                cached_terms.c.scope == bindparam("scope"),
                cached_terms.c.term == bindparam(f"term_{place}"),
            )
            .order_by(cached_terms.c.seq.desc())
            .limit(NEWEST)
            .subquery()
        )
        for place in range(terms)
    ]
    every = union_all(*holding).subquery()
    shared = func.sum(every.c.weight).label("shared")
    best = (
        select(every.c.seq, shared)
        .group_by(every.c.seq)
        .order_by(shared.desc(), every.c.seq.desc())
        .limit(bindparam("most"))
        .subquery()
    )
    return (
        select(cached_answers)
        .join(best, best.c.seq == cached_answers.c.seq)
        .where(cached_answers.c.asked_at >= bindparam("since"))
        .order_by(best.c.shared.desc(), cached_answers.c.seq.desc())
    )


def _values(answer: CachedAnswer) -> dict[str, Any]:
    vector = answer.vector
    return {
        "id": answer.id,
        "scope": answer.scope,
        "key": answer.key,
        "owner": answer.owner,
        "question": answer.question,
        "answer": answer.answer,
        "model": answer.model,
        "title": answer.title,
        "tokens": answer.tokens,
        "cost_rub": answer.cost_rub,
        "thread_id": answer.thread_id,
        "turn_id": answer.turn_id,
        "question_id": answer.question_id,
        "vector": None if vector is None else array("f", vector).tobytes(),
        "asked_at": answer.asked_at,
        "used_at": answer.asked_at,
    }


def _nearest(rows: Sequence[AnyRow], vector: Sequence[float], limit: int) -> list[int]:
    """The `seq` of the rows whose vectors are nearest, best first."""
    import numpy as np  # here: it takes a fifth of a second, which a start need not wait for

    kept = np.frombuffer(b"".join(row.vector for row in rows), np.float32)
    alike = kept.reshape(len(rows), -1) @ np.asarray(vector, np.float32)
    return [rows[place].seq for place in np.argsort(-alike)[:limit]]


def _entry(row: Row[Any]) -> CachedAnswer:
    vector = None
    if row.vector is not None:
        vector = tuple(array("f", row.vector))
    return CachedAnswer(
        scope=row.scope,
        key=row.key,
        owner=row.owner,
        question=row.question,
        answer=row.answer,
        model=row.model,
        title=row.title,
        tokens=row.tokens,
        cost_rub=row.cost_rub,
        thread_id=row.thread_id,
        turn_id=row.turn_id,
        question_id=row.question_id,
        vector=vector,
        id=row.id,
        asked_at=row.asked_at,
    )
