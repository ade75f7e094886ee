"""API keys. Usage counts by their ids, and outlives them."""

from sqlalchemy import Boolean, Column, Integer, String, Table

from app.storage.tables.base import Json, Money, StorableText, UtcDateTime, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", StorableText, nullable=False),
    Column("prefix", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
    Column("user_id", String, nullable=False),
    Column("models", Json, nullable=False),
    Column("rpm", Integer),
    Column("tpm", Integer),
    Column("budget_rub", Money),
    Column("admin", Boolean, nullable=False),
    Column("cache", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)
