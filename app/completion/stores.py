"""The models that servers keep: fetched, loaded, unloaded, removed, and the list told of it at once."""

from app.completion.catalogue import Catalogue
from app.core.errors import Unsupported
from app.core.ports import ModelLoader, ModelStore


class Stores:
    """The servers of the catalogue whose models can be changed from here."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def loads(self, server: str) -> bool:
        """Whether that server's models can be loaded and unloaded."""
        return isinstance(self._catalogue.servers.get(server), ModelLoader)

    def has(self, server: str) -> bool:
        """Whether that server's models can be fetched and removed, too."""
        return isinstance(self._catalogue.servers.get(server), ModelStore)

    def of(self, server: str) -> ModelStore:
        """The store of that server. Raises Unsupported where it is none, or not there."""
        store: object = self._catalogue.servers.get(server)
        if isinstance(store, ModelStore):
            return store
        raise Unsupported(f"the models of {server} are not kept here", server=server)

    def _loader(self, server: str) -> ModelLoader:
        loader: object = self._catalogue.servers.get(server)
        if isinstance(loader, ModelLoader):
            return loader
        raise Unsupported(f"{server} loads its models by itself", server=server)

    async def load(self, server: str, model: str) -> None:
        """Loads the model into memory ahead of the first question."""
        await self._loader(server).load(model)
        await self._catalogue.look(server)

    async def unload(self, server: str, model: str) -> None:
        """Frees the model's memory."""
        await self._loader(server).unload(model)
        await self._catalogue.look(server)

    async def remove(self, server: str, model: str) -> None:
        """Deletes the model from the server's disk. Raises ModelNotFound."""
        await self.of(server).remove(model)
        await self._catalogue.look(server)

    async def look(self, server: str) -> None:
        """Lists the server's models anew."""
        await self._catalogue.look(server)
