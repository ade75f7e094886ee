"""API keys. Usage counts by their ids, and outlives them."""

from sqlalchemy import Boolean, Column, Integer, String, Table

from app.storage.tables.base import Json, Moment, Money, Words, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Words, nullable=False),
    Column("prefix", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
    Column("user_id", String, nullable=False),
    Column("models", Json, nullable=False),
    Column("rpm", Integer),
    Column("tpm", Integer),
    Column("budget_rub", Money),
    Column("admin", Boolean, nullable=False),
    Column("cache", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("last_used_at", Moment),
)
