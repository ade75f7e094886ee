"""Conversations of other programs find their place: the file that holds them, and the threads they become."""

import json
import lzma
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.conversation.histories import HistoryRefused, ImportedThread
from app.conversation.import_candidates import ImportState
from app.core.threads import title_of
from app.core.turns import StepRecord, new_id, now
from app.storage.branches import activate, write_steps
from app.storage.database import Database
from app.storage.presets import MOST
from app.storage.rows import fold
from app.storage.tables import presets, steps, threads

MAX_BYTES = 300_000_000
"""Of the JSON in a file, packed or not."""
MAX_DEPTH = 10_000
"""Of lists and objects within each other: LibreChat can write each message into the one before it. A thread's
usual stack of 8 MB bears twice as many."""
_OF_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, LookupError),
)
"""What `zipfile` raises for a damaged file, or one packed in a way that it does not know."""
_MEMBER = re.compile(r"(?:[^/]+/)?conversations(?:-\d+)?\.json")
_BATCH = 500


def read_export(path: Path, most: int = MAX_BYTES) -> Any:
    """The JSON in a file, or in the ZIP file that ChatGPT sends; no more than `most` bytes of it. Raises
    HistoryRefused, OSError."""
    if zipfile.is_zipfile(path):
        return _unpacked(path, most)
    with path.open("rb") as file:
        return _parsed(file.read(most + 1), most)


def _unpacked(path: Path, left: int) -> list[Any]:
    found: list[Any] = []
    for data in _members(path, left):
        document = _parsed(data, left)
        left -= len(data)
        found += document if isinstance(document, list) else [document]
    return found


def _members(path: Path, left: int) -> Iterator[bytes]:
    """Each file with conversations, and no more than `left` bytes and one of all of them."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name for name in archive.namelist() if _MEMBER.fullmatch(name)}
            if not names:
                raise HistoryRefused("member")
            for name in sorted(names):
                with archive.open(name) as file:
                    data = file.read(left + 1)
                left -= len(data)
                yield data
    except _OF_DAMAGE as error:
        raise HistoryRefused("zip") from error


def _parsed(data: bytes, most: int) -> Any:
    if len(data) > most:
        raise HistoryRefused("bytes", most // 1_000_000)
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(max(usual, MAX_DEPTH))
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HistoryRefused("json") from error
    finally:
        sys.setrecursionlimit(usual)


class HistoryImporter:
    """Stores conversations that come from elsewhere; each in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, user_id: str, thread: ImportedThread, *, dry: bool = False) -> ImportState:
        """Stores what of the thread is not here yet, and says what became of it; `dry`: what would."""

        def look(connection: Connection) -> tuple[ImportState, Sequence[StepRecord]]:
            ids = (
                thread.id,
                thread.source_id,
            )  # an export of ours may come back to where it is from
            known = select(threads.c.id, threads.c.deleted_at)
            known = known.where(threads.c.user_id == user_id, threads.c.id.in_(ids))
            here = dict(connection.execute(known).all())
            if not here:
                return "new", thread.steps
            if here.get(thread.source_id, here.get(thread.id)) is not None:
                return "deleted", ()
            if thread.source_id in here:
                return "known", ()
            there = set(
                connection.scalars(select(steps.c.id).where(steps.c.thread_id == thread.id))
            )
            missing = [step for step in thread.steps if step.id not in there]
            return ("grown" if missing else "known"), missing

        def work(connection: Connection) -> ImportState:
            arrival, missing = look(connection)
            if arrival == "new":
                inside = _project(connection, user_id, thread.project)
                row = _row(thread, user_id) | {"project_id": inside}
                connection.execute(insert(threads), row)
            for start in range(0, len(missing), _BATCH):
                write_steps(connection, missing[start : start + _BATCH], user_id)
            if missing and thread.leaf_id is not None:
                activate(connection, thread.id, thread.leaf_id)
            if arrival == "grown":
                this = update(threads).where(threads.c.id == thread.id)
                connection.execute(this.values(active_at=thread.active_at))
            return arrival

        if dry:
            return (await self._database.read(look))[0]
        return await self._database.exclusive(work)


def _project(connection: Connection, user_id: str, name: str) -> str | None:
    """The user's project of that name, made where there is none; None for no name, and for one more than
    a person may have."""
    if not name:
        return None
    own = (presets.c.user_id == user_id) & (presets.c.kind == "projects")
    known = select(presets.c.id, presets.c.name).where(own)
    there = connection.execute(
        known.with_for_update(read=True)
    ).all()  # nobody deletes it meanwhile
    for one in there:
        if one.name.casefold() == name.casefold():
            return str(one.id)
    if len(there) >= MOST:
        return None
    row = {"id": new_id(), "kind": "projects", "user_id": user_id, "name": name}
    connection.execute(insert(presets), row | {"content": {}, "created_at": now()})
    return row["id"]


def _row(thread: ImportedThread, user_id: str) -> dict[str, Any]:
    first = next((step.output for step in thread.steps if step.kind == "question"), "")
    title = thread.title or title_of(first)
    return {
        "id": thread.id,
        "user_id": user_id,
        "title": title,
        "titled_by": "person" if thread.title else "question",
        "folded_title": fold(title),
        "metadata": {"imported_from": thread.source},
        "tags": [],
        "created_at": thread.created_at,
        "active_at": thread.active_at,
        "archived_at": thread.active_at if thread.archived else None,
    }
