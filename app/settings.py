"""Typed settings from the environment and `.env`. Fails at start, naming the variable."""

import codecs
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.errors import SettingsInvalid
from app.core.providers import PROVIDERS, Provider
from app.core.reading import utf16_without_mark
from app.core.text import Language

PACKAGE = Path(__file__).parent
IN_CHECKOUT = (PACKAGE.parent / "pyproject.toml").is_file()
PAGE = PACKAGE.parent if IN_CHECKOUT else PACKAGE / "page"
"""Where public/, .chainlit/ and the welcome pages are: a built wheel has them inside the package."""


def default_data_dir() -> Path:
    """./data where the code is a checkout; installed, the folder in which the system keeps the data of
    a user's programs."""
    return Path("data") if IN_CHECKOUT else user_data_path("konsilium", appauthor=False)


class CommonSettings(BaseSettings):
    """Every field is a variable of the same name in capitals; all are optional.

    `.env.example` and docs/settings.md document each; a test fails where one is missing there.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _bare(cls, value: Any, info: ValidationInfo) -> Any:
        """Blanks and line ends around a value do not count: a key read from a file ends in one. Nor do quotes:
        `docker run --env-file` hands them over as they stand in the file; but a password may begin with one."""
        if not isinstance(value, str):
            return value
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        return value[1:-1].strip() if quoted and info.field_name != "admin_password" else value

    # Model servers
    ollama_host: str = "http://localhost:11434"
    ollama_num_ctx: int | None = Field(default=None, ge=256)
    """Tokens of context for every Ollama model; unset: what each has by itself, more where a
    conversation needs it."""
    ollama_keep_alive: str = "30m"
    """How long Ollama keeps a model in memory after a call; `time`, or `name=time` for one server,
    comma-separated."""
    first_token_seconds: float | None = Field(default=None, gt=0)
    """How long a model may take to its first word; unset: 600 s where it is local, 120 s in a cloud."""
    model_name: str | None = None
    openai_servers: SecretStr | None = None
    model_aliases: str = ""
    """Names of one's own for models, for the API: `fast = ollama/gemma3:4b, yandex/yandexgpt-lite`, several separated by `;`. The next
    model is asked where one fails; `model*3` has three shares of the requests."""
    embedded_model: str | None = None
    model_hub: str = "https://huggingface.co"
    """Where `repo:file` of EMBEDDED_MODEL is fetched from: an address with the hub's paths."""
    embedding_model: str | None = None
    cache_check_model: str | None = None
    citation_check_model: str | None = None
    summary_model: str | None = None
    speech_model: str = ""
    """`server/model` that reads answers aloud, `off`, or empty: a local one where there is any."""
    speech_voice: str = "alloy"

    # Knowledge
    knowledge_folders: str = ""
    """Folders kept as knowledge bases: `Handbook=/srv/handbook`, comma-separated."""

    # The web
    searxng_url: str | None = None
    """A SearXNG whose settings allow `format: json`: models may search the web."""
    read_pages: bool = False
    """Models may read pages of the web without a search, too."""
    web_allowed: str = ""
    """Hosts, `.domains` and networks, comma-separated, that pages may be read from besides public
    addresses: an intranet."""

    # Storage
    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=default_data_dir)
    redis_url: SecretStr | None = None

    # People
    auth_mode: Literal["local", "password", "header", "oauth"] = "local"
    auth_header: str = "X-Forwarded-User"
    """With AUTH_MODE=header: the header in which the proxy names the user, and which it must not take
    from anybody else."""
    oauth_allowed: str = ""
    """With AUTH_MODE=oauth: domains and e-mail addresses, comma-separated, of those who may come in;
    empty: whoever the provider vouches for."""
    admin_password: SecretStr | None = None
    chainlit_auth_secret: SecretStr | None = None
    require_api_key: bool = False
    allowed_hosts: str = ""
    """Host names, comma-separated, besides loopback's, that requests may name (`password`,
    `header`, `oauth`: empty means any)."""

    allowed_origins: str = ""
    """Origins of other pages, comma-separated, that may use /v1 and /api without a key, with
    AUTH_MODE=local or a signed-in browser: `http://localhost:3000`."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses and networks, comma-separated, whose X-Forwarded-For says who asks."""

    # The app
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    shutdown_grace_seconds: float = Field(default=20, ge=0)
    """How long a shutdown lets answers finish before it stops and keeps them."""
    app_language: Language | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    def values_of(self, provider: Provider) -> dict[str, str]:
        """What the environment says of that provider, by the names of its fields; what it does not
        say is left out."""
        values: dict[str, str] = {}
        for one in provider.variables:
            said = getattr(self, str(one.variable).lower(), None)
            if said is not None:
                values[one.name] = said.get_secret_value() if isinstance(said, SecretStr) else said
        return values

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the database: SQLite in DATA_DIR where none is given."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'konsilium.db'}"

    def auth_secret(self) -> str:
        """The key that signs session cookies: given, or made once and kept in DATA_DIR (0600)."""
        if self.chainlit_auth_secret is not None:
            return self.chainlit_auth_secret.get_secret_value()
        return kept_secret(self.data_dir / "auth_secret")


def settings_with(providers: Iterable[Provider]) -> type[CommonSettings]:
    """The settings with the variables of these providers."""
    fields: dict[str, Any] = {
        one.variable.lower(): ((SecretStr if one.secret else str) | None, None)
        for provider in providers
        for one in provider.variables
        if one.variable
    }
    return create_model("Settings", __base__=CommonSettings, **fields)


if TYPE_CHECKING:
    Settings = CommonSettings
else:
    Settings = settings_with(PROVIDERS)


def kept_secret(path: Path) -> str:
    """The secret in that file; made there, readable by its owner alone, when it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = _create_private(path)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with open(descriptor, "w", encoding="ascii") as file:
        secret = secrets.token_urlsafe(48)
        file.write(secret)
    return secret


def _create_private(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)


def write_private(path: Path, text: str) -> None:
    """Writes a file that the app alone may read, whole or not at all. Raises OSError; blocks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = _create_private(beside)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:  # raised again: whatever it is, no half-written file stays
        beside.unlink(missing_ok=True)
        raise


def environment() -> dict[str, str]:
    """All variables: of `.env`, and before them those of the process."""
    written = dotenv_values(ENV_FILE, encoding=_encoding_of(ENV_FILE))
    return {**{name: value for name, value in written.items() if value}, **os.environ}


ENV_FILE = Path(".env")


def load_settings() -> CommonSettings:
    """The settings, or SettingsInvalid with the name of the first variable that is wrong."""
    try:
        return Settings(_env_file_encoding=_encoding_of(ENV_FILE))  # type: ignore[call-arg]  # pydantic-settings' own parameter
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsInvalid(variable, first["msg"]) from None


def _encoding_of(path: Path) -> str:
    """How that file is read: UTF-8, UTF-16 with its mark as PowerShell writes it, or, where only
    comments hold other letters, any. Raises SettingsInvalid for a value in another encoding."""
    try:
        data = path.read_bytes()
    except OSError:
        return "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if (wide := utf16_without_mark(data)) is not None:
        return wide
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        for number, line in enumerate(data.splitlines(), start=1):
            if not (line.isascii() or line.lstrip().startswith(b"#")):
                why = f"line {number} is not UTF-8: save the file as UTF-8"
                raise SettingsInvalid(str(path), why) from None
        return "latin-1"
    return "utf-8-sig"
