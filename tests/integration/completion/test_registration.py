"""A server named while the app runs: asked, kept in a file of its own, there again at the next start."""

from pathlib import Path

import pytest

from app.completion.catalogue import Catalogue
from app.completion.registration import ServerRegistration
from app.core.errors import (
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    NoModels,
    NotFound,
    QuotaExceeded,
    RateLimited,
    ServerUnavailable,
    SettingsInvalid,
    StorageUnavailable,
    WrongKey,
)
from app.core.ports import NewServer
from app.providers.saved_servers import FILE, SavedServers, meant_by
from tests.simulators import OllamaSimulator, OpenAISimulator

KEY = "a-key-that-must-not-leak"


async def test_a_good_key_is_kept_for_its_owner_alone_and_its_models_are_there(tmp_path: Path):
    async with OpenAISimulator(["echo"], key=KEY) as sim:
        catalogue, registry = Catalogue([]), SavedServers(tmp_path)
        registration = ServerRegistration(catalogue, registry)
        await registration.join(NewServer("other", KEY, url=f"{sim.url}/v1/chat/completions"))
        name = f"127.0.0.1-{sim.url.rpartition(':')[2]}"
        assert [str(profile.ref) for profile in catalogue.known] == [f"{name}/echo"]
        assert catalogue.servers[name].raw("echo", "/chat/completions") is not None
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
        assert list(registry.keys()) == [KEY]
        await catalogue.aclose()
        again = Catalogue(SavedServers(tmp_path).servers())
        assert [str(m.ref) for state in await again.refresh() for m in state.models] == [
            f"{name}/echo"
        ]
        await again.aclose()


async def test_yandex_needs_its_folder_and_is_asked_at_the_configured_address(tmp_path: Path):
    async with OpenAISimulator(["gpt://b1g/yandexgpt-lite/latest"], key=KEY) as sim:
        catalogue = Catalogue([])
        registration = ServerRegistration(
            catalogue, SavedServers(tmp_path, environment={"yandex": {"url": f"{sim.url}/v1"}})
        )
        with pytest.raises(SettingsInvalid):
            await registration.join(NewServer("yandex", KEY))
        await registration.join(NewServer("yandex", KEY, fields={"folder": "b1g"}))
        assert [str(profile.ref) for profile in catalogue.known] == ["yandex/yandexgpt-lite"]
        await catalogue.aclose()


async def test_a_new_key_takes_the_place_of_the_former(tmp_path: Path):
    async with OpenAISimulator(["echo"]) as sim:
        catalogue, registry = Catalogue([]), SavedServers(tmp_path)
        registration = ServerRegistration(catalogue, registry)
        for key in ("first-key", KEY):
            await registration.join(NewServer("other", key, url=f"{sim.url}/v1"))
        assert list(registry.keys()) == [KEY]
        assert len(catalogue.servers) == 1
        await catalogue.aclose()


async def test_what_does_not_work_is_not_kept(tmp_path: Path):
    async with (
        OpenAISimulator(["echo"], key=KEY) as closed,
        OpenAISimulator([]) as empty,
        OllamaSimulator([]) as stranger,
    ):
        cases: list[tuple[NewServer, tuple[type[KonsiliumError], ...]]] = [
            (NewServer("other", "wrong", url=f"{closed.url}/v1"), (WrongKey,)),
            (NewServer("other", "", url=f"{empty.url}/v1"), (NoModels,)),
            (
                NewServer("other", "", url=f"{stranger.url}/nothing"),
                (MalformedAnswer, ModelNotFound),
            ),
            (NewServer("other", "", url="http://127.0.0.1:9/v1"), (ServerUnavailable,)),
            (NewServer("other", "", url="http://key@127.0.0.1:9/v1"), (SettingsInvalid,)),
            (NewServer("other", "", url="no address"), (SettingsInvalid,)),
            (NewServer("other", "", url="http://[/v1"), (SettingsInvalid,)),
            (NewServer("nobody", KEY), (SettingsInvalid,)),
            (NewServer("openai", ""), (SettingsInvalid,)),
            (NewServer("deepseek", KEY), (SettingsInvalid,)),
        ]
        catalogue = Catalogue([])
        registration = ServerRegistration(catalogue, SavedServers(tmp_path, taken=["deepseek"]))
        for new, errors in cases:
            with pytest.raises(errors) as raised:
                await registration.join(new)
            assert KEY not in str(raised.value)
        assert catalogue.servers == {}
        assert not (tmp_path / FILE).exists()


