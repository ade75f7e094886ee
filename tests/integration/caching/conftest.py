"""Every test of the answers kept runs on SQLite and on PostgreSQL."""

from tests.integration.storage.conftest import (
    ann,
    bob,
    migrated_postgres,
    migrated_sqlite,
    postgres,
    storage,
    url,
)

__all__ = ["ann", "bob", "migrated_postgres", "migrated_sqlite", "postgres", "storage", "url"]
