"""Insert or update, alike on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]


async def upsert(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Row],
    key: Sequence[str],
    update: Sequence[str],
    same: str | None = None,
) -> None:
    """Inserts `rows`; of those whose `key` exists, the columns `update` are set (none: left alone).

    With `same`, an existing row is touched only where that column is equal.
    """
    if not rows:
        return
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    excluded = statement.excluded
    if update:
        where: ColumnElement[bool] | None = table.c[same] == excluded[same] if same else None
        statement = statement.on_conflict_do_update(
            index_elements=list(key), set_={name: excluded[name] for name in update}, where=where
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    await connection.execute(statement, list(rows))
