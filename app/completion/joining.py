"""Servers named while the app runs: asked first, kept only if they answer, and let go again."""

import logging
from collections.abc import Callable

from app.completion.catalogue import Catalogue
from app.core.errors import NoModels
from app.core.models import ServerState
from app.core.ports import NewServer, ServerBook

log = logging.getLogger(__name__)


class Joining:
    """Lets new servers into the catalogue, and out of it."""

    def __init__(
        self, catalogue: Catalogue, book: ServerBook, *, kept: Callable[[], None] = lambda: None
    ) -> None:
        """`kept` is called when the servers written down, with their keys, have changed."""
        self._catalogue = catalogue
        self._book = book
        self._kept = kept

    async def join(self, new: NewServer) -> ServerState:
        """The new server's state, its models among the others from now on.

        Raises what is wrong with it: SettingsInvalid, WrongKey, ServerUnavailable, MalformedAnswer,
        NoModels where it lists none, QuotaExceeded, StorageUnavailable where it could not be kept.
        """
        server = self._book.build(new)
        try:
            state = await server.state()
            if state.error is not None:
                raise state.error
            if not state.models:
                raise NoModels("it lists no models", server=server.name)
            await server.prove_key(state.models)
            await self._book.keep(new)
        except BaseException:  # raised again: a cancelled join leaves no connection either
            await server.aclose()
            raise
        self._kept()
        await self._catalogue.replace(server)
        log.info("server %s joined with %d models", server.name, len(state.models))
        return state

    @property
    def names(self) -> frozenset[str]:
        """The servers that joined so, now or before the last start."""
        return self._book.names

    async def leave(self, name: str) -> None:
        """Forgets a server that joined, and its key; no list has it from now on.

        Raises NotFound where the environment configures it or nobody does, StorageUnavailable.
        """
        await self._book.forget(name)
        self._kept()
        await self._catalogue.remove(name)
        log.info("server %s left", name)
