"""The app whose conversations last; one for all files here but that of several people."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import visitor
from tests.e2e.lasting.house import House
from tests.processes import running


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = House(tmp_path_factory.mktemp("lasting"))
    with running(opened.models, opened.app):
        yield opened


@pytest.fixture
def page(chromium: Browser, house: House) -> Iterator[Page]:
    yield from visitor(chromium, house.app.url)
