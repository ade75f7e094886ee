"""The servers with models, and what changes them while the app runs: servers are named, asked first, kept
only if they answer, and let go again; models are fetched and removed."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.completion.catalogue import Catalogue
from app.completion.pulls import Pulls, Stores
from app.core.errors import NoModels
from app.core.models import ServerState
from app.core.ports import EmbeddedModels, NewServer, ServerRegistry

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

    async def join(self, new: NewServer) -> ServerState:
        """The new server's state, its models among the others from now on.

        Raises what is wrong with it: SettingsInvalid, WrongKey, ServerUnavailable, MalformedAnswer,
        NoModels where it lists none, QuotaExceeded, StorageUnavailable where it could not be kept.
        """
        server = self._registry.build(new)
        try:
            state = await server.state()
            if state.error is not None:
                raise state.error
            if not state.models:
                raise NoModels("it lists no models", server=server.name)
            await server.check_key(state.models)
            await self._registry.keep(new)
        except BaseException:  # raised again: a cancelled join leaves no connection either
            await server.aclose()
            raise
        self._changed()
        await self._catalogue.replace(server)
        log.info("server %s joined with %d models", server.name, len(state.models))
        return state

    @property
    def names(self) -> frozenset[str]:
        """The servers that joined so, now or before the last start."""
        return self._registry.names

    async def leave(self, name: str) -> None:
        """Forgets a server that joined, and its key; no list has it from now on.

        Raises NotFound where the environment configures it or nobody does, StorageUnavailable.
        """
        await self._registry.forget(name)
        self._changed()
        await self._catalogue.remove(name)
        log.info("server %s left", name)


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
