"""The people in the database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from app.core.errors import NotFound
from app.core.people import Role, User
from app.core.turns import new_id, now
from app.storage.database import Database
from app.storage.rows import storable_json, user_from
from app.storage.tables import users
from app.storage.upsert import upsert


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
        query = select(users).order_by(users.c.created_at)
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
