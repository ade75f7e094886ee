"""The models that may run inside the app: which one is wanted, where its file is, how it gets here."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from app.completion.suggestions import memory_bytes, table
from app.core.concurrency import BackgroundTasks
from app.core.errors import (
    KonsiliumError,
    ModelNotFound,
    NotFound,
    ServerUnavailable,
    SettingsInvalid,
    StorageUnavailable,
    Unsupported,
)
from app.core.models import EmbeddedOffer
from app.providers.embedded.bundled import INSTRUCTION
from app.providers.embedded.download import Download, fetched_before
from app.providers.embedded.gguf import read_header
from app.providers.embedded.hub import Hub, HubFile, source_of

log = logging.getLogger(__name__)


MEMORY_SHARE = 0.5
"""Of the machine's memory, for the model with its context: the rest is the system's and ours."""
CONTEXT_BYTES = 10**9
"""About what two answers' contexts and llama.cpp itself take beside the weights of such models."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A file of the hub, and what there is to know before one agrees."""

    file: HubFile
    size_bytes: int
    licence: str
    as_of: date
    languages: tuple[str, ...] = ()
    """Which of the app's it speaks; empty: unknown."""


SUGGESTIONS = tuple(
    Suggestion(
        HubFile(row["repo"], row["file"], row["sha256"]),
        row["bytes"],
        row["licence"],
        row["as_of"],
        tuple(row["languages"]),
    )
    for row in table()["embedded"]
)
"""The more able first."""


def fitting(suggestions: Sequence[Suggestion], memory: int | None) -> tuple[Suggestion, ...]:
    """Those that a machine with so many bytes of memory can run; unknown: the last, the smallest."""
    if memory is None:
        return tuple(suggestions[-1:])
    room = memory * MEMORY_SHARE
    return tuple(one for one in suggestions if one.size_bytes + CONTEXT_BYTES <= room)


LOOK_UP_SECONDS = 3.0
NOT_INSTALLED = "llama.cpp is not installed"
OFF = "off"
CHOICE = "chosen"
"""The file in the folder of models that names what was chosen on screen."""
FOUND_MOST = 40
_NOT_ALONE = re.compile(r"mmproj|-(?!0*1-)\d+-of-\d+\.gguf$", re.IGNORECASE)
"""What no model is started from: the eyes of another file, its later parts."""
_USUAL = tuple(
    Path.home() / folder
    for folder in (
        "models",
        ".lmstudio/models",
        ".cache/lm-studio/models",
        ".cache/llama.cpp",
        ".cache/huggingface/hub",
    )
)


