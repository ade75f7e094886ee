"""A provider is one row: settings, files, guide, saved servers and doctor are made from it."""

from pathlib import Path

import pytest

from app.cli.doctor import remedy_for
from app.cli.reference import DOCS, ENV, renewed_files
from app.core.errors import ServerUnavailable, SettingsInvalid
from app.core.ports import NewServer
from app.core.providers import PROVIDERS, FormField, Preset, Provider, provider_of
from app.core.text import same
from app.providers.configured import servers_from
from app.providers.saved_servers import SavedServers
from app.settings import Settings, settings_with
from app.view.server_form import provider_form

ACME = Provider(
    "acme",
    same("Acme Cloud"),
    Preset("acme", "http://127.0.0.1:9/v1", headers={"X-Team": "{team}"}, provider="acme"),
    (
        FormField("key", same("Key"), "ACME_API_KEY", secret=True),
        FormField("team", same("Team"), "ACME_TEAM", "The team that pays"),
    ),
    remedy=same("Ask Acme."),
    keys_at="https://acme.test/keys",
    prices_at="https://acme.test/prices",
    quirks=("answers in capitals",),
)
WITH_ACME = (*PROVIDERS, ACME)


async def test_a_new_row_is_a_setting_and_a_server(monkeypatch):
    monkeypatch.setenv("ACME_API_KEY", "a-secret")
    monkeypatch.setenv("ACME_TEAM", "blue")
    settings = settings_with(WITH_ACME)(_env_file=None)  # type: ignore[call-arg]  # pydantic-settings' own parameter
    assert "a-secret" not in repr(settings)
    servers = servers_from(settings, providers=WITH_ACME)
    assert [server.name for server in servers if not server.local] == ["acme"]
    assert ACME.connection(settings.values_of(ACME)).headers == {"X-Team": "blue"}


def test_what_a_row_needs_besides_its_key_is_asked_for_by_the_variable(monkeypatch):
    monkeypatch.setenv("ACME_API_KEY", "a-secret")
    settings = settings_with(WITH_ACME)(_env_file=None)  # type: ignore[call-arg]  # pydantic-settings' own parameter
    with pytest.raises(SettingsInvalid, match="ACME_TEAM") as caught:
        servers_from(settings, providers=WITH_ACME)
    assert "ACME_API_KEY" in caught.value.detail


def test_a_new_row_stands_in_the_example_and_in_the_docs():
    files = renewed_files(WITH_ACME)
    assert "# ACME_API_KEY=\n# ACME_TEAM=\n" in files[ENV]
    assert "| `ACME_TEAM` |  | The team that pays |" in files[DOCS]
    assert "answers in capitals" in files[DOCS]


@pytest.mark.parametrize("path", [ENV, DOCS], ids=lambda path: path.name)
def test_the_files_are_as_the_table_makes_them(path):
    assert renewed_files(PROVIDERS)[path] == path.read_text("utf-8"), "python -m app reference"


def test_a_new_row_is_a_form_in_the_guide():
    form = provider_form(ACME, "ru")
    assert form["label"] == "Acme Cloud"
    assert [(one["name"], one["secret"]) for one in form["fields"]] == [
        ("key", True),
        ("team", False),
    ]
    assert form["env"] == ["ACME_API_KEY=", "ACME_TEAM="]


async def test_what_the_form_asked_for_is_saved_and_read_again(tmp_path: Path):
    saved = SavedServers(tmp_path, providers=WITH_ACME)
    await saved.keep(NewServer("acme", "a-secret", fields={"team": "blue"}))
    again = SavedServers(tmp_path, providers=WITH_ACME)
    assert again.names == {"acme"}
    assert [server.name for server in again.servers()] == ["acme"]
    assert list(again.keys()) == ["a-secret"]


def test_a_file_of_an_earlier_release_is_read(tmp_path: Path):
    (tmp_path / "servers.json").write_text(
        '{"servers": [{"provider": "yandex", "key": "k", "folder": "b1g", "url": ""}]}'
    )
    assert SavedServers(tmp_path).names == {"yandex"}


async def test_doctor_says_the_rows_remedy():
    (server,) = servers_from(
        settings_with(WITH_ACME)(  # type: ignore[call-arg]  # pydantic-settings' own parameter
            _env_file=None,
            ollama_host="",
            embedded_model="off",
            acme_api_key="k",
            acme_team="t",
        ),
        providers=WITH_ACME,
    )
    state = await server.state()
    assert state.provider == "acme"
    remedy = remedy_for(state, ServerUnavailable("refused"), WITH_ACME)
    assert remedy is not None
    assert remedy["en"] == "Ask Acme."
    await server.aclose()


def test_every_row_says_where_its_keys_and_prices_are():
    for row in PROVIDERS:
        if row.variables:
            assert row.keys_at, row.name
            assert row.prices_at, row.name


def test_every_variable_of_a_row_is_a_setting():
    fields = {one.variable for row in PROVIDERS for one in row.variables}
    assert {str(name).lower() for name in fields} <= set(Settings.model_fields)
    assert provider_of("unheard-of").name == "other"


@pytest.mark.parametrize("name", [row.name for row in PROVIDERS if row.fields])
async def test_every_row_is_a_server_once_its_form_is_filled_in(name: str, tmp_path: Path):
    fields = {field.name: field.default or "x" for field in provider_of(name).fields}
    url = (
        fields.pop("url", "") if name != "other" else fields.pop("url") and "http://127.0.0.1:9/v1"
    )
    key = fields.pop("key", "")
    server = SavedServers(tmp_path).build(NewServer(name, key, url, fields))
    assert server.name
    await server.aclose()


def test_a_key_in_a_header_of_its_own_is_put_there():
    preset = provider_of("anthropic").connection({"key": "sk-1"})
    assert preset.headers["x-api-key"] == "sk-1"
