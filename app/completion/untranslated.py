"""The servers that themselves speak OpenAI's protocol, as the catalogue has them now."""

from collections.abc import Iterator, Mapping

from app.completion.catalogue import Catalogue
from app.core.ports import PassesThrough, PassThrough


class Untranslated(Mapping[str, PassThrough]):
    """By the server's name; servers that join later are there, too."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def __getitem__(self, name: str) -> PassThrough:
        raw: PassThrough | None = getattr(self._catalogue.servers[name], "raw", None)
        if raw is None:  # not isinstance: to tell a Protocol takes 7 µs, of each request
            raise KeyError(name)
        return raw

    def __iter__(self) -> Iterator[str]:
        for name, server in self._catalogue.servers.items():
            if isinstance(server, PassesThrough):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)
