"""Every test of the stores runs on SQLite and on PostgreSQL."""

import pytest
import pytest_asyncio

from app.storage.storage import Storage
from tests.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres():
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").database()
    return f"sqlite+aiosqlite:///{tmp_path / 'konsilium.db'}"


@pytest_asyncio.fixture
async def storage(url, tmp_path):
    opened = await Storage(url, tmp_path).open()
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture
async def ann(storage):
    return await storage.users.add("ann")


@pytest_asyncio.fixture
async def bob(storage):
    return await storage.users.add("bob")
