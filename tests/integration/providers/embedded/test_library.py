"""From the offer to the answer: agreed, fetched, checked, remembered, run."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from app.core.errors import NotFound, SettingsInvalid, StorageUnavailable, Unsupported
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.models import EmbeddedOffer, ServerState
from app.core.providers import any_server
from app.core.requests import ModelRequest, Sampling
from app.providers.embedded.hub import Hub, HubFile, source_of
from app.providers.embedded.library import Library, Suggestion
from app.providers.embedded.server import EmbeddedServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.gguf_model import make_gguf
from tests.simulators.hub import HubSimulator
from tests.waiting import until

NAME = HubSimulator.NAME
GB = 2**30
DAY = date(2026, 11, 28)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_gguf(tmp_path_factory.mktemp("hub") / "babbler.gguf").read_bytes()


def connect(url: str, key: str) -> OpenAICompatibleServer:
    return OpenAICompatibleServer(any_server("embedded", url), key)


@asynccontextmanager
async def library_of(
    folder: Path, url: str, configured: str | None = NAME, memory: int | None = 16 * GB
) -> AsyncIterator[Library]:
    library = Library(folder, Hub(url), configured, memory=lambda: memory)
    async with aclosing(library):
        yield library


async def offered(
    library: Library, as_awaited: Callable[[EmbeddedOffer], object]
) -> EmbeddedOffer | None:
    """The library's one offer, once it is as awaited."""
    (offer,) = await library.offers()
    return offer if as_awaited(offer) else None


def error_of(state: ServerState) -> str:
    assert state.error is not None
    return state.error.detail


async def test_nothing_is_fetched_before_it_is_agreed_to(tmp_path: Path, content: bytes) -> None:
    async with HubSimulator(content) as hub, library_of(tmp_path, hub.url) as library:
        (offer,) = await library.offers()
        assert (offer.name, offer.state) == (NAME, "offered")
        assert (offer.size_bytes, offer.licence) == (len(content), "apache-2.0")
        await library.offers()
        assert sorted(hub.asked) == ["HEAD", "card"]
        assert hub.ranges == []
        server = EmbeddedServer(library, connect)
        assert "to be downloaded first" in error_of(await server.state())


async def test_agreed_to_it_is_fetched_and_answers(tmp_path: Path, content: bytes) -> None:
    arrived = asyncio.Event()

    async def welcome() -> None:
        arrived.set()

    async with HubSimulator(content) as hub, library_of(tmp_path, hub.url) as library:
        library.subscribe(welcome)
        hub.pause = 0.02
        server = EmbeddedServer(library, connect)
        async with aclosing(server):
            library.download(NAME)
            library.download(NAME)
            offer = await until(lambda: offered(library, lambda offer: offer.completed_bytes))
            assert offer.state == "downloading"
            assert offer.size_bytes == len(content)
            assert "downloading" in error_of(await server.state())
            hub.pause = 0
            await asyncio.wait_for(arrived.wait(), 10)
            (offer,) = await library.offers()
            assert (offer.state, offer.size_bytes) == ("ready", len(content))
            (model,) = (await server.state()).models
            request = ModelRequest((Message.user("Привет"),), Sampling(max_tokens=5))
            said = [event async for event in server.model(model.ref.name).stream(request)]
            assert isinstance(said[0], TextDelta)
            assert hub.ranges == [""]


async def test_removed_its_file_and_the_choice_are_gone(tmp_path: Path, content: bytes) -> None:
    async with HubSimulator(content) as hub:
        suggested = [
            Suggestion(HubFile("test/babbler", "babbler.gguf"), 1, "MIT", date(2026, 1, 1))
        ]
        library = Library(
            tmp_path, Hub(hub.url), None, memory=lambda: 16 * GB, suggestions=suggested
        )
        told: list[bool] = []

        async def changed() -> None:
            told.append(library.wanted is not None)

        async with aclosing(library):
            with pytest.raises(NotFound):
                await library.remove(NAME)
            library.subscribe(changed)
            library.download(NAME)
            await until(lambda: told)
            (offer,) = await library.offers()
            assert (offer.state, offer.ours) == ("ready", True)
            await library.remove(NAME)
            assert told == [True, False]
            (offer,) = await library.offers()
            assert (offer.state, offer.ours) == ("offered", False)
    assert list(tmp_path.rglob("*.gguf")) == []  # noqa: ASYNC240  # a folder of the test's own


