"""Writes that come together are committed together, and none suffers for another."""

import asyncio
import contextlib
import threading
import time

import pytest
from sqlalchemy import Connection, Engine, event, text

from app.core.errors import StorageUnavailable
from app.storage.database import Database
from tests.integration.storage.conftest import sqlite_url


@pytest.fixture
async def database(tmp_path):
    database = Database(sqlite_url(tmp_path))
    await database.write(lambda c: c.execute(text("CREATE TABLE said (word TEXT UNIQUE)")).close())
    yield database
    await database.aclose()


@contextlib.asynccontextmanager
async def at_work(database, work=lambda _: None):
    """A transaction that is open until the end."""
    begun, end = threading.Event(), threading.Event()

    def working(connection):
        work(connection)
        begun.set()
        end.wait()

    alone = asyncio.create_task(database.exclusive(working))
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        end.set()
        await alone


def saying(word):
    def work(connection):
        connection.execute(text("INSERT INTO said VALUES (:word)"), {"word": word})
        return word

    return work


async def words(database):
    return await database.read(lambda c: c.scalars(text("SELECT word FROM said")).all())


async def test_fifty_writes_at_once_share_a_few_commits(database):
    commits: list[Connection] = []
    note = commits.append
    event.listen(Engine, "commit", note)
    try:
        said = await asyncio.gather(*(database.write(saying(str(n))) for n in range(50)))
    finally:
        event.remove(Engine, "commit", note)
    assert said == [str(n) for n in range(50)]
    assert sorted(await words(database), key=int) == said
    assert len(commits) <= 6


async def test_one_that_fails_leaves_the_others_of_its_commit_alone(database):
    def refusing(connection):
        saying("half")(connection)
        raise LookupError("not yours")

    runs = []

    def counted(connection):
        runs.append(saying("a")(connection))
        return "a"

    outcomes = await asyncio.gather(
        database.write(counted),
        database.write(refusing),
        database.write(saying("b")),
        return_exceptions=True,
    )
    assert outcomes[0] == "a"
    assert isinstance(outcomes[1], LookupError)
    assert outcomes[2] == "b"
    assert runs == ["a"], "what shared its commit is not written anew"
    assert await words(database) == ["a", "b"]


async def test_what_was_cancelled_before_its_turn_is_not_written(database):
    async with at_work(database):
        first = asyncio.create_task(database.write(saying("first")))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(database.write(saying("late")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await first
    await database.write(saying("next"))
    assert await words(database) == ["first", "next"]


async def test_both_ways_of_writing_take_turns(database):
    async with at_work(database, saying("first")):
        meanwhile = asyncio.create_task(database.write(saying("second")))
        await asyncio.sleep(0.05)
        assert not meanwhile.done()
    await meanwhile
    assert await words(database) == ["first", "second"]


async def test_what_is_done_alone_is_rolled_back_when_it_is_cancelled(database):
    begun = threading.Event()

    def endless(connection):
        saying("half")(connection)
        begun.set()
        while True:
            saying(str(time.perf_counter()))(connection)

    alone = asyncio.create_task(database.exclusive(endless))
    await asyncio.to_thread(begun.wait)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone
    async with asyncio.timeout(5):
        await database.write(saying("next"))
    assert await words(database) == ["next"]


async def test_a_file_that_another_process_holds_too_long_is_said_once_for_all(tmp_path):
    database = Database(f"{sqlite_url(tmp_path)}?timeout=0.2")
    other = Database(sqlite_url(tmp_path))
    await database.write(lambda c: c.execute(text("CREATE TABLE said (word TEXT)")).close())
    async with at_work(other, saying("theirs")):
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(
                *(database.write(saying(str(n))) for n in range(20)), return_exceptions=True
            )
    assert all(isinstance(outcome, StorageUnavailable) for outcome in outcomes)
    await other.aclose()
    await database.aclose()


async def test_a_write_after_the_end_is_refused_and_waits_for_nobody(tmp_path):
    database = Database(sqlite_url(tmp_path))
    await database.aclose()
    async with asyncio.timeout(5):
        with pytest.raises(StorageUnavailable, match="closed"):
            await database.write(saying("late"))
