"""Small JSON documents by scope and key."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, select

from app.storage.database import Database, upsert
from app.storage.rows import storable_json
from app.storage.tables import documents


class KeyValues:
    """Implements `core.ports.KeyValueStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, scope: str, key: str) -> Mapping[str, Any] | None:
        """The document, or None."""
        query = select(documents.c.value).where(documents.c.scope == scope, documents.c.key == key)
        value: Mapping[str, Any] | None = await self._database.read(lambda c: c.scalar(query))
        return value

    async def put(self, scope: str, key: str, value: Mapping[str, Any]) -> None:
        """Keeps the document, whatever was there."""
        row = {"scope": scope, "key": key, "value": storable_json(value)}
        await self._database.write(
            lambda c: upsert(c, documents, [row], ["scope", "key"], ["value"])
        )

    async def delete(self, scope: str, key: str) -> None:
        """Forgets it; no error where there is none."""
        this = delete(documents).where(documents.c.scope == scope, documents.c.key == key)
        await self._database.write(lambda c: c.execute(this).close())

    async def forget_before(self, scope: str, key: str) -> None:
        """Forgets all documents of the scope whose keys sort before `key`."""
        old = delete(documents).where(documents.c.scope == scope, documents.c.key < key)
        await self._database.write(lambda c: c.execute(old).close())

    async def items(self, scope: str) -> dict[str, Mapping[str, Any]]:
        """All documents of a scope, by key."""
        query = (
            select(documents.c.key, documents.c.value)
            .where(documents.c.scope == scope)
            .order_by(documents.c.key)
        )
        return await self._database.read(lambda c: {row.key: row.value for row in c.execute(query)})

    async def among(self, scope: str, keys: Collection[str]) -> frozenset[str]:
        """Those of the keys under which there is a document."""
        query = select(documents.c.key).where(documents.c.scope == scope, documents.c.key.in_(keys))
        return await self._database.read(lambda c: frozenset(c.scalars(query)))
