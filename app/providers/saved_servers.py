"""Servers that administrators named while the app ran: a file in DATA_DIR that the app alone may read."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from app.core.errors import NotFound, SettingsInvalid, StorageUnavailable
from app.core.models import GATEWAY_SERVER
from app.core.ports import ModelServer, NewcomerServer, NewServer
from app.core.providers import PROVIDERS, Preset, Provider, is_local
from app.providers.openai_compatible import RefusedParameters, connected
from app.settings import write_private

log = logging.getLogger(__name__)

FILE = "servers.json"


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
    def names(self) -> frozenset[str]:
        """The servers of the file, as far as the environment does not configure them too."""
        return frozenset(self._names(self._read())) - self._taken

    def keys(self) -> Iterator[str]:
        """The keys, to be kept out of the log."""
        return (new.key for new in self._read() if new.key)

    def build(self, new: NewServer) -> NewcomerServer:
        """The server; nothing is asked yet."""
        preset = self._preset(new)
        if preset.name in self._taken:
            raise SettingsInvalid(preset.name, "configured by the environment, which goes first")
        return connected(preset, new.key, first_token=self._first_token, refused=self._refused)

    def _preset(self, new: NewServer) -> Preset:
        """How to talk to it: it is called as its provider, else after its host. Raises SettingsInvalid."""
        provider = self._providers.get(new.provider)
        if provider is None:
            raise SettingsInvalid("provider", f"not {new.provider!r}")
        beside = self._environment.get(new.provider, {})
        preset = provider.connection({**beside, **new.values})
        return preset if provider.preset and provider.preset.base_url else at(preset)

    async def keep(self, new: NewServer) -> None:
        """Writes it down in place of one with the same name."""
        await self._write([*self._but(self._preset(new).name), new])

    async def forget(self, name: str) -> None:
        """Strikes it out, with its key."""
        if name not in self.names:
            raise NotFound(f"{name} is not kept here")
        await self._write(self._but(name))

    def _but(self, name: str) -> list[NewServer]:
        return [one for one in self._read() if name not in self._names([one])]

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


def _server(*, provider: str, key: str = "", url: str = "", **fields: str) -> NewServer:
    """An entry of the file."""
    return NewServer(provider, key, url, fields)


def at(preset: Preset) -> Preset:
    """A server given by its address, called after its host (`api.example.com`, `localhost-8001`).
    Raises SettingsInvalid."""
    try:
        address = urlsplit(preset.base_url)
        host, port = address.hostname, address.port
    except ValueError as error:
        raise SettingsInvalid("url", "no URL") from error
    if address.scheme not in ("http", "https") or not host or address.username is not None:
        raise SettingsInvalid("url", "http://host:port/v1, without a key in it")
    plain = host.replace(":", "-")
    name = f"{plain}-{port}" if port else plain
    local = is_local(preset.base_url)
    return replace(preset, name=name, local=local, props=local)
