"""Names of an administrator's own for one model or several: `fast = ollama/gemma3:4b, yandex/yandexgpt-lite`."""

import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.core.concurrency import BackgroundTasks
from app.core.errors import NotAllowed, NotFound, SettingsInvalid, StorageUnavailable
from app.core.ports import KeyValueStore

log = logging.getLogger(__name__)

SCOPE = "model-aliases"
STALE_SECONDS = 2.0
"""After so long the database is asked again, in the background: another process may have changed it."""
_NAME = re.compile(r"[^\s,;=*]{1,200}")


@dataclass(frozen=True, slots=True)
class Member:
    """One model of an alias."""

    model: str
    """`server/model`, or a bare name."""
    weight: float | None = None
    """Its share of the requests, beside the others' weights; None: asked in the order given."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A name and the models that it stands for; the next is asked where one fails before it begins."""

    name: str
    members: tuple[Member, ...]
    configured: bool = False
    """From MODEL_ALIASES: not to be changed here."""


class Aliases:
    """All aliases: those of the settings, and those kept in the database."""

    def __init__(
        self,
        configured: Mapping[str, Alias] | None = None,
        store: KeyValueStore | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._configured = dict(configured or {})
        self._store = store
        self._clock = clock
        self._chance = chance
        self._kept: dict[str, Alias] = {}
        self._read_at = float("-inf")
        self._reading = BackgroundTasks()

    def all(self) -> tuple[Alias, ...]:
        """Every alias by name, as last read; the settings' go first where two have one name."""
        self._look_again()
        known = self._kept | self._configured
        return tuple(known[name] for name in sorted(known))

    def models(self, name: str) -> tuple[str, ...]:
        """The models to ask for it, best first; none where it is no alias."""
        self._look_again()
        alias = self._configured.get(name) or self._kept.get(name)
        return () if alias is None else tuple(self._ordered(alias))

    async def put(self, alias: Alias) -> None:
        """Keeps it. Raises NotAllowed where the settings have it."""
        await self._changeable(alias.name).put(
            SCOPE, alias.name, {"members": [[each.model, each.weight] for each in alias.members]}
        )
        await self.read()

    async def delete(self, name: str) -> None:
        """Forgets it. Raises NotFound."""
        store = self._changeable(name)
        await self.read()
        if name not in self._kept:
            raise NotFound(f"There is no alias '{name}'.")
        await store.delete(SCOPE, name)
        await self.read()

    async def read(self) -> None:
        """Reads what is kept."""
        self._read_at = self._clock()
        if self._store is None:
            return
        kept = await self._store.items(SCOPE)
        self._kept = {
            name: Alias(name, tuple(Member(model, weight) for model, weight in value["members"]))
            for name, value in kept.items()
        }

    def _changeable(self, name: str) -> KeyValueStore:
        if name in self._configured:
            raise NotAllowed(f"'{name}' is from MODEL_ALIASES, and is changed there.")
        if self._store is None:
            raise NotFound("Aliases are not kept here.")
        return self._store

    def _look_again(self) -> None:
        if self._store is not None and self._clock() - self._read_at > STALE_SECONDS:
            self._read_at = self._clock()
            self._reading.start(self._read_quietly())

    async def _read_quietly(self) -> None:
        try:
            await self.read()
        except StorageUnavailable as error:
            log.warning("aliases: %s", error.detail)

    def _ordered(self, alias: Alias) -> list[str]:
        """By chance after their weights, those without one in their order behind."""
        weighed = [(each.model, each.weight) for each in alias.members if each.weight]
        ordered: list[str] = []
        while weighed:
            left = self._chance() * sum(weight for _, weight in weighed)
            at = 0
            while at < len(weighed) - 1 and left >= weighed[at][1]:
                left -= weighed[at][1]
                at += 1
            ordered.append(weighed.pop(at)[0])
        return ordered + [each.model for each in alias.members if each.weight is None]


def parsed_aliases(text: str) -> dict[str, Alias]:
    """MODEL_ALIASES: `name = model, model*3`, separated by `;` or line ends. Raises SettingsInvalid."""
    found: dict[str, Alias] = {}
    for entry in re.split(r"[;\n]", text):
        if not entry.strip():
            continue
        name, _, models = entry.partition("=")
        try:
            members = tuple(parsed_member(each) for each in models.split(",") if each.strip())
            alias = checked(Alias(name.strip(), members, configured=True))
        except ValueError as error:
            raise SettingsInvalid("MODEL_ALIASES", f"{entry.strip()}: {error}") from None
        found[alias.name] = alias
    return found


def parsed_member(text: str) -> Member:
    """`server/model`, or `server/model*3` with a weight. Raises ValueError."""
    model, star, weight = text.strip().partition("*")
    if not star:
        return Member(model)
    number = float(weight)
    if not 0 < number < 1e6:
        raise ValueError("a weight is a number above 0")
    return Member(model.strip(), number)


def checked(alias: Alias) -> Alias:
    """The alias, if its names are such. Raises ValueError."""
    if not _NAME.fullmatch(alias.name) or alias.name.startswith("konsilium/"):
        raise ValueError("an alias is a name without blanks, and none of konsilium/")
    if not alias.members:
        raise ValueError("an alias needs a model")
    for member in alias.members:
        if not _NAME.fullmatch(member.model) or member.model.startswith("konsilium/"):
            raise ValueError(f"{member.model!r} is no model's name")
        if member.model == alias.name:
            raise ValueError("an alias cannot stand for itself")
    return alias
