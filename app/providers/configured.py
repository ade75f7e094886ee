"""The model servers that the settings name."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from app.core.errors import SettingsInvalid
from app.core.models import GATEWAY_SERVER
from app.core.ports import ModelServer
from app.core.providers import PROVIDERS, Provider, checked_key
from app.providers.deadline import timeouts_for
from app.providers.embedded.bundled import bundled_model
from app.providers.embedded.hub import Hub
from app.providers.embedded.library import Library
from app.providers.embedded.server import NAME, EmbeddedServer
from app.providers.ollama import OllamaServer
from app.providers.openai_compatible import (
    RefusedParameters,
    any_server,
    check_authorities,
    connected,
)
from app.providers.saved_servers import SavedServers
from app.settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\Z", re.IGNORECASE)


def library_from(settings: Settings) -> Library:
    """The models that may run inside the app. Raises SettingsInvalid."""
    folder = settings.data_dir / "models"
    return Library(
        folder, Hub(settings.model_hub), settings.embedded_model, bundled=bundled_model()
    )


def embedded_server(library: Library) -> ModelServer:
    """The server `embedded`, which runs what is wanted of the library."""

    def connect(url: str, key: str) -> ModelServer:
        return connected(any_server(NAME, url), key)

    return EmbeddedServer(library, connect)


def servers_from(
    settings: Settings,
    library: Library | None = None,
    providers: Sequence[Provider] = PROVIDERS,
    refused: RefusedParameters | None = None,
) -> list[ModelServer]:
    """One server for each that is configured, Ollama's first. Raises SettingsInvalid.

    `library`: that of this process, where it has one already; `refused`: what models do not take.
    """
    refused = refused or RefusedParameters()
    kept = keep_alive(settings.ollama_keep_alive)
    servers: list[ModelServer] = [
        OllamaServer(
            name,
            url,
            keep_alive=kept.get(name, kept.get("")),
            timeouts=timeouts_for(local=True, first_token=settings.first_token_seconds),
            num_ctx=settings.ollama_num_ctx,
            assumed="ollama_host" not in settings.model_fields_set,
        )
        for name, url in ollama_hosts(settings.ollama_host)
    ]
    servers += _with_keys(settings, providers, refused)
    if settings.openai_servers is not None:
        listed = settings.openai_servers.get_secret_value()
        servers += [
            connected(
                any_server(name, url, models),
                key,
                first_token=settings.first_token_seconds,
                refused=refused,
            )
            for name, url, key, models in openai_servers(listed)
        ]
    library = library or library_from(settings)
    if library.wanted is not None:
        servers.append(embedded_server(library))
    _no_name_twice(server.name for server in servers)
    return servers


def registry_of(
    settings: Settings,
    configured: Iterable[ModelServer],
    refused: RefusedParameters | None = None,
) -> SavedServers:
    """The servers named while the app ran, beside those the environment configures."""
    names = [server.name for server in configured]
    said = {one.name: settings.values_of(one) for one in PROVIDERS}
    return SavedServers(
        settings.data_dir,
        names,
        environment=said,
        first_token=settings.first_token_seconds,
        refused=refused,
    )


def ollama_hosts(listed: str) -> list[tuple[str, str]]:
    """OLLAMA_HOST as (name, url): `url` or `name=url`, comma-separated; the first is `ollama`. Raises
    SettingsInvalid for one that is the OpenAI form's base."""
    hosts: list[tuple[str, str]] = []
    for position, item in enumerate(part for part in listed.split(",") if part.strip()):
        name, url = _named(item, f"ollama{position + 1}" if position else "ollama", "OLLAMA_HOST")
        if re.search(r"/v1/?$", url):
            raise SettingsInvalid("OLLAMA_HOST", f"{url}: leave out the /v1 at its end")
        hosts.append((name, _ollama_url(url)))
    return hosts


def keep_alive(listed: str) -> dict[str, str | int | None]:
    """OLLAMA_KEEP_ALIVE by the server's name, that of all others under "": seconds, or a duration as Go
    writes it; None is for Ollama to say. Raises SettingsInvalid."""
    times: dict[str, str | int | None] = {}
    for item in (part for part in listed.split(",") if part.strip()):
        name, time = _named(item, "", "OLLAMA_KEEP_ALIVE")
        if re.fullmatch(r"-?\d+", time):
            times[name] = int(time)
        elif time == "server" or re.fullmatch(r"-?(\d+(\.\d+)?(ms|s|m|h))+", time):
            times[name] = None if time == "server" else time
        else:
            raise SettingsInvalid(
                "OLLAMA_KEEP_ALIVE", f"{time!r} is no time like 30m, 2h, -1 or server"
            )
    return times


def openai_servers(listed: str) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """OPENAI_SERVERS as (name, url, key, models): `name=url`, `name=url|key` or `name=url|key|models`,
    comma-separated, the models by blanks."""
    servers: list[tuple[str, str, str, tuple[str, ...]]] = []
    for item in (part for part in listed.split(",") if part.strip()):
        address, _, rest = item.partition("|")
        key, _, models = rest.partition("|")
        name, url = _named(address, "", "OPENAI_SERVERS")
        if not name or not url.startswith(("http://", "https://")):
            raise SettingsInvalid(
                "OPENAI_SERVERS", "each is name=url, name=url|key or name=url|key|models"
            )
        if "@" in urlsplit(url).netloc:
            raise SettingsInvalid("OPENAI_SERVERS", f"{name}: a key stands after |, not in the URL")
        named = tuple(dict.fromkeys(models.split()))
        servers.append((name, url, checked_key(key, "OPENAI_SERVERS"), named))
    return servers


def _named(item: str, name: str, variable: str) -> tuple[str, str]:
    before, equals, after = item.strip().partition("=")
    if not equals or "/" in before:  # an = may also stand inside a bare URL
        return name, item.strip()
    if not _NAME.match(before.strip()):
        raise SettingsInvalid(variable, f"a server's name is of letters and digits: {before!r}")
    return before.strip(), after.strip()


def _ollama_url(address: str) -> str:
    """As Ollama reads its own variable: port 11434 where no scheme is given, 0.0.0.0 is this machine."""
    address = address.rstrip("/")
    if "://" not in address:
        host = address if not address.startswith(":") else f"127.0.0.1{address}"
        has_port = re.search(r":\d+(/|$)", host) is not None
        address = f"http://{host}" if has_port else f"http://{host}:11434"
    return address.replace("://0.0.0.0", "://127.0.0.1", 1)


def _with_keys(
    settings: Settings, providers: Sequence[Provider], refused: RefusedParameters
) -> Iterable[ModelServer]:
    for provider in providers:
        values = settings.values_of(provider)
        if "key" in values:
            preset = provider.connection(values)
            check_authorities(preset, f"{provider.name.upper()}_CA_BUNDLE_FILE")
            yield connected(
                preset,
                provider.told(values)["key"],
                first_token=settings.first_token_seconds,
                refused=refused,
            )


def _no_name_twice(names: Iterable[str]) -> None:
    seen = {GATEWAY_SERVER}
    for name in names:
        if name in seen:
            raise SettingsInvalid(
                "OLLAMA_HOST, OPENAI_SERVERS", f"{name!r} is taken: name it otherwise"
            )
        seen.add(name)
