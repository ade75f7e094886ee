"""The real Chainlit app behind our sign-in, over a real database."""

from dataclasses import dataclass

import chainlit.data
import httpx
import pytest_asyncio
from chainlit.config import config
from chainlit.server import app as chainlit_app

from app.access.origins import Origins
from app.access.passwords import Passwords
from app.access.people import People
from app.access.sessions import Sessions
from app.knowledge.indexing import IndexingQueue
from app.knowledge.library import Library
from app.storage.storage import Storage
from app.view.bin import bin_router
from app.view.chainlit.auth import Tokens, create_token, register
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.dicts import persisted
from app.view.chainlit.pages import closed_router, feedback_router
from app.view.errors import answer_errors
from app.view.files import files_router
from app.view.knowledge import knowledge_router
from app.view.sign_in import AuthMiddleware
from tests.unit.access.test_passwords import CHEAP


@dataclass
class House:
    """Everything a visitor meets."""

    storage: Storage
    people: People
    layer: DataLayer
    local: bool
    header: str | None = None

    @property
    def sessions(self):
        return Sessions(self.storage.key_values)

    @property
    def app(self):
        tokens = Tokens(self.people, self.sessions)
        return AuthMiddleware(
            chainlit_app, self.people, tokens, Origins(local=self.local), header=self.header
        )

    def visit(self, user=None, address="127.0.0.1", host="127.0.0.1:8000"):
        """A browser, signed in as `user`."""
        browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(address, 50_000)),
            base_url=f"http://{host}",
        )
        if user is not None:
            browser.cookies.set("access_token", create_token(persisted(user)))
        return browser


async def _open(tmp_path, local):
    storage = await Storage(f"sqlite+aiosqlite:///{tmp_path / 'konsilium.db'}", tmp_path).open()
    people = People(storage.users, Passwords(CHEAP))
    layer = DataLayer(people, storage.threads, storage.elements)
    # Chainlit asks for the data layer once a process and keeps it: each test brings its own.
    chainlit.data._data_layer, chainlit.data._data_layer_initialized = layer, True  # noqa: SLF001
    register(
        people,
        storage.threads,
        "local" if local else "password",
        "a secret for tests, of 32 bytes or more",
    )
    answer_errors(chainlit_app)
    before = list(chainlit_app.router.routes)
    chainlit_app.include_router(files_router(storage.elements))
    chainlit_app.include_router(feedback_router(layer))
    chainlit_app.include_router(closed_router())
    chainlit_app.include_router(bin_router(storage.threads, "archive"))
    indexing = IndexingQueue(Library(storage.knowledge))
    chainlit_app.include_router(knowledge_router(indexing, storage.knowledge))
    ours = [route for route in chainlit_app.router.routes if route not in before]
    chainlit_app.router.routes[:] = ours + before
    return House(storage, people, layer, local), before


async def _close(house, before):
    chainlit_app.router.routes[:] = before
    config.code.password_auth_callback = None
    await house.storage.aclose()


@pytest_asyncio.fixture
async def house(tmp_path):
    """AUTH_MODE=password."""
    opened, before = await _open(tmp_path, local=False)
    yield opened
    await _close(opened, before)


@pytest_asyncio.fixture
async def home(tmp_path):
    """AUTH_MODE=local."""
    opened, before = await _open(tmp_path, local=True)
    yield opened
    await _close(opened, before)


@pytest_asyncio.fixture
async def ann(house):
    return await house.people.add("ann", "ann's password")


@pytest_asyncio.fixture
async def bob(house):
    return await house.people.add("bob", "bob's password")
