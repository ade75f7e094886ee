"""API keys, and what was asked with them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, func, insert, select, update

from app.core.keys import ApiKey
from app.core.ports import GatewayCall
from app.storage.database import Database
from app.storage.rows import AnyRow, Values, call_values
from app.storage.tables import api_keys, usage
from app.storage.upsert import upsert


class ApiKeys:
    """Implements `core.ports.KeyStore` and `GatewayLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> str:
        """How many there are, and how many of them revoked: nothing else ever changes."""
        async with self._database.reading() as connection:
            counts = select(func.count(api_keys.c.id), func.count(api_keys.c.revoked_at))
            made, revoked = (await connection.execute(counts)).one()
            return f"{made}/{revoked}"

    async def keys(self) -> tuple[ApiKey, ...]:
        """All keys, newest first."""
        async with self._database.reading() as connection:
            order = (api_keys.c.created_at.desc(), api_keys.c.id)
            rows = await connection.execute(select(api_keys).order_by(*order))
            return tuple(map(_key_from, rows))

    async def spent(self, since: datetime) -> Mapping[str, Decimal]:
        """Roubles by key id."""
        total = func.sum(usage.c.cost_rub, type_=usage.c.cost_rub.type)
        query = (
            select(usage.c.key_id, total)
            .where(usage.c.key_id.is_not(None), usage.c.started_at >= since)
            .group_by(usage.c.key_id)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return {key_id: amount for key_id, amount in rows if amount is not None}

    async def add(self, key: ApiKey) -> None:
        """Keeps a new key."""
        async with self._database.writing() as connection:
            await connection.execute(insert(api_keys), _key_values(key))

    async def revoke(self, key_id: str, at: datetime) -> None:
        """From now on it is none."""
        revoked = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        async with self._database.writing() as connection:
            await connection.execute(revoked.values(revoked_at=at))

    async def record(self, calls: Sequence[GatewayCall], used: Mapping[str, datetime]) -> None:
        """Keeps calls and when keys were used, in one transaction. An id never counts twice."""
        rows = [
            call_values(each.call)
            | {
                "user_id": each.user_id,
                "key_id": each.key_id,
                "thread_id": None,
                "turn_id": None,
                "mode": each.mode,
            }
            for each in calls
        ]
        async with self._database.writing() as connection:
            if rows:
                await connection.run_sync(upsert, usage, rows, ["id"], [])
            if used:
                touch = update(api_keys).where(api_keys.c.id == bindparam("key_id"))
                await connection.execute(
                    touch.values(last_used_at=bindparam("at")),
                    [{"key_id": key_id, "at": at} for key_id, at in used.items()],
                )


def _key_from(row: AnyRow) -> ApiKey:
    values = dict(row._mapping)
    return ApiKey(**values | {"models": tuple(values["models"])})


def _key_values(key: ApiKey) -> Values:
    names = [column.name for column in api_keys.columns]
    return {name: getattr(key, name) for name in names} | {"models": list(key.models)}
