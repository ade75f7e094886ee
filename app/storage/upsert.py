"""Insert or update, alike on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    key: Sequence[str],
    update: Sequence[str],
    only_if_same: str | None = None,
) -> None:
    """Inserts `rows`; of those whose `key` exists, the columns `update` are set (none: left alone).

    With `only_if_same`, an existing row is changed only where that column is equal.
    """
    if rows:
        dialect = connection.dialect.name
        statement = _upserting(dialect, table, tuple(key), tuple(update), only_if_same)
        connection.execute(statement, list(rows))


@cache
def _upserting(
    dialect: str,
    table: Table,
    key: tuple[str, ...],
    update: tuple[str, ...],
    only_if_same: str | None,
) -> Insert:
    """Made once each: making it takes ten times as long as running it."""
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    excluded = statement.excluded
    if not update:
        nothing: Insert = statement.on_conflict_do_nothing(index_elements=list(key))
        return nothing
    where: ColumnElement[bool] | None = (
        table.c[only_if_same] == excluded[only_if_same] if only_if_same else None
    )
    setting: Insert = statement.on_conflict_do_update(
        index_elements=list(key), set_={name: excluded[name] for name in update}, where=where
    )
    return setting
