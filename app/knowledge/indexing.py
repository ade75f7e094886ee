"""Documents on their way into bases: uploaded, being read, or refused."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from app.core.concurrency import BackgroundTasks
from app.core.errors import KonsiliumError, StorageUnavailable
from app.knowledge.library import Library

log = logging.getLogger(__name__)

_REMEMBERED = 50
"""Refusals of a base that are told."""


@dataclass(eq=False)
class QueuedDocument:
    """One file; it is no longer listed once it is a document."""

    name: str
    refused: KonsiliumError | None = None


class IndexingQueue:
    """Reads uploads one after another, whoever waits for them or has left the page."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._coming: dict[str, list[QueuedDocument]] = {}
        self._background = BackgroundTasks()

    def of(self, base_id: str) -> tuple[QueuedDocument, ...]:
        """What is being read for that base, and what could not be read since the process began."""
        return tuple(self._coming.get(base_id, ()))

    def take(self, base_id: str, user_id: str, path: Path, name: str, mime: str) -> None:
        """Reads the file, which is this object's from now on, into the base."""
        queued = QueuedDocument(name)
        waiting = [one for one in self.of(base_id) if one.refused is None]
        refused = [one for one in self.of(base_id) if one.refused and one.name != name]
        self._coming[base_id] = [*refused[-_REMEMBERED:], *waiting, queued]
        self._background.start(self._read(queued, base_id, user_id, path, mime))

    async def _read(
        self, queued: QueuedDocument, base_id: str, user_id: str, path: Path, mime: str
    ) -> None:
        try:
            await self.library.add(base_id, user_id, path, queued.name, mime)
        except KonsiliumError as error:
            log.info("document for base %s: %s: %s", base_id, error.code, error.detail)
            queued.refused = error
        except Exception as error:
            log.exception("document for base %s", base_id)
            queued.refused = StorageUnavailable(str(error))
        else:
            self._coming[base_id].remove(queued)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def aclose(self) -> None:
        """What is being read is left unread."""
        await self._background.cancel()
