"""A server named while the app runs: asked first, kept only if it answers, then one among the others."""

import logging
from collections.abc import Callable

from app.completion.catalogue import Catalogue
from app.core.errors import NoModels
from app.core.models import ServerState
from app.core.ports import NewServer, ServerBook

log = logging.getLogger(__name__)


class Joining:
    """Lets new servers into the catalogue."""

    def __init__(
        self, catalogue: Catalogue, book: ServerBook, *, kept: Callable[[], None] = lambda: None
    ) -> None:
        """`kept` is called when one more server, with its key, has been written down."""
        self._catalogue = catalogue
        self._book = book
        self._kept = kept

    async def join(self, new: NewServer) -> ServerState:
        """The new server's state, its models among the others from now on.

        Raises what is wrong with it: SettingsInvalid, WrongKey, ServerUnavailable, MalformedAnswer,
        NoModels where it lists none, StorageUnavailable where it could not be kept.
        """
        server = self._book.build(new)
        try:
            state = await server.state()
            if state.error is not None:
                raise state.error
            if not state.models:
                raise NoModels("it lists no models", server=server.name)
            await self._book.keep(new)
        except BaseException:
            await server.aclose()
            raise
        self._kept()
        await self._catalogue.replace(server)
        log.info("server %s joined with %d models", server.name, len(state.models))
        return state
