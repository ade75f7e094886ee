"""Settings are read whatever surrounds them; what cannot be read is said in a line, by its name."""

import contextlib
from pathlib import Path

import pytest

from app.bootstrap import secrets_of
from app.cli import give_home
from app.core.errors import KeyUnusable, SettingsInvalid
from app.core.providers import checked_key, provider_of
from app.providers.configured import ollama_hosts, openai_servers
from app.settings import load_settings

LINES = "YANDEX_API_KEY=AQVN1\nAPP_LANGUAGE=ru\n"


@pytest.mark.parametrize(
    "data",
    [
        LINES.encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.replace("\n", "\r\n").encode(),
        LINES.encode("utf-16"),
        LINES.encode("utf-16-le"),
        LINES.encode("utf-16-be"),
        (LINES + "# мой сервер\n").encode("cp1251"),
        (LINES + "# мій сервер\n").encode("utf-8"),
    ],
    ids=[
        "utf-8",
        "mark",
        "crlf",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "cp1251 comment",
        "utf-8 comment",
    ],
)
def test_an_env_file_of_any_editor_is_read(data, tmp_path: Path, monkeypatch):
    (tmp_path / ".env").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.app_language == "ru"
    assert settings.values_of(provider_of("yandex")) == {"key": "AQVN1"}


def test_a_value_in_another_encoding_is_refused_by_its_line(tmp_path: Path, monkeypatch):
    (tmp_path / ".env").write_bytes("APP_LANGUAGE=ru\nAUTH_HEADER=Имя\n".encode("cp1251"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsInvalid, match=r"\.env.*line 2.*UTF-8"):
        load_settings()


def test_blanks_line_ends_and_quotes_around_a_value_do_not_count(tmp_path: Path, monkeypatch):
    """Docker hands over the quotes of an env file as they stand there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", '"8123" ')
    monkeypatch.setenv("APP_LANGUAGE", "'uk'")
    monkeypatch.setenv("ADMIN_PASSWORD", '"a password in quotes"')
    quoted = load_settings()
    assert (quoted.port, quoted.app_language) == (8123, "uk")
    assert quoted.admin_password is not None
    assert quoted.admin_password.get_secret_value() == '"a password in quotes"'
    monkeypatch.setenv("YANDEX_API_KEY", " AQVN1\r\n")
    monkeypatch.setenv("YANDEX_FOLDER_ID", "b1g\n")
    yandex = provider_of("yandex")
    assert load_settings().values_of(yandex) == {"key": "AQVN1", "folder": "b1g"}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("AQ VN1", "blank"),
        ("AQ\nVN1", "line end"),
        ("АQVN1", "character 1 .*cyrillic capital letter a"),
        ("AQ\xa0VN1", "after character 2"),
        ("AQVN1 two", "blank"),
        ("sk-…", "character 4"),
        ("sk-...ab12", "character 4 .*shortened"),
        ("sk-****ab12", "shortened"),
        ("••••••ab12", "shortened"),
        ("sk–proj", "en dash"),
        ("Bearer сk-1", "character 1 .*cyrillic small letter es"),
    ],
)
def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent(key, why):
    with pytest.raises(SettingsInvalid, match=why) as caught:
        checked_key(key, "YANDEX_API_KEY")
    assert key not in caught.value.detail
    with pytest.raises(SettingsInvalid, match="OPENAI_SERVERS"):
        openai_servers(f"lab=http://x/v1|{key}")


@pytest.mark.parametrize(
    "copied",
    [
        '"{}"', "'{}'", "`{}`", "«{}»", "“{}”", " {} ", "\xa0{}\u202f", "{}\r\n", "<{}>", "[{}]", "{},", '"{}";',
        "\ufeff{}", "{}\u200b", "\u2060{}\u00ad", "Bearer {}", "bearer  {}", "Api-Key {}", "Basic {}", "Token {}",
        "Authorization: Bearer {}", '"Authorization": "Bearer {}"', "x-api-key: {}", "api_key={}", "apiKey: '{}'",
        "OPENAI_API_KEY={}", 'export OPENAI_API_KEY="{}"', "set OPENAI_API_KEY = {}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["sk-proj_a.b/c+d==", "TVRJek1KEY==", "AQVN1", "token"])
def test_what_is_copied_along_with_a_key_does_not_count(copied, key):
    assert checked_key(copied.replace("{}", key), "KEY") == key
    split = [one for one in copied if one in ",|"]
    if not split:
        [(_, _, used, _)] = openai_servers(f"lab=http://x/v1|{copied.replace('{}', key)}")
        assert used == key


@pytest.mark.parametrize("key", ["sk-…", "Bearer", "token", "KEY=", "a=b", "==", '"', ""])
def test_whatever_stands_in_place_of_a_key_is_one_or_refused(key):
    with contextlib.suppress(KeyUnusable):
        assert checked_key(checked_key(key, "KEY"), "KEY") == checked_key(key, "KEY")


@pytest.mark.parametrize("host", ["http://localhost:11434/v1", "gpu=http://gpu:11434/v1/"])
def test_an_ollama_host_ending_in_v1_gets_one_clear_sentence(host):
    with pytest.raises(SettingsInvalid, match="leave out the /v1"):
        ollama_hosts(host)


def test_keys_in_a_list_of_servers_are_kept_out_of_the_log(monkeypatch):
    listed = "lab=http://x/v1|sk-first, mini=http://y/v1|sk-second|MiniMax-M2 lab/other:7b"
    monkeypatch.setenv("OPENAI_SERVERS", listed)
    assert {"sk-first", "sk-second"} <= set(secrets_of(load_settings()))


def test_a_user_that_the_machine_does_not_know_has_a_home():
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    environment = {"DATA_DIR": "/srv/konsilium"}
    give_home(environment, nobody)
    assert environment == {"DATA_DIR": "/srv/konsilium", "HOME": "/srv/konsilium"}
    known = {"HOME": "/home/anna"}
    give_home(known, lambda: Path("/home/anna"))
    assert known == {"HOME": "/home/anna"}
