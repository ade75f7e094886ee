"""Votes on answers that stood side by side."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from app.core.reports import UsageFilter
from app.core.votes import Compared, Vote
from app.storage.database import Database, insert_new
from app.storage.rows import AnyRow
from app.storage.tables import votes


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