async def test_a_list_that_everybody_gets_proves_no_key(tmp_path: Path):
    async with OpenAISimulator(["embed", "echo"], key=KEY, public=True) as sim:
        catalogue = Catalogue([])
        registration = ServerRegistration(catalogue, SavedServers(tmp_path))
        for wrong in ("wrong", ""):
            with pytest.raises(WrongKey):
                await registration.join(NewServer("other", wrong, url=f"{sim.url}/v1"))
        assert catalogue.servers == {}
        assert not (tmp_path / FILE).exists()
        await registration.join(NewServer("other", KEY, url=f"{sim.url}/v1"))
        asked = [request for request in sim.requests if request.path == "/v1/chat/completions"]
        assert len(asked) == 3
        assert asked[-1].body["max_tokens"] == 16
        await catalogue.aclose()


async def test_a_list_that_strangers_do_not_get_proves_the_key_for_nothing(tmp_path: Path):
    async with OpenAISimulator(["echo"], key=KEY) as sim:
        catalogue = Catalogue([])
        await ServerRegistration(catalogue, SavedServers(tmp_path)).join(
            NewServer("other", KEY, url=f"{sim.url}/v1")
        )
        assert {request.path for request in sim.requests} == {"/v1/models", "/props"}
        await catalogue.aclose()


@pytest.mark.parametrize(
    ("models", "error"),
    [(["error-402"], QuotaExceeded), (["error-429"], RateLimited), (["error-404"], ModelNotFound)],
)
async def test_a_key_that_cannot_be_tried_is_not_kept_and_it_is_said_why(
    tmp_path: Path, models: list[str], error: type[KonsiliumError]
):
    async with OpenAISimulator(models) as sim:
        catalogue = Catalogue([])
        with pytest.raises(error):
            await ServerRegistration(catalogue, SavedServers(tmp_path)).join(
                NewServer("other", KEY, url=f"{sim.url}/v1")
            )
        assert not (tmp_path / FILE).exists()


async def test_a_model_of_the_list_that_cannot_chat_leaves_the_proof_to_another(tmp_path: Path):
    async with OpenAISimulator(["error-400", "error-503", "echo"]) as sim:
        catalogue = Catalogue([])
        state = await ServerRegistration(catalogue, SavedServers(tmp_path)).join(
            NewServer("other", KEY, url=f"{sim.url}/v1")
        )
        assert len(state.models) == 3
        await catalogue.aclose()


async def test_a_server_that_leaves_is_forgotten_with_its_key(tmp_path: Path):
    async with OpenAISimulator(["echo"]) as sim, OpenAISimulator(["echo"]) as other:
        told: list[str] = []
        catalogue, registry = Catalogue([]), SavedServers(tmp_path)
        registration = ServerRegistration(catalogue, registry, changed=lambda: told.append("kept"))
        for server in (sim, other):
            await registration.join(NewServer("other", KEY, url=f"{server.url}/v1"))
        gone, stays = sorted(
            registration.names, key=lambda name: sim.url.rpartition(":")[2] not in name
        )
        catalogue.subscribe(lambda states: told.append(" ".join(state.name for state in states)))
        await registration.leave(gone)
        assert told == ["kept", "kept", "kept", stays]
        assert list(catalogue.servers) == [stays]
        assert {profile.ref.server for profile in catalogue.known} == {stays}
        assert registration.names == {stays}
        assert sim.url.rpartition(":")[2] not in (tmp_path / FILE).read_text()
        with pytest.raises(NotFound):
            await registration.leave(gone)
        await catalogue.aclose()


async def test_what_the_environment_configures_cannot_leave(tmp_path: Path):
    async with OpenAISimulator(["echo"]) as sim:
        first = SavedServers(tmp_path)
        await first.keep(NewServer("other", KEY, url=f"{sim.url}/v1"))
        (name,) = first.names
        taken = SavedServers(tmp_path, taken=[name])
        assert taken.names == frozenset()
        with pytest.raises(NotFound):
            await taken.forget(name)


