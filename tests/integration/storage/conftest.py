"""Every test of the stores runs on SQLite and on PostgreSQL."""

import asyncio
import shutil

import pytest
import pytest_asyncio

from app.storage.database import Database
from app.storage.migrations import apply
from app.storage.storage import Storage
from tests.postgres import running_postgres

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


def sqlite_url(folder):
    return f"sqlite+aiosqlite:///{folder / 'konsilium.db'}"


def migrate(url):
    """Brings an empty database up to date."""

    async def upgrade():
        database = Database(url)
        await apply.upgrade(database)
        await database.aclose()

    asyncio.run(upgrade())


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres):
    url = postgres.database()
    migrate(url)
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrated")
    migrate(sqlite_url(folder))
    return folder / "konsilium.db"


@pytest.fixture(params=BOTH)
def empty_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return sqlite_url(tmp_path)


@pytest.fixture(params=BOTH)
def url(request, tmp_path):
    """The URL of a database that is up to date."""
    if request.param == "postgres":
        like = request.getfixturevalue("migrated_postgres")
        return request.getfixturevalue("postgres").database(like)
    shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "konsilium.db")
    return sqlite_url(tmp_path)


@pytest_asyncio.fixture
async def storage(url, tmp_path):
    opened = await Storage(url, tmp_path).open()
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture(params=BOTH)
async def elsewhere(request, tmp_path):
    """An empty storage of either kind."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
    else:
        url = sqlite_url(folder)
    opened = await Storage(url, folder).open()
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture
async def ann(storage):
    return await storage.users.add("ann")


@pytest_asyncio.fixture
async def bob(storage):
    return await storage.users.add("bob")
