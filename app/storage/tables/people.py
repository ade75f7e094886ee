"""Users, small documents, and the processes that share the database."""

from sqlalchemy import Column, Index, Integer, String, Table

from app.storage.tables.base import Json, StorableText, UtcDateTime, metadata

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("identifier", StorableText, nullable=False, unique=True),
    Column("display_name", StorableText),
    Column("role", String, nullable=False),
    Column("password_hash", String),
    Column("metadata", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Index("ix_users_disabled_at", "disabled_at"),
)

documents = Table(
    "documents",
    metadata,
    Column("scope", StorableText, primary_key=True),
    Column("key", StorableText, primary_key=True),
    Column("value", Json, nullable=False),
)

processes = Table(
    "processes",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
