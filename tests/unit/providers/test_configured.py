"""Which servers the environment names."""

import pytest
from pydantic import SecretStr

from app.core.errors import SettingsInvalid
from app.core.models import Capability
from app.core.providers import PRESETS, FolderNames, any_server, base_of, is_local
from app.providers.configured import keep_alive, ollama_hosts, openai_servers, servers_from
from app.providers.openai_compatible.listing import profile
from app.settings import Settings


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg,arg-type]  # pydantic-settings' own parameter


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("http://localhost:11434", [("ollama", "http://localhost:11434")]),
        ("localhost", [("ollama", "http://localhost:11434")]),
        ("192.168.1.5:8080/", [("ollama", "http://192.168.1.5:8080")]),
        ("0.0.0.0", [("ollama", "http://127.0.0.1:11434")]),
        (":11500", [("ollama", "http://127.0.0.1:11500")]),
        ("https://gpu.example.com", [("ollama", "https://gpu.example.com")]),
        (
            "localhost, gpu2=http://10.0.0.2:11434 ,",
            [("ollama", "http://localhost:11434"), ("gpu2", "http://10.0.0.2:11434")],
        ),
        ("a,b", [("ollama", "http://a:11434"), ("ollama2", "http://b:11434")]),
        ("", []),
    ],
)
def test_ollama_host_is_a_list_of_names_and_addresses(
    value: str, hosts: list[tuple[str, str]]
) -> None:
    assert ollama_hosts(value) == hosts


def test_openai_servers_may_have_keys() -> None:
    value = "lab=http://10.0.0.3:8000/v1, x.ai=https://api.x.ai/v1|xai-secret=1"
    assert openai_servers(value) == [
        ("lab", "http://10.0.0.3:8000/v1", "", ()),
        ("x.ai", "https://api.x.ai/v1", "xai-secret=1", ()),
    ]


def test_openai_servers_may_name_models() -> None:
    value = "mini=http://10.0.0.3/v1|key|MiniMax-M2 lab/other:7b, bare=http://10.0.0.4/v1||only"
    assert openai_servers(value) == [
        ("mini", "http://10.0.0.3/v1", "key", ("MiniMax-M2", "lab/other:7b")),
        ("bare", "http://10.0.0.4/v1", "", ("only",)),
    ]


@pytest.mark.parametrize(
    "value", ["http://x/v1", "lab", "lab=ftp://x", "la b=http://x", "a=http://u:p@x/v1"]
)
def test_openai_servers_that_cannot_be_read_name_the_variable(value: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        openai_servers(value)
    assert caught.value.variable == "OPENAI_SERVERS"


def test_every_configured_server_is_there_ollama_first() -> None:
    servers = servers_from(
        settings(
            ollama_host="localhost",
            yandex_api_key="k",
            yandex_folder_id="f",
            deepseek_api_key="k",
            openai_servers="lab=http://127.0.0.1:1/v1",
            embedded_model="off",
        )
    )
    assert [(s.name, s.local) for s in servers] == [
        ("ollama", True),
        ("yandex", False),
        ("deepseek", False),
        ("lab", True),
    ]


@pytest.mark.parametrize(
    ("values", "variable"),
    [
        ({"yandex_api_key": "k"}, "YANDEX_FOLDER_ID"),
        ({"openai_servers": "ollama=http://x/v1"}, "OPENAI_SERVERS"),
        ({"openai_servers": "konsilium=http://x/v1"}, "OPENAI_SERVERS"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(values: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsInvalid, match=variable):
        servers_from(settings(**values))


def test_no_key_is_shown_by_a_server() -> None:
    secret = settings(openai_servers="lab=http://x/v1|topsecret").openai_servers
    assert isinstance(secret, SecretStr)
    assert "topsecret" not in repr(secret)


def test_yandex_models_are_seen_by_their_short_names() -> None:
    names = FolderNames("b1g")
    for id, name in [
        ("gpt://b1g/yandexgpt-lite/latest", "yandexgpt-lite"),
        ("gpt://b1g/yandexgpt/rc", "yandexgpt/rc"),
        ("emb://b1g/text-search-doc/latest", "text-search-doc"),
        ("gpt://other/tuned/latest", "gpt://other/tuned/latest"),
    ]:
        assert names.name(id) == name
        assert names.id(name) == id
    assert FolderNames("b1g").id("text-search-query") == "emb://b1g/text-search-query/latest"
    for name in ("text-embeddings-v2-doc", "text-embeddings-v2-query"):
        assert FolderNames("b1g").id(name) == f"emb://b1g/{name}/latest"


def test_an_endpoints_url_becomes_a_base() -> None:
    endpoint = "https://llm.api.cloud.yandex.net/foundationModels/v1/chat/completions/"
    assert base_of(endpoint) == "https://llm.api.cloud.yandex.net/foundationModels/v1"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1/v1", True),
        ("http://192.168.0.2/v1", True),
        ("http://gpu:8000/v1", True),
        ("http://box.local/v1", True),
        ("http://[::1]:8080", True),
        ("https://api.x.ai/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_an_address_of_this_network_is_local(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_windows_and_prices_come_from_whoever_knows_them() -> None:
    openrouter = {
        "id": "x/y",
        "context_length": 200_000,
        "pricing": {"prompt": "0.000003", "completion": "0.000015"},
        "supported_parameters": ["tools", "structured_outputs"],
        "architecture": {"input_modalities": ["text", "image"]},
        "created": 1_700_000_000,
    }
    found = profile(PRESETS["openrouter"], openrouter, None)
    assert found is not None
    assert found.window == 200_000
    assert found.price is not None
    assert (found.price.currency, str(found.price.output)) == ("USD", "0.015000")
    assert {c.value for c in found.capabilities} == {"completion", "tools", "json_schema", "vision"}
    lab = any_server("lab", "http://10.0.0.1/v1")
    vllm = profile(lab, {"id": "qwen", "max_model_len": 32768}, None)
    llama = profile(lab, {"id": "m", "meta": {"n_ctx": 4096, "size": 5}}, 9)
    props = profile(lab, {"id": "m"}, 8192)
    assert vllm is not None
    assert llama is not None
    assert props is not None
    assert (vllm.window, llama.window, props.window) == (32768, 4096, 8192)
    assert vllm.local


@pytest.mark.parametrize("id", ["dall-e-3", "omni-moderation-latest", "gpt-realtime"])
def test_what_nobody_can_talk_to_is_not_listed(id: str) -> None:
    assert profile(PRESETS["openai"], {"id": id}, None) is None


@pytest.mark.parametrize("id", ["tts-1", "gpt-4o-mini-tts", "kokoro"])
def test_a_model_of_speech_reads_aloud_and_does_nothing_else(id: str) -> None:
    found = profile(PRESETS["openai"], {"id": id}, None)
    assert found is not None
    assert found.capabilities == {Capability.SPEECH}


def test_how_long_models_stay_in_memory_is_said_for_all_servers_or_for_one() -> None:
    assert keep_alive("30m") == {"": "30m"}
    assert keep_alive("1h30m, gpu2=-1,lab=0,old=server") == {
        "": "1h30m",
        "gpu2": -1,
        "lab": 0,
        "old": None,
    }
    assert keep_alive("30") == {"": 30}, "seconds"
    for wrong in ("soon", "30 min", "gpu2=ever"):
        with pytest.raises(SettingsInvalid, match="OLLAMA_KEEP_ALIVE"):
            keep_alive(wrong)
