"""Users, small documents, and the processes that share the database."""

from sqlalchemy import Column, Index, Integer, String, Table

from app.storage.tables.base import Json, Moment, Words, metadata

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("identifier", Words, nullable=False, unique=True),
    Column("display_name", Words),
    Column("role", String, nullable=False),
    Column("password_hash", String),
    Column("metadata", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("disabled_at", Moment),
    Index("ix_users_disabled_at", "disabled_at"),
)

documents = Table(
    "documents",
    metadata,
    Column("scope", Words, primary_key=True),
    Column("key", Words, primary_key=True),
    Column("value", Json, nullable=False),
)

processes = Table(
    "processes",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