async def test_a_folder_that_takes_no_writes_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    async with OpenAISimulator(["echo"]) as sim:
        catalogue = Catalogue([])
        registration = ServerRegistration(catalogue, SavedServers(tmp_path / "file" / "data"))
        with pytest.raises(StorageUnavailable):
            await registration.join(NewServer("other", KEY, url=f"{sim.url}/v1"))
        assert catalogue.servers == {}


def test_a_key_is_not_in_its_repr():
    assert KEY not in repr(NewServer("openai", KEY))


def test_a_broken_file_takes_no_server_away(tmp_path: Path):
    (tmp_path / FILE).write_text('{"servers": [{"provider": 1}, ')
    assert SavedServers(tmp_path).servers() == []


async def test_an_address_may_lack_its_scheme_and_its_path(tmp_path: Path):
    async with OpenAISimulator(["echo"]) as sim:
        catalogue, registry = Catalogue([]), SavedServers(tmp_path)
        registration = ServerRegistration(catalogue, registry)
        bare = sim.url.removeprefix("http://")
        assert registration.address(NewServer("other", url=bare)) == f"{sim.url}/v1"
        await registration.join(NewServer("other", url=bare, name="lab"))
        assert [str(profile.ref) for profile in catalogue.known] == ["lab/echo"]
        assert registry.kept["lab"].url == f"{sim.url}/v1"
        await catalogue.aclose()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("127.0.0.1:8080", ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"]),
        ("[::1]:8080/", ["http://[::1]:8080/v1", "http://[::1]:8080/"]),
        ("lab.local/v1", ["http://lab.local/v1"]),
        (" api.example.com ", ["https://api.example.com/v1", "https://api.example.com"]),
        ("https://api.example.com/llm/", ["https://api.example.com/llm/"]),
        ("", [""]),
    ],
)
def test_what_a_person_may_mean_by_an_address(said: str, meant: list[str]):
    assert meant_by(said) == meant


async def test_a_server_is_corrected_under_another_name_and_keeps_its_key(tmp_path: Path):
    async with OpenAISimulator(["echo"], key=KEY) as sim:
        catalogue, registry = Catalogue([]), SavedServers(tmp_path, taken=["ollama"])
        registration = ServerRegistration(catalogue, registry)
        await registration.join(NewServer("other", KEY, url=f"{sim.url}/v1", name="first"))
        corrected = NewServer("other", url=f"{sim.url}/v1", name="second")
        await registration.join(corrected, former="first")
        assert list(catalogue.servers) == ["second"]
        assert list(registry.keys()) == [KEY]
        assert set(SavedServers(tmp_path).kept) == {"second"}
        assert (await registration.test("second")).models
        for name in ("ollama", "two words", "a/b", "ключ"):
            with pytest.raises(SettingsInvalid):
                await registration.join(
                    NewServer("other", KEY, f"{sim.url}/v1", name=name), "second"
                )
        await registration.join(NewServer("other", KEY, f"{sim.url}/v1", name="third"))
        with pytest.raises(SettingsInvalid):
            await registration.join(NewServer("other", KEY, f"{sim.url}/v1", name="third"))
        assert set(registry.kept) == set(catalogue.servers) == {"second", "third"}
        await catalogue.aclose()


async def test_a_key_that_stays_goes_to_no_other_address(tmp_path: Path):
    async with OpenAISimulator(["echo"], key=KEY) as sim, OpenAISimulator(["echo"]) as stranger:
        catalogue, registry = Catalogue([]), SavedServers(tmp_path)
        registration = ServerRegistration(catalogue, registry)
        await registration.join(NewServer("other", KEY, url=f"{sim.url}/v1", name="lab"))
        with pytest.raises(SettingsInvalid):
            await registration.join(NewServer("other", url=f"{stranger.url}/v1"), former="lab")
        assert stranger.requests == []
        assert list(registry.keys()) == [KEY]
        await catalogue.aclose()


async def test_a_server_is_tested_and_says_what_is_wrong_with_it(tmp_path: Path):
    async with OpenAISimulator(["echo"], key=KEY) as sim:
        catalogue = Catalogue([])
        registration = ServerRegistration(catalogue, SavedServers(tmp_path))
        await registration.join(NewServer("other", KEY, url=f"{sim.url}/v1", name="lab"))
        sim.key = "changed"
        with pytest.raises(WrongKey):
            await registration.test("lab")
        with pytest.raises(NotFound):
            await registration.test("nobody")
        await catalogue.aclose()