async def test_stopped_it_stays_for_a_resumption(tmp_path: Path, content: bytes) -> None:
    async with HubSimulator(content) as hub, library_of(tmp_path, hub.url) as library:
        hub.pause = 0.05
        library.download(NAME)
        await until(lambda: offered(library, lambda offer: offer.completed_bytes))
        await library.cancel(NAME)
        (offer,) = await library.offers()
        assert offer.state == "offered"
        assert 0 < offer.completed_bytes < len(content)
        hub.pause = 0
        library.download(NAME)
        await until(lambda: offered(library, lambda offer: offer.state == "ready"))
        assert hub.ranges[1].startswith("bytes=")


async def test_a_failed_download_says_why_and_may_be_tried_again(
    tmp_path: Path, content: bytes
) -> None:
    async with HubSimulator(content) as hub, library_of(tmp_path, hub.url) as library:
        good, hub.sha256 = hub.sha256, "0" * 64
        library.download(NAME)
        offer = await until(lambda: offered(library, lambda offer: offer.error))
        assert offer.state == "offered"
        assert "checksum" in error_of(await EmbeddedServer(library, connect).state())
        hub.sha256 = good
        library.download(NAME)
        await until(lambda: offered(library, lambda offer: offer.state == "ready"))
        assert (await library.offers())[0].error is None


async def test_a_hub_that_does_not_answer_leaves_size_and_licence_unknown(tmp_path: Path) -> None:
    async with library_of(tmp_path, "http://127.0.0.1:9") as library:
        (offer,) = await library.offers()
        assert (offer.size_bytes, offer.licence) == (None, None)


@pytest.mark.parametrize(
    ("memory", "sizes"),
    [(32 * GB, ["4B", "2B"]), (6 * GB, ["2B"]), (2 * GB, []), (None, ["2B"])],
)
async def test_what_is_suggested_fits_the_memory(
    tmp_path: Path, memory: int | None, sizes: list[str]
) -> None:
    async with library_of(tmp_path, "http://127.0.0.1:9", None, memory) as library:
        offers = await library.offers()
        assert library.wanted is None
        assert len(offers) == len(sizes)
        for offer, size in zip(offers, sizes, strict=True):
            assert size in offer.name
            assert offer.licence == "Apache-2.0"
            assert offer.as_of is not None
            assert {"ru", "uk"} <= set(offer.languages)
            assert (offer.size_bytes or 0) > 10**9
        with pytest.raises(NotFound):
            library.download("somebody/else:model.gguf")


async def test_a_suggestion_that_was_agreed_to_is_remembered(
    tmp_path: Path, content: bytes
) -> None:
    file = HubFile("test/babbler", "babbler.gguf")
    suggested = (Suggestion(file, len(content), "MIT", date(2026, 11, 20)),)
    async with HubSimulator(content) as hub:
        first = Library(tmp_path, Hub(hub.url), None, memory=lambda: 16 * GB, suggestions=suggested)
        async with aclosing(first):
            assert hub.asked == []
            first.download(NAME)
            await until(lambda: offered(first, lambda offer: offer.state == "ready"))
        async with library_of(tmp_path, hub.url, None) as second:
            assert second.wanted == file
            assert second.path().is_file()


async def test_a_suggestion_that_the_hub_has_otherwise_is_told(
    tmp_path: Path, content: bytes
) -> None:
    right = Suggestion(HubFile("test/babbler", "babbler.gguf"), len(content), "MIT", DAY)
    larger = Suggestion(right.file, len(content) + 1, "MIT", DAY)
    gone = Suggestion(HubFile("test/babbler", "gone.gguf"), 1, "MIT", DAY)
    async with HubSimulator(content) as hub:
        sha256 = hashlib.sha256(content).hexdigest()
        pinned = replace(right, file=replace(right.file, sha256=sha256))
        for told, outdated in (([pinned], 0), ([pinned, larger, gone], 2)):
            library = Library(tmp_path, Hub(hub.url), None, suggestions=told)
            async with aclosing(library):
                assert len(await library.outdated()) == outdated
    unreachable = Library(tmp_path, Hub("http://127.0.0.1:9"), None, suggestions=[gone])
    async with aclosing(unreachable):
        assert await unreachable.outdated() == ()


