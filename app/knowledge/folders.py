"""Folders of the machine that are kept as knowledge bases: what comes, changes and goes there does here."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.attachments.kinds import READABLE
from app.core.errors import AttachmentRefused, KonsiliumError
from app.core.knowledge import KnowledgeBase
from app.core.ports import KeyValueStore
from app.knowledge.library import Library

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
_SCOPE = "knowledge-folders"
"""Of the key-value store: by base, the names of the documents that came from its folder."""

Stamp = tuple[int, int]
"""When a file was changed, in nanoseconds, and its bytes."""


def files_in(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Files with their names as documents: below a folder, the path from it. Where two would have one name,
    each begins with the folder that it was found in, and as many of those above as it takes. What is of no
    kind that is read, is not looked at in a folder."""
    found = [(file, root) for path in paths for file, root in _below(path)]
    named: dict[str, list[tuple[Path, Path]]] = {}
    for file, root in dict.fromkeys(found):
        named.setdefault(file.relative_to(root).as_posix(), []).append((file, root))
    for name, alike in named.items():
        parts = [(*root.absolute().parts, name) for _, root in alike]
        depth = 1
        while len({one[-depth:] for one in parts}) < len({file.absolute() for file, _ in alike}):
            depth += 1
        for (file, _), one in zip(alike, parts, strict=True):
            yield file, "/".join(one[-depth:])


def _below(path: Path) -> Iterator[tuple[Path, Path]]:
    """A file with the folder it is in, or those of a folder, with that."""
    if not path.is_dir():
        yield path, path.parent
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not hidden and file.name.lower().endswith(READABLE):
            yield file, path


def parsed_folders(written: str) -> dict[str, Path]:
    """`Handbook=/srv/handbook, Prices=/srv/prices`: bases by their names."""
    pairs = (part.partition("=") for part in written.split(",") if part.strip())
    return {name.strip(): Path(path.strip()) for name, _, path in pairs if name.strip() and path}


@dataclass(frozen=True, slots=True)
class _Seen:
    path: Path
    stamp: Stamp


class WatchedFolders:
    """Looks through the folders again and again. Their bases are the owner's, and shared with everyone
    here; documents that somebody uploads into one stay."""

    def __init__(
        self,
        library: Library,
        values: KeyValueStore,
        folders: dict[str, Path],
        owner: Callable[[], Awaitable[str | None]],
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`owner` gives the id of whose the bases are; None while there is nobody yet."""
        self._library = library
        self._values = values
        self._folders = folders
        self._owner = owner
        self._look_seconds = look_seconds
        self._known: dict[str, dict[str, Stamp]] = {name: {} for name in folders}

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            for name, folder in self._folders.items():
                try:
                    await self.look(name, folder)
                except (KonsiliumError, OSError) as error:
                    log.warning("folder %s: %s", folder, error)
            await asyncio.sleep(self._look_seconds)

    async def look(self, name: str, folder: Path) -> None:
        """Reads what is new or has changed, and removes what has gone. A folder that is not there, or
        is empty as one that is not mounted, changes nothing."""
        owner = await self._owner()
        if owner is None or not await asyncio.to_thread(folder.is_dir):
            return
        found = await asyncio.to_thread(_scan, folder)
        known = self._known[name]
        if not found or known == {one: seen.stamp for one, seen in found.items()}:
            return
        base = await self._base(name, owner)
        ours = set((await self._values.get(_SCOPE, base.id) or {}).get("names", []))
        failed = set()
        for one, seen in found.items():
            if known.get(one) != seen.stamp:
                try:
                    await self._library.add(base.id, owner, seen.path, one)
                except AttachmentRefused as error:
                    log.warning("%s of folder %s: %s", one, folder, error)
                except KonsiliumError as error:  # the database is away, say: at the next look
                    log.warning("%s of folder %s: %s", one, folder, error)
                    failed.add(one)
                else:
                    ours.add(one)
                    await self._values.put(_SCOPE, base.id, {"names": sorted(ours)})
        await self._forget(base, owner, ours, found.keys())
        stamps = {one: seen.stamp for one, seen in found.items()}
        self._known[name] = {one: stamp for one, stamp in stamps.items() if one not in failed}

    async def _forget(
        self, base: KnowledgeBase, owner: str, ours: set[str], there: Iterable[str]
    ) -> None:
        gone = ours - set(there)
        if gone:
            for document in await self._library.store.documents(base.id, owner):
                if document.name in gone:
                    await self._library.store.remove_document(document.id, owner)
            await self._values.put(_SCOPE, base.id, {"names": sorted(ours - gone)})

    async def _base(self, name: str, owner: str) -> KnowledgeBase:
        store = self._library.store
        for base in await store.bases(owner):
            if base.user_id == owner and base.name == name:
                return base
        made = await store.create(owner, name)
        await store.share(made.id, owner, True)
        return made


def _scan(folder: Path) -> dict[str, _Seen]:
    found = {}
    for path, name in files_in([folder]):
        try:
            about = path.stat()
        except FileNotFoundError:  # gone this moment
            continue
        found[name] = _Seen(path, (about.st_mtime_ns, about.st_size))
    return found
