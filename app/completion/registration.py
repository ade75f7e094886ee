"""The servers with models, and what changes them while the app runs: servers are named, asked first, kept
only if they answer, and let go again; models are fetched and removed."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.completion.catalogue import Catalogue
from app.completion.pulls import Pulls, Stores
from app.core.errors import MalformedAnswer, ModelNotFound, NoModels, NotFound, SettingsInvalid
from app.core.models import ServerState
from app.core.ports import (
    EmbeddedModels,
    ModelServer,
    NewcomerServer,
    NewServer,
    ServerRegistry,
)

log = logging.getLogger(__name__)


class ServerRegistration:
    """Lets new servers into the catalogue, and out of it."""

    def __init__(
        self,
        catalogue: Catalogue,
        registry: ServerRegistry,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is called when the servers written down, with their keys, have changed."""
        self._catalogue = catalogue
        self._registry = registry
        self._changed = changed

    async def join(self, new: NewServer, former: str | None = None) -> ServerState:
        """The new server's state, its models among the others from now on, in place of `former`.

        Raises what is wrong with it: SettingsInvalid, WrongKey, ServerUnavailable, MalformedAnswer,
        NoModels where it lists none, QuotaExceeded, StorageUnavailable where it could not be kept.
        """
        likeliest, *others = self._registry.meant(new, former)
        try:
            return await self._join(likeliest, former)
        except (MalformedAnswer, ModelNotFound):  # somebody is there: perhaps at the other path
            for other in others:
                with contextlib.suppress(MalformedAnswer, ModelNotFound):
                    return await self._join(other, former)
            raise

    async def _join(self, new: NewServer, former: str | None) -> ServerState:
        server = self._registry.build(new)
        try:
            state = await _tried(server)
            await self._registry.keep(new, former)
        except BaseException:  # raised again: a cancelled join leaves no connection either
            await server.aclose()
            raise
        self._changed()
        await self._catalogue.replace(server)
        if former not in (None, server.name):
            await self._catalogue.remove(str(former))
        log.info("server %s joined with %d models", server.name, len(state.models))
        return state

    async def test(self, name: str) -> ServerState:
        """The state of a server that is there, asked now, its key tried as when it joined.

        Raises what is wrong with it, NotFound where there is none of that name.
        """
        if (server := self._catalogue.servers.get(name)) is None:
            raise NotFound(f"there is no server {name}")
        state = await _tried(server)
        await self._catalogue.look(name)
        return state

    def address(self, new: NewServer) -> str | None:
        """Where a server named so is asked first; None where that cannot be told."""
        try:
            return self._registry.address(self._registry.meant(new)[0])
        except SettingsInvalid:
            return None

    @property
    def kept(self) -> Mapping[str, NewServer]:
        """The servers that joined so, now or before the last start, by name."""
        return self._registry.kept

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        return frozenset(self.kept)

    async def leave(self, name: str) -> None:
        """Forgets a server that joined, and its key; no list has it from now on.

        Raises NotFound where the environment configures it or nobody does, StorageUnavailable.
        """
        await self._registry.forget(name)
        self._changed()
        await self._catalogue.remove(name)
        log.info("server %s left", name)


async def _tried(server: ModelServer) -> ServerState:
    """Its state, where it answers, has models and takes its key. Raises what is wrong with it."""
    state = await server.state()
    if state.error is not None:
        raise state.error
    if not state.models:
        raise NoModels("it lists no models", server=server.name)
    if isinstance(server, NewcomerServer):
        await server.check_key(state.models)
    return state


@dataclass(frozen=True, slots=True)
class ModelServers:
    """The servers with models, and what changes them while the app runs."""

    catalogue: Catalogue
    embedded: EmbeddedModels
    """The models that may run inside the app."""
    stores: Stores
    pulls: Pulls
    registration: ServerRegistration

    async def aclose(self) -> None:
        """Stops what is being fetched and closes all connections."""
        await self.pulls.aclose()
        await self.embedded.aclose()
        await self.catalogue.aclose()
