"""The people in the database, and their API keys."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, insert, select, update

from app.core.errors import NotFound
from app.core.keys import ApiKey
from app.core.people import Role, User
from app.core.ports import GatewayCall
from app.core.turns import new_id, now
from app.storage.database import Database, upsert
from app.storage.rows import AnyRow, Values, call_values, storable_json, user_from
from app.storage.tables import api_keys, usage, users


class Users:
    """Implements `core.ports.UserStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_identifier(self, identifier: str) -> User | None:
        return await self._one(users.c.identifier == identifier)

    async def by_id(self, user_id: str) -> User | None:
        return await self._one(users.c.id == user_id)

    async def _one(self, which: ColumnElement[bool]) -> User | None:
        query = select(users).where(which)
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        return user_from(row) if row else None

    async def all(self) -> tuple[User, ...]:
        return await self._several(select(users).order_by(users.c.created_at))

    async def named(self, identifiers: Collection[str]) -> tuple[User, ...]:
        return await self._several(select(users).where(users.c.identifier.in_(identifiers)))

    async def _several(self, query: Select[Any]) -> tuple[User, ...]:
        rows = await self._database.read(lambda c: c.execute(query).all())
        return tuple(user_from(row) for row in rows)

    async def add(
        self,
        identifier: str,
        *,
        display_name: str | None = None,
        role: Role = "user",
        password_hash: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> User:
        row = {
            "id": new_id(),
            "identifier": identifier,
            "display_name": display_name,
            "role": role,
            "password_hash": password_hash,
            "metadata": storable_json(metadata or {}),
            "created_at": now(),
        }

        def work(connection: Connection) -> User:
            upsert(connection, users, [row], ["identifier"], [])
            found = connection.execute(select(users).where(users.c.identifier == identifier))
            return user_from(found.one())

        return await self._database.write(work)

    async def change(self, user_id: str, **values: Any) -> User:
        change = update(users).where(users.c.id == user_id).values(values).returning(*users.c)
        row = await self._database.write(lambda c: c.execute(change).one_or_none())
        if row is None:
            raise NotFound(f"user {user_id}")
        return user_from(row)

    async def disabled(self) -> frozenset[str]:
        query = select(users.c.id).where(users.c.disabled_at.is_not(None))
        return await self._database.read(lambda c: frozenset(c.scalars(query)))


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
    tools = tuple(values["tools"] or ())
    return ApiKey(**values | {"models": tuple(values["models"]), "tools": tools})


def _key_values(key: ApiKey) -> Values:
    names = [column.name for column in api_keys.columns]
    return {name: getattr(key, name) for name in names} | {
        "models": list(key.models),
        "tools": list(key.tools),
    }
