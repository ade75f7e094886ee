"""Migrations go up, down and up, match the tables, and lose nothing on the way."""

import asyncio
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, text

from app.storage.database import Database
from app.storage.migrations import apply
from app.storage.storage import Storage
from app.storage.tables import metadata
from app.storage.usage_totals import totals_metadata
from tests.integration.storage.conftest import sqlite_url
from tests.integration.storage.turns import say

UNSEEN = ("spoken_index", "knowledge_index", "said")
"""What search adds past the tables: FTS5's own tables, PostgreSQL's column."""


def revisions(connection):
    return set(MigrationContext.configure(connection).get_current_heads())


def executing(statement):
    return lambda connection: connection.execute(text(statement)).close()


async def test_up_down_and_up_again(empty_url):
    database = Database(empty_url)
    await apply.upgrade(database)
    assert await database.read(revisions) == set(apply.latest())
    await apply.downgrade(database, "base")
    assert await database.read(revisions) != set(apply.latest())
    await apply.upgrade(database)
    assert await database.read(revisions) == set(apply.latest())
    await database.aclose()


def columns(connection):
    """By table, column and type: whether a row may be written without it."""
    found = inspect(connection)
    return {
        (table, column["name"], str(column["type"])): bool(
            column["nullable"] or column["default"] is not None
        )
        for table in found.get_table_names()
        for column in found.get_columns(table)
    }


async def test_replicas_of_the_version_before_go_on_with_a_migrated_database(empty_url):
    """What their code reads and writes is still there as it was, and what they leave out may still be."""
    database = Database(empty_url)
    before: dict[tuple[str, str, str], bool] = {}
    for revision in sorted(apply.all_revisions()):
        await apply.upgrade(database, revision)
        after = await database.read(columns)
        tables = {table for table, *_ in before}
        gone = [column for column in before if column not in after]
        forced = [
            column
            for column, may_be_left_out in after.items()
            if column[0] in tables and before.get(column, True) and not may_be_left_out
        ]
        assert (gone, forced) == ([], []), revision
        before = after
    await database.aclose()


async def test_the_database_is_what_the_tables_say(url):
    database = Database(url)
    tables = MetaData()
    for of in (metadata, totals_metadata) if database.sqlite else (metadata,):
        for table in of.sorted_tables:
            table.to_metadata(tables)

    def differences(connection):
        def include(thing, name, kind, reflected, compare_to):
            of_search = ("ix_steps_said", "ix_knowledge_passages_said")
            return not (name or "").startswith(UNSEEN) and name not in of_search

        context = MigrationContext.configure(
            connection, opts={"include_object": include, "compare_type": database.sqlite is False}
        )
        return compare_metadata(context, tables)

    assert await database.read(differences) == []
    await database.aclose()


async def test_several_processes_that_start_at_once_migrate_once(empty_url):
    databases = [Database(empty_url) for _ in range(12)]
    await asyncio.gather(*(apply.upgrade(database) for database in databases))
    for database in databases:
        assert await database.read(revisions) == set(apply.latest())
        await database.aclose()


async def test_a_sqlite_file_is_copied_before_it_is_migrated(tmp_path):
    url = sqlite_url(tmp_path)
    database = Database(url)
    assert await apply.upgrade(database, "0001_initial") is None
    await database.write(executing("INSERT INTO documents VALUES ('s', 'k', '{}')"))
    backup = await apply.upgrade(database)
    assert backup is not None
    with sqlite3.connect(backup) as copy:
        assert copy.execute("SELECT key FROM documents").fetchall() == [("k",)]
        assert copy.execute("SELECT * FROM alembic_version").fetchall() == [("0001_initial",)]
    copy.close()
    assert await apply.upgrade(database) is None
    await database.aclose()


async def test_a_database_of_a_newer_version_is_named_and_left_alone(empty_url, tmp_path):
    database = Database(empty_url)
    await apply.upgrade(database)
    await apply.check(database)
    await database.write(executing("UPDATE alembic_version SET version_num = '9999_later'"))
    for refused in (apply.check, apply.upgrade):
        with pytest.raises(apply.DatabaseNewer, match="9999_later"):
            await refused(database)
    with pytest.raises(apply.DatabaseNewer):
        await asyncio.to_thread(apply.check_before_start, empty_url)
    assert await database.read(revisions) == {"9999_later"}
    assert not (tmp_path / "backups").exists(), "what is not migrated is not copied"
    await database.aclose()


async def test_a_migration_that_fails_changes_nothing(empty_url):
    database = Database(empty_url)
    await database.write(executing("CREATE TABLE usage (id text)"))
    with pytest.raises(Exception, match="usage"):
        await apply.upgrade(database)
    assert await database.read(revisions) == set()
    await database.write(executing("DROP TABLE usage"))
    await apply.upgrade(database)
    await database.aclose()


async def test_an_older_version_lists_what_was_put_away_and_nothing_that_was_not_to_be_kept(
    url, tmp_path
):
    storage = await Storage(url, tmp_path).open()
    ann = await storage.users.add("ann")
    await say(storage, ann, "Put away?")
    await storage.threads.archive("t1", ann.id, True)
    await say(storage, ann, "A secret?", thread=await storage.threads.begin(ann.id, temporary=True))
    await storage.aclose()
    database = Database(url)
    await apply.downgrade(database, "0011_pins_of_branches")
    titles = text("SELECT title FROM threads")
    assert await database.read(lambda c: c.scalars(titles).all()) == ["Put away?"]
    await apply.upgrade(database)
    await database.aclose()
    again = await Storage(url, tmp_path).open()
    assert [one.id for one in (await again.threads.page(ann.id, limit=9)).items] == ["t1"]
    await again.aclose()


async def test_threads_outlive_a_restart(url, tmp_path):
    for number in range(2):
        storage = await Storage(url, tmp_path).open()
        ann = await storage.users.add("ann")
        await say(storage, ann, f"Question {number}")
        page = await storage.threads.page(ann.id, limit=5)
        assert [thread.title for thread in page.items] == ["Question 0"]
        stored = await storage.threads.contents("t1", ann.id)
        assert len(stored.steps) == 3 * (number + 1)
        await storage.aclose()