class Library:
    """Implements core.ports.EmbeddedModels, and tells the server where its file is."""

    def __init__(
        self,
        folder: Path,
        hub: Hub,
        configured: str | None,
        *,
        memory: Callable[[], int | None] = memory_bytes,
        suggestions: Sequence[Suggestion] = SUGGESTIONS,
        bundled: Path | None = None,
        installed: Callable[[], bool] = lambda: find_spec("xllamacpp") is not None,
    ) -> None:
        """`configured`: EMBEDDED_MODEL, or "off" for none; `bundled`: the small model that came with
        the install. Raises SettingsInvalid where EMBEDDED_MODEL cannot be."""
        self._folder = folder
        self._hub = hub
        self._off = (configured or "").strip().lower() == OFF
        self._configured = source_of(configured) if configured and not self._off else None
        self._bundled = bundled if installed() and not self._off else None
        self._memory = memory
        self._suggestions = suggestions
        self._installed = installed
        self._downloads: dict[str, Download] = {}
        self._tasks = BackgroundTasks()
        self._errors: dict[str, KonsiliumError] = {}
        self._said: dict[str, tuple[int | None, str | None]] = {}
        """Size and licence as the hub told them."""
        self._listeners: list[Callable[[], Awaitable[None]]] = []

    def subscribe(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Calls `listener` when a download has ended well, and when a file has been removed."""
        self._listeners.append(listener)

    # -- for the server ---------------------------------------------------------------------------

    @property
    def wanted(self) -> HubFile | Path | None:
        """EMBEDDED_MODEL, or what was chosen in the guide, or the small one that came with the
        install; None where there is none of them."""
        return self._asked_for or self._bundled

    @property
    def instruction(self) -> str | None:
        """What the wanted model is told where nobody tells it anything; set for the small one only."""
        return INSTRUCTION if self.last_resort else None

    @property
    def last_resort(self) -> bool:
        """Whether what is wanted is but the small one that came with the install."""
        return self._bundled is not None and self._asked_for is None

    @property
    def _asked_for(self) -> HubFile | Path | None:
        return None if self._off else self._configured or self._chosen()

    @property
    def name(self) -> str:
        wanted = self.wanted
        return wanted.name if isinstance(wanted, HubFile) else str(wanted or "")

    def path(self) -> Path:
        """The wanted file. Raises ServerUnavailable with the reason where it cannot be run."""
        if not self._installed():
            raise _absent(f"{NOT_INSTALLED}: pip install xllamacpp, or run Ollama")
        wanted = self.wanted
        if isinstance(wanted, Path):
            if not wanted.is_file():
                raise _absent(f"{wanted}: no such file (EMBEDDED_MODEL)")
            return wanted
        if wanted is None:
            raise _absent("no model was chosen")
        path = wanted.inside(self._folder)
        if path.is_file():
            return path
        if (download := self._downloads.get(wanted.name)) is not None:
            raise _absent(_progress(wanted, download))
        if (error := self._errors.get(wanted.name)) is not None:
            raise _absent(f"{wanted.name}: {error.detail}")
        raise _absent(
            f"{wanted.name}: to be downloaded first, from the chat's servers panel or first screen"
        )

    # -- for the guide ----------------------------------------------------------------------------

    async def offers(self) -> tuple[EmbeddedOffer, ...]:
        """What was asked for, or else what may be suggested, best first."""
        if self._off:
            return ()
        if not self._installed():
            return (EmbeddedOffer(self.name, "unusable", error=Unsupported(NOT_INSTALLED)),)
        match self._asked_for:
            case HubFile() as file:
                return (await self._offer(file),)
            case Path() as path if path.is_file():
                chosen = self._configured is None
                return (EmbeddedOffer(str(path), "ready", path.stat().st_size, chosen=chosen),)
            case Path() as path:
                missing = NotFound(f"{path}: no such file")
                return (EmbeddedOffer(str(path), "unusable", error=missing),)
        return tuple(
            [await self._offer(one.file) for one in fitting(self._suggestions, self._memory())]
        )

    async def outdated(self) -> tuple[str, ...]:
        """Suggested files that the hub has otherwise than the table says, or not at all; none where it
        does not answer within 3 s."""
        if self._off:
            return ()
        return tuple([one.file.name for one in self._suggestions if not await self._is_there(one)])

    async def _is_there(self, one: Suggestion) -> bool:
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                facts = await self._hub.facts(one.file)
        except ModelNotFound:
            return False
        except (KonsiliumError, TimeoutError):
            return True  # nothing is known against it
        size, sha256 = one.size_bytes, one.file.sha256
        return facts.size in (None, size) and (not sha256 or facts.sha256 in (None, sha256))

    def download(self, name: str) -> None:
        """Begins, or goes on; in a task of its own, which no page that is closed ends."""
        file = self._offered(name)
        if self._tasks.find(name):
            return
        self._errors.pop(name, None)
        self._downloads[name] = Download(self._hub, file, file.inside(self._folder))
        self._tasks.start(self._run(file, self._downloads[name]), name)

    async def cancel(self, name: str) -> None:
        """Stops it; what has come stays."""
        if task := self._tasks.find(name):
            task.cancel()
            await asyncio.wait([task])
            self._downloads.pop(name, None)  # where it was stopped before it could begin

    async def choose(self, path: str) -> None:
        """Runs that file from now on: read first, so that nothing else is ever started."""
        if self._configured is not None or self._off:
            raise SettingsInvalid("EMBEDDED_MODEL", "set by the environment, which goes first")
        file = Path(path)
        try:
            if not file.is_absolute():
                raise SettingsInvalid("path", "the whole path is needed")
            await asyncio.to_thread(read_header, file)
            self._choose(str(file))
        except FileNotFoundError as error:
            raise NotFound(f"{file}: no such file") from error
        except ValueError as error:
            raise SettingsInvalid("path", f"{file} {error}") from error
        except OSError as error:
            raise StorageUnavailable(f"{error.filename}: {error.strerror}") from error
        log.info("%s is chosen", file)
        await self._tell()

    async def found(self) -> tuple[str, ...]:
        """In the folders where programs for such models keep them; no parts but the first."""
        return await asyncio.to_thread(_found, (self._folder, *_USUAL))

    async def remove(self, name: str) -> None:
        """Deletes the file, and what was chosen on screen if it was that; a chosen file stays."""
        if isinstance(chosen := self._chosen(), Path) and str(chosen) == name:
            (self._folder / CHOICE).unlink(missing_ok=True)
            log.info("%s is let go", name)
            await self._tell()
            return
        file = self._offered(name)
        try:
            file.inside(self._folder).unlink()
        except FileNotFoundError as error:
            raise NotFound(f"{name} has not been fetched") from error
        except OSError as error:
            raise StorageUnavailable(f"{name}: {error.strerror}") from error
        if self._configured is None:
            (self._folder / CHOICE).unlink(missing_ok=True)
        log.info("%s is removed", name)
        await self._tell()

    async def aclose(self) -> None:
        """Stops all downloads and closes the connections."""
        await self._tasks.cancel()
        await self._hub.aclose()

    async def _tell(self) -> None:
        for listener in self._listeners:
            await listener()

    async def _run(self, file: HubFile, download: Download) -> None:
        try:
            await download.run()
            if self._configured is None:
                self._choose(file.name)
            await self._tell()
        except KonsiliumError as error:
            log.warning("%s: %s", file.name, error.detail)
            self._errors[file.name] = error
        except OSError as error:
            log.exception("%s", file.name)
            self._errors[file.name] = ServerUnavailable(str(error))
        finally:
            del self._downloads[file.name]

    async def _offer(self, file: HubFile) -> EmbeddedOffer:
        path = file.inside(self._folder)
        if path.is_file():
            here = path.stat().st_size
            return EmbeddedOffer(file.name, "ready", here, completed_bytes=here, ours=True)
        size, licence, as_of = await self._described(file)
        download = self._downloads.get(file.name)
        return EmbeddedOffer(
            file.name,
            "downloading" if download else "offered",
            (download and download.size) or size,
            licence,
            as_of,
            completed_bytes=download.completed if download else fetched_before(path),
            bytes_per_second=download.speed if download else None,
            languages=self._spoken(file),
            error=self._errors.get(file.name),
        )

    def _spoken(self, file: HubFile) -> tuple[str, ...]:
        return next((s.languages for s in self._suggestions if s.file.name == file.name), ())

    async def _described(self, file: HubFile) -> tuple[int | None, str | None, date | None]:
        """Size, licence and their day: from our table, or what the hub says."""
        for one in self._suggestions:
            if one.file.name == file.name:
                return one.size_bytes, one.licence, one.as_of
        if file.name not in self._said:
            self._said[file.name] = (None, None)  # asked once, whatever comes of it
            with contextlib.suppress(KonsiliumError, TimeoutError):
                async with asyncio.timeout(LOOK_UP_SECONDS):
                    facts, licence = await asyncio.gather(
                        self._hub.facts(file), self._hub.licence(file)
                    )
                self._said[file.name] = (facts.size, licence)
        return *self._said[file.name], None

    def _offered(self, name: str) -> HubFile:
        wanted = self._asked_for
        files = (
            [wanted] if wanted else [one.file for one in fitting(self._suggestions, self._memory())]
        )
        for file in files:
            if isinstance(file, HubFile) and file.name == name:
                return file
        raise NotFound(f"{name} is not offered")

    # -- what was chosen --------------------------------------------------------------------------

    def _chosen(self) -> HubFile | Path | None:
        """None also where the file that was chosen is gone: on a disk that is away, for instance."""
        try:
            source = source_of((self._folder / CHOICE).read_text("utf-8").strip())
            return source if isinstance(source, HubFile) or source.is_file() else None
        except (OSError, SettingsInvalid):
            return None

    def _choose(self, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / CHOICE).write_text(name + "\n", "utf-8")


def _found(folders: Sequence[Path]) -> tuple[str, ...]:
    files = (file for folder in folders for file in sorted(folder.rglob("*.gguf")))
    whole = (str(file) for file in files if not _NOT_ALONE.search(file.name))
    return tuple(islice(whole, FOUND_MOST))


def _absent(detail: str) -> ServerUnavailable:
    return ServerUnavailable(detail, server="embedded")


def _progress(file: HubFile, download: Download) -> str:
    if not download.size:
        return f"{file.name}: downloading, {download.completed:,} bytes so far"
    percent = 100 * download.completed // download.size
    return f"{file.name}: downloading, {percent} % of {download.size:,} bytes"
