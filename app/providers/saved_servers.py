"""Servers that administrators named while the app ran: a file in DATA_DIR that the app alone may read."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from app.core.errors import NotFound, SettingsInvalid, StorageUnavailable
from app.core.models import GATEWAY_SERVER
from app.core.ports import ModelServer, NewcomerServer, NewServer
from app.core.providers import PROVIDERS, Preset, Provider, checked_key, is_local, pasted
from app.providers.openai_compatible import RefusedParameters, connected
from app.settings import write_private

log = logging.getLogger(__name__)

FILE = "servers.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}", re.IGNORECASE)


class SavedServers:
    """Implements core.ports.ServerRegistry. What the environment configures goes first."""

    def __init__(
        self,
        folder: Path,
        taken: Collection[str] = (),
        *,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        providers: Sequence[Provider] = PROVIDERS,
        first_token: float | None = None,
        refused: RefusedParameters | None = None,
    ) -> None:
        """`taken`: the names of the servers that the environment configures; `environment`: by
        provider, what it says of a field that a form leaves out, such as another address."""
        self._path = folder / FILE
        self._environment = environment or {}
        self._providers = {one.name: one for one in providers if one.fields}
        self._taken = {GATEWAY_SERVER, *taken}
        self._first_token = first_token
        self._refused = refused

    def servers(self) -> list[ModelServer]:
        """Those kept, but for names the environment has taken since; one that is wrong is logged."""
        servers: list[ModelServer] = []
        for new in self._read():
            try:
                servers.append(self.build(new))
            except SettingsInvalid as error:
                log.warning("%s: %s", self._path, error.detail)
        return servers

    @property
    def kept(self) -> dict[str, NewServer]:
        """The servers of the file, as far as the environment does not configure them too."""
        named = ((name, new) for new in self._read() for name in self._names([new]))
        return {name: new for name, new in named if name not in self._taken}

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        return frozenset(self.kept)

    def meant(self, new: NewServer, former: str | None = None) -> list[NewServer]:
        """The address with the scheme and the path that it lacks, and as it is; the key of `former`."""
        before = self.kept.get(former or "")
        if new.name and new.name != former and new.name in self._taken | self.kept.keys():
            raise SettingsInvalid("name", f"{new.name} is taken")
        ways = [replace(new, url=url) for url in meant_by(new.url)]
        if before is None or new.key or not before.key:
            return ways
        host = _host(self.address(before))
        if new.provider != before.provider or any(_host(self.address(one)) != host for one in ways):
            raise SettingsInvalid("former", "its key is kept for another address")
        return [replace(one, key=before.key) for one in ways]

    def address(self, new: NewServer) -> str:
        """The base of its URL."""
        return self._preset(new).base_url

    def keys(self) -> Iterator[str]:
        """The keys, to be kept out of the log."""
        return (key for new in self._read() if (key := pasted(new.key)))

    def build(self, new: NewServer) -> NewcomerServer:
        """The server; nothing is asked yet."""
        preset = self._preset(new)
        if preset.name in self._taken:
            raise SettingsInvalid(preset.name, "configured by the environment, which goes first")
        key = checked_key(new.key, "key")
        return connected(preset, key, first_token=self._first_token, refused=self._refused)

    def _preset(self, new: NewServer) -> Preset:
        """How to talk to it: it is called as its provider, else after its host. Raises SettingsInvalid."""
        provider = self._providers.get(new.provider)
        if provider is None:
            raise SettingsInvalid("provider", f"not {new.provider!r}")
        beside = self._environment.get(new.provider, {})
        preset = provider.connection({**beside, **new.values})
        preset = preset if provider.preset and provider.preset.base_url else at(preset)
        if not new.name:
            return preset
        if not _NAME.fullmatch(new.name):
            raise SettingsInvalid("name", "Latin letters, digits, dots, hyphens")
        return replace(preset, name=new.name)

    async def keep(self, new: NewServer, former: str | None = None) -> None:
        """Writes it down in place of `former` and of one with the same name."""
        await self._write([*self._but(self._preset(new).name, former), new])

    async def forget(self, name: str) -> None:
        """Strikes it out, with its key."""
        if name not in self.kept:
            raise NotFound(f"{name} is not kept here")
        await self._write(self._but(name))

    def _but(self, *names: str | None) -> list[NewServer]:
        return [one for one in self._read() if not {*names} & {*self._names([one])}]

    def _names(self, listed: Sequence[NewServer]) -> Iterator[str]:
        """Of those that have one."""
        for new in listed:
            with contextlib.suppress(SettingsInvalid):
                yield self._preset(new).name

    async def _write(self, servers: Sequence[NewServer]) -> None:
        try:
            await asyncio.to_thread(self._replace, servers)
        except OSError as error:
            raise StorageUnavailable(f"{self._path}: {error.strerror}") from error

    def _read(self) -> list[NewServer]:
        try:
            listed = json.loads(self._path.read_text(encoding="utf-8"))
            return [_server(**entry) for entry in listed["servers"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.error("%s cannot be read: %s", self._path, type(error).__name__)
            return []

    def _replace(self, servers: Sequence[NewServer]) -> None:
        listed = {"servers": [{"provider": one.provider, **one.values} for one in servers]}
        write_private(self._path, json.dumps(listed, ensure_ascii=False, indent=1))


def _server(
    *, provider: str, key: str = "", url: str = "", name: str = "", **fields: str
) -> NewServer:
    """An entry of the file."""
    return NewServer(provider, key, url, fields, name)


def meant_by(url: str) -> list[str]:
    """Addresses that a person may mean: `127.0.0.1:8080` is http, a host of the internet https, and the
    API of most servers is below /v1."""
    url = url.strip()
    if url and "://" not in url:
        url = f"{'http' if is_local(f'http://{url}') else 'https'}://{url}"
    try:
        bare = bool(url) and urlsplit(url).path in ("", "/")
    except ValueError:
        return [url]  # `at` says what is wrong with it
    return [f"{url.rstrip('/')}/v1", url] if bare else [url]


def _host(url: str) -> str:
    return urlsplit(url).netloc


def at(preset: Preset) -> Preset:
    """A server given by its address, called after its host (`api.example.com`, `localhost-8001`).
    Raises SettingsInvalid."""
    try:
        address = urlsplit(preset.base_url)
        host, port = address.hostname, address.port
    except ValueError as error:
        raise SettingsInvalid("url", "no URL") from error
    blank = any(letter.isspace() for letter in host or "")
    if address.scheme not in ("http", "https") or not host or blank or address.username is not None:
        raise SettingsInvalid("url", "http://host:port/v1, without a key in it")
    plain = host.replace(":", "-")
    name = f"{plain}-{port}" if port else plain
    local = is_local(preset.base_url)
    return replace(preset, name=name, local=local, props=local)
