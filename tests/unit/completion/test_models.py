import time

import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.core.errors import ModelNotFound, NoModels, ServerUnavailable
from app.core.models import LoadState, ModelProfile, ModelRef
from tests.unit.completion.fakes import FakeServer


async def models_of(*servers: FakeServer, default: str | None = None) -> Models:
    models = Models(Catalogue(servers), Prices(), default=default)
    await models.refresh()
    return models


def loaded(server: str, name: str) -> ModelProfile:
    load = LoadState(1, 1, 4096, None)
    return ModelProfile(ModelRef(server, name), load=load, local=True)


async def test_a_full_name_is_found_with_or_without_its_latest_tag() -> None:
    models = await models_of(FakeServer("ollama", "gemma2:latest"))
    assert models.resolve("ollama/gemma2:latest") == ModelRef("ollama", "gemma2:latest")
    assert models.resolve("ollama/gemma2") == ModelRef("ollama", "gemma2:latest")


async def test_a_bare_name_is_found_on_the_server_that_has_it_loaded() -> None:
    a, b = FakeServer("a", "qwen3:8b"), FakeServer("b", loaded("b", "qwen3:8b"))
    models = await models_of(a, b)
    assert models.resolve("qwen3:8b") == ModelRef("b", "qwen3:8b")


async def test_a_name_with_slashes_of_its_own_is_found() -> None:
    models = await models_of(FakeServer("openrouter", "deepseek/deepseek-chat", local=False))
    expected = ModelRef("openrouter", "deepseek/deepseek-chat")
    assert models.resolve("openrouter/deepseek/deepseek-chat") == expected
    assert models.resolve("deepseek/deepseek-chat") == expected


async def test_an_unknown_name_is_not_found_and_near_ones_are_offered() -> None:
    models = await models_of(FakeServer("ollama", "gemma2:2b", "qwen3:8b"))
    with pytest.raises(ModelNotFound) as caught:
        models.resolve("ollama/gema2:2b")
    assert caught.value.near[0] == "ollama/gemma2:2b"


async def test_nothing_near_is_looked_for_where_a_name_is_longer_than_any() -> None:
    models = await models_of(FakeServer("ollama", "gemma2:2b"))
    before = time.process_time()
    with pytest.raises(ModelNotFound) as caught:
        models.resolve("ollama/" + "gemma2" * 1_000_000)
    assert time.process_time() - before < 1
    assert (caught.value.near, caught.value.model) == ((), None)
    assert len(caught.value.detail) < 100


async def test_no_name_means_the_configured_default() -> None:
    models = await models_of(FakeServer("ollama", "a", "b"), default="b")
    assert models.resolve("") == ModelRef("ollama", "b")


async def test_no_name_and_no_default_means_a_loaded_model_else_the_first() -> None:
    server = FakeServer("ollama", "a", loaded("ollama", "b"))
    models = await models_of(server)
    assert models.resolve("") == ModelRef("ollama", "b")
    server.models = [server.profile("a"), server.profile("b")]
    await models.refresh()
    assert models.resolve("") == ModelRef("ollama", "a")


async def test_servers_without_models_are_no_models_and_servers_down_say_so() -> None:
    server = FakeServer("ollama")
    models = await models_of(server)
    with pytest.raises(NoModels):
        models.resolve("")
    server.down = True
    await models.refresh()
    with pytest.raises(ServerUnavailable):
        models.resolve("")


async def test_a_server_that_nobody_named_and_that_was_never_there_is_not_spoken_of() -> None:
    assumed = FakeServer("ollama", assumed=True)
    assumed.down = True
    with pytest.raises(NoModels):
        (await models_of(assumed)).resolve("")
    cloud = FakeServer("cloud", local=False)
    cloud.down = True
    with pytest.raises(ServerUnavailable) as down:
        (await models_of(assumed, cloud)).resolve("")
    assert down.value.server == "cloud"


async def test_a_model_of_a_server_that_went_away_is_still_known() -> None:
    server = FakeServer("ollama", "a")
    models = await models_of(server)
    server.down = True
    states = await models.refresh()
    assert states[0].models == ()
    assert not states[0].reachable
    assert models.resolve("a") == models.resolve("ollama/a") == ModelRef("ollama", "a")


async def test_an_unknown_server_is_not_found() -> None:
    models = await models_of(FakeServer("ollama", "a"))
    with pytest.raises(ModelNotFound):
        models.resolve("nowhere/a")


async def test_a_server_that_does_not_list_everything_may_be_asked_for_anything() -> None:
    server = FakeServer("yandex", "yandexgpt-lite", local=False)
    server.lists_all = False
    models = await models_of(server)
    assert models.resolve("yandex/gpt://b1g/tuned") == ModelRef("yandex", "gpt://b1g/tuned")
    with pytest.raises(ModelNotFound):
        models.resolve("gpt-tuned")
