"""Votes on answers that stood side by side."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, exists, select

from app.core.notes import MetricsNote
from app.core.reports import UsageFilter
from app.core.votes import Compared, PastAnswer, Vote
from app.storage.database import Database, insert_new
from app.storage.rows import AnyRow
from app.storage.tables import elements, steps, threads, votes


class Votes:
    """Implements `core.votes.VoteStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, vote: Vote) -> None:
        row = {
            "id": vote.id,
            "user_id": vote.user_id,
            "at": vote.at,
            "source": vote.source,
            "language": vote.language,
            "topic": vote.topic,
            "blind": vote.blind,
            "sides": [_told(side) for side in vote.sides],
            "verdict": vote.verdict,
            "winner": vote.winner,
        }
        await self._database.write(lambda c: insert_new(c, votes, row, ["id"]))

    async def all(self, over: UsageFilter) -> tuple[Vote, ...]:
        """The votes of that time, and of that user where one is named, oldest first."""
        query = select(votes).order_by(votes.c.at, votes.c.id)
        if over.since is not None:
            query = query.where(votes.c.at >= over.since)
        if over.until is not None:
            query = query.where(votes.c.at < over.until)
        if over.user_id is not None:
            query = query.where(votes.c.user_id == over.user_id)
        return await self._database.read(lambda c: tuple(map(_from, c.execute(query).all())))

    async def past(self, user_id: str, most: int, without: str) -> tuple[PastAnswer, ...]:
        """That person's latest questions that began a conversation, came without files and were answered
        by one model in plain chat, each question once, the newest first; `without` those that this model
        (server/model) answered. What is in the bin is left out."""
        asked, run, said = steps.alias("asked"), steps.alias("run"), steps.alias("said")
        query = (
            select(run.c.id, asked.c.output.label("question"), said.c.output, said.c.metadata)
            .join(run, run.c.parent_id == asked.c.id)
            .join(said, (said.c.turn_id == run.c.id) & (said.c.kind == "answer"))
            .join(threads, threads.c.id == asked.c.thread_id)
            .where(asked.c.user_id == user_id, asked.c.kind == "question", run.c.kind == "turn")
            .where(asked.c.parent_id.is_(None), threads.c.deleted_at.is_(None))
            .where(run.c.outcome == "completed", asked.c.modes["mode"].as_string() == "chat")
            .where(~exists().where(elements.c.step_id == asked.c.id))
            .order_by(said.c.seq.desc())
        )

        def work(connection: Connection) -> tuple[PastAnswer, ...]:
            found: dict[str, PastAnswer] = {}
            for row in connection.execute(query):
                by = _answered(row._mapping["metadata"])
                if by is not None and by.model != without and row.question not in found:
                    found[row.question] = PastAnswer(row.id, row.question, row.output, by)
                if len(found) == most:
                    break
            return tuple(found.values())

        return await self._database.read(work)


def _answered(metadata: Mapping[str, Any]) -> Compared | None:
    """Which model wrote the answer, and what that took; None where it came from the cache, or where
    that is not known."""
    numbers = MetricsNote.of(metadata)
    if numbers is None or not numbers.server or not numbers.model:
        return None
    if numbers.cache not in (None, "miss"):
        return None
    model = f"{numbers.server}/{numbers.model}"
    return Compared(model, numbers.seconds, numbers.cost_rub, numbers.output_tokens)


def _told(side: Compared) -> dict[str, Any]:
    cost = None if side.cost_rub is None else str(side.cost_rub)
    return {
        "model": side.model,
        "seconds": side.seconds,
        "cost_rub": cost,
        "output_tokens": side.output_tokens,
    }


def _side(told: Mapping[str, Any]) -> Compared:
    cost = told.get("cost_rub")
    return Compared(
        told["model"],
        told.get("seconds"),
        None if cost is None else Decimal(cost),
        told.get("output_tokens"),
    )


def _from(row: AnyRow) -> Vote:
    values = dict(row._mapping)
    return Vote(**{**values, "sides": tuple(map(_side, values["sides"]))})