def test_a_value_is_a_file_or_a_file_of_the_hub(tmp_path: Path) -> None:
    assert source_of("Qwen/Q-GGUF:q4.gguf") == HubFile("Qwen/Q-GGUF", "q4.gguf")
    assert source_of("a/b:sub/q4.gguf") == HubFile("a/b", "sub/q4.gguf")
    assert source_of("a/b:q4.gguf@" + "A" * 64) == HubFile("a/b", "q4.gguf", "a" * 64)
    for path in ("/models/q4.gguf", "q4.gguf", "./m/q4.gguf", "C:\\models\\q4.gguf", "C:/m/q.gguf"):
        assert source_of(path) == Path(path)
    for escape in ("a/..:q4.gguf", "a/b:../../q4.gguf"):
        with pytest.raises(SettingsInvalid):
            source_of(escape)


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.gguf")
    async with library_of(tmp_path, "http://127.0.0.1:9", missing) as library:
        server = EmbeddedServer(library, connect)
        state = await server.state()
        assert f"{missing}: no such file" in error_of(state)
        (offer,) = await library.offers()
        assert offer.state == "unusable"
        assert isinstance(offer.error, NotFound)


async def test_without_llama_cpp_it_says_how_to_get_it(tmp_path: Path) -> None:
    hub = Hub("http://127.0.0.1:9")
    async with aclosing(Library(tmp_path, hub, NAME, installed=lambda: False)) as library:
        server = EmbeddedServer(library, connect)
        assert "pip install xllamacpp" in error_of(await server.state())
        (offer,) = await library.offers()
        assert offer.state == "unusable"
        assert isinstance(offer.error, Unsupported)


async def test_a_file_of_this_machine_is_chosen_run_and_let_go_again(tmp_path: Path) -> None:
    first, second = (make_gguf(tmp_path / f"{name}.gguf", seed=n) for n, name in enumerate("ab"))
    folder = tmp_path / "data"
    async with library_of(folder, "http://127.0.0.1:9", configured=None) as library:
        told: list[str] = []

        async def listen() -> None:
            told.append(library.name)

        library.subscribe(listen)
        async with aclosing(EmbeddedServer(library, connect)) as server:
            for file in (first, second):  # the process of the first makes room for the second
                await library.choose(str(file))
                (model,) = (await server.state()).models
                assert model.ref.name == file.stem
                question = ModelRequest((Message.user("?"),), Sampling(max_tokens=3))
                async for event in server.model(file.stem).stream(question):
                    assert event
                assert (await server.state()).extra == {"state": "running"}
            (offer,) = await library.offers()
            assert (offer.state, offer.chosen, offer.ours) == ("ready", True, False)
        async with library_of(folder, "http://127.0.0.1:9", configured=None) as restarted:
            assert restarted.wanted == second
        await library.remove(str(second))
        assert second.is_file()
        assert library.wanted is None
        assert told == [str(first), str(second), ""]


async def test_what_is_no_model_or_not_to_be_chosen_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.gguf"
    other.write_text("no model")
    async with library_of(tmp_path / "data", "http://127.0.0.1:9", configured=None) as library:
        for path, error in (
            (str(other), SettingsInvalid),
            ("notes.gguf", SettingsInvalid),
            (str(tmp_path), StorageUnavailable),
            (str(tmp_path / "none.gguf"), NotFound),
        ):
            with pytest.raises(error):
                await library.choose(path)
        assert library.wanted is None
    async with library_of(tmp_path, "http://127.0.0.1:9", str(other)) as library:
        with pytest.raises(SettingsInvalid):
            await library.choose(str(other))


async def test_files_are_found_that_a_model_can_be_started_from(tmp_path: Path) -> None:
    names = ("one.gguf", "deep/big-00001-of-00002.gguf", "big-00002-of-00002.gguf", "mmproj-x.gguf")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    async with library_of(tmp_path, "http://127.0.0.1:9", configured=None) as library:
        here = [one for one in await library.found() if one.startswith(str(tmp_path))]
    assert [Path(one).name for one in here] == ["big-00001-of-00002.gguf", "one.gguf"]
