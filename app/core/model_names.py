"""A server's ids for its models, and the names people see."""

from typing import Protocol

from app.core.models import Capability


class ModelNames(Protocol):
    """Maps both ways between an id on the wire and a model's name."""

    def name(self, id: str) -> str:
        """The name people see."""
        ...

    def id(self, name: str) -> str:
        """The id to send."""
        ...

    def capability(self, id: str) -> Capability | None:
        """What the id itself says the model is for."""
        ...


class PlainNames:
    """Ids are names."""

    def name(self, id: str) -> str:
        return id

    def id(self, name: str) -> str:
        return name

    def capability(self, id: str) -> Capability | None:
        return None


class FolderNames:
    """Yandex: `gpt://<folder>/yandexgpt-lite/latest` is seen as `yandexgpt-lite`.

    A version other than latest stays in the name (`yandexgpt/rc`). Embedding models are
    `emb://<folder>/text-search-doc/latest`.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._schemes: dict[str, str] = {}

    def name(self, id: str) -> str:
        scheme, separator, rest = id.partition("://")
        if not separator:
            return id
        folder, _, model = rest.partition("/")
        if folder != self._folder:
            return id
        name = model.removesuffix("/latest")
        self._schemes[name] = scheme
        return name

    def id(self, name: str) -> str:
        if "://" in name:
            return name
        version = "" if "/" in name else "/latest"
        return f"{self._schemes.get(name, self._scheme(name))}://{self._folder}/{name}{version}"

    def capability(self, id: str) -> Capability | None:
        return Capability.EMBEDDING if id.startswith("emb://") else None

    def _scheme(self, name: str) -> str:
        return "emb" if name.startswith("text-search-") else "gpt"
