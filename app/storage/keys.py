"""API keys, and what was asked with them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, func, insert, select, update

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
        counts = select(func.count(api_keys.c.id), func.count(api_keys.c.revoked_at))
        made, revoked = await self._database.read(lambda c: c.execute(counts).one())
        return f"{made}/{revoked}"

    async def keys(self) -> tuple[ApiKey, ...]:
        """All keys, newest first."""
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        return tuple(map(_key_from, await self._database.read(lambda c: c.execute(query).all())))

    async def spent(self, since: datetime) -> Mapping[str, Decimal]:
        """Roubles by key id."""
        total = func.sum(usage.c.cost_rub, type_=usage.c.cost_rub.type)
        query = (
            select(usage.c.key_id, total)
            .where(usage.c.key_id.is_not(None), usage.c.started_at >= since)
            .group_by(usage.c.key_id)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        return {key_id: amount for key_id, amount in rows if amount is not None}

    async def add(self, key: ApiKey) -> None:
        """Keeps a new key."""
        new = insert(api_keys).values(_key_values(key))
        await self._database.write(lambda c: c.execute(new).close())

    async def revoke(self, key_id: str, at: datetime) -> None:
        """From now on it is none."""
        revoked = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        await self._database.write(lambda c: c.execute(revoked.values(revoked_at=at)).close())

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
        touched = [{"key_id": key_id, "at": at} for key_id, at in used.items()]

        def work(connection: Connection) -> None:
            upsert(connection, usage, rows, ["id"], [])
            if touched:
                touch = update(api_keys).where(api_keys.c.id == bindparam("key_id"))
                connection.execute(touch.values(last_used_at=bindparam("at")), touched)

        await self._database.write(work)


def _key_from(row: AnyRow) -> ApiKey:
    values = dict(row._mapping)
    return ApiKey(**values | {"models": tuple(values["models"])})


def _key_values(key: ApiKey) -> Values:
    names = [column.name for column in api_keys.columns]
    return {name: getattr(key, name) for name in names} | {"models": list(key.models)}
