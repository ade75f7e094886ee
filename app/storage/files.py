"""Files under DATA_DIR: one folder a thread, so that a thread goes with all that is its own."""

import asyncio
import importlib
import io
import logging
import os
import re
import shutil
from pathlib import Path
from typing import IO

from app.core.errors import NotFound, StorageUnavailable
from app.core.turns import new_id

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1_000_000
_OTHERS = 0o077
"""The rights of other accounts of the machine."""
_UNLOCKED = "."
"""How a folder's name begins until its process has locked it."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}(\.image)?")


class LocalFiles:
    """Files in a folder. Disk work happens off the event loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, thread_id: str, name: str) -> Path:
        """Where that file is. Raises NotFound for an id that cannot be one of ours."""
        if not (_NAME.fullmatch(thread_id) and _NAME.fullmatch(name)):
            raise NotFound(f"no file {thread_id!r}/{name!r}")
        return self._folder / thread_id / name

    async def write(self, thread_id: str, name: str, content: bytes) -> None:
        """Keeps `content`, whole or not at all. Raises StorageUnavailable."""
        await asyncio.to_thread(self.copy_from, io.BytesIO(content), thread_id, name)

    def copy_from(self, source: IO[bytes], thread_id: str, name: str) -> None:
        """The same of what `source` holds, a megabyte at a time. Blocks."""
        path = self.path(thread_id, name)
        try:
            _copy(source, path)
        except OSError as error:
            raise StorageUnavailable(f"{path}: {error}") from error

    async def copy(self, thread_id: str, name: str, to_thread: str, to_name: str) -> None:
        """The same bytes under another name; a file that is not there is none there either. Raises
        StorageUnavailable."""
        source, path = self.path(thread_id, name), self.path(to_thread, to_name)
        try:
            await asyncio.to_thread(_link, source, path)
        except OSError as error:
            raise StorageUnavailable(f"{path}: {error}") from error

    async def read(self, thread_id: str, name: str) -> bytes:
        """The file's bytes. Raises NotFound."""
        path = self.path(thread_id, name)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError as error:
            raise NotFound(f"no file {thread_id}/{name}") from error
        except OSError as error:
            raise StorageUnavailable(f"{path}: {error}") from error

    async def delete(self, thread_id: str, *names: str) -> None:
        """Removes those files, or the whole thread's without names; missing ones are no error."""
        paths = [self.path(thread_id, name) for name in names]
        folder = self.path(thread_id, "any").parent
        try:
            await asyncio.to_thread(_delete, paths or [folder])
        except OSError as error:
            raise StorageUnavailable(f"{folder}: {error}") from error


def image_name(element_id: str) -> str:
    """The file of an image as a model is shown it, beside the file as it was uploaded."""
    return f"{element_id}.image"


def _copy(source: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{new_id()}")
    try:
        with open(partial, "xb") as file:
            shutil.copyfileobj(source, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _link(source: Path, path: Path) -> None:
    """Files are replaced, never written into: one that two names lead to stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(source, path)
    except FileExistsError:
        return
    except FileNotFoundError:
        return
    except OSError:  # a file system without such links
        with open(source, "rb") as file:
            _copy(file, path)


def _delete(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def own_folder(parent: Path) -> Path:
    """A new folder in `parent` for this process alone, closed to other accounts: another process in the
    same place would else take along what is in it when it ends. What processes left behind that are no
    more is removed. Raises OSError."""
    folder = parent / new_id()
    fresh = parent / f"{_UNLOCKED}{folder.name}"
    fresh.mkdir(parents=True, mode=0o700)
    _alone_in(fresh)
    fresh.rename(folder)
    for other in parent.iterdir():
        if other != folder and not other.name.startswith(_UNLOCKED) and _alone_in(other):
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _alone_in(folder: Path) -> bool:
    """Takes the folder for this process, until it ends; False where another one has it, or on a system
    that cannot tell."""
    try:
        locks = importlib.import_module("fcntl")  # there is none on Windows
        locks.flock(os.open(folder, os.O_RDONLY), locks.LOCK_EX | locks.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def make_private(folder: Path) -> None:
    """Takes `folder`, all that is in it, and all files that this process makes from now on, from other
    accounts of the machine (0600, folders 0700). Blocks; where the folder is closed already, nothing
    in it is looked at. What is not ours to close is said in the log."""
    os.umask(_OTHERS)
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.stat().st_mode & _OTHERS:
        return
    for path in (
        *folder.rglob("*"),
        folder,
    ):  # the folder last: if this is broken off, it is done anew
        try:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~_OTHERS)
        except FileNotFoundError:  # another process has deleted it
            continue
        except PermissionError as error:
            log.warning("others may read %s: %s", path, error.strerror)
