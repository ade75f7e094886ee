"""Every test of the answers kept runs on SQLite and on PostgreSQL."""

from tests.integration.storage.conftest import ann, bob, postgres, storage, url

__all__ = ["ann", "bob", "postgres", "storage", "url"]
