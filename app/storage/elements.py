"""Files and other elements that hang on steps: their rows, their bytes."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from app.core.errors import NotFound
from app.core.threads import ElementRecord
from app.core.turns import new_id
from app.storage.database import Database, upsert
from app.storage.files import LocalFiles, image_name
from app.storage.rows import element_from, storable_json
from app.storage.tables import elements, steps, threads
from app.storage.threads import ensure_thread

_CHANGES = ("step_id", "type", "name", "mime", "display", "url", "has_file", "props", "extra")


class Elements:
    """Files and other elements. Ids come from the browser: none reaches into another's thread."""

    def __init__(self, database: Database, files: LocalFiles) -> None:
        self._database = database
        self._files = files

    async def write(
        self, element: ElementRecord, user_id: str, content: bytes | None = None
    ) -> None:
        """Stores an element, with its bytes if it has any; makes the thread where there is none."""
        await self._database.read(partial(_refuse_anothers, element, user_id))
        if content is not None:
            await self._files.write(element.thread_id, element.id, content)
        row: dict[str, Any] = {
            "id": element.id,
            "thread_id": element.thread_id,
            "step_id": element.step_id,
            "type": element.type,
            "name": element.name,
            "mime": element.mime,
            "display": element.display,
            "url": element.url,
            "has_file": content is not None,
            "props": storable_json(element.props) if element.props is not None else None,
            "extra": storable_json(element.extra),
        }
        changes = [c for c in _CHANGES if c != "has_file" or content is not None]

        def work(connection: Connection) -> None:
            ensure_thread(connection, element.thread_id, user_id)
            _refuse_anothers(element, user_id, connection)
            upsert(connection, elements, [row], ["id"], changes, only_if_same="thread_id")

        await self._database.write(work)

    async def copy(
        self, thread_id: str, user_id: str, step_id: str, to_step: str
    ) -> Mapping[str, str]:
        """Hangs what hangs on one step on another, too, under ids of its own; returns these by the
        old ones."""
        query = (
            select(*elements.c)
            .join(threads, threads.c.id == elements.c.thread_id)
            .where(elements.c.thread_id == thread_id, threads.c.user_id == user_id)
            .where(elements.c.step_id == step_id)
            .order_by(elements.c.seq)
        )
        rows = await self._database.read(lambda c: c.execute(query).all())
        ids = {row.id: new_id() for row in rows}
        for old, new in ids.items():
            await self._files.copy(thread_id, old, thread_id, new)
            await self._files.copy(thread_id, image_name(old), thread_id, image_name(new))
        copies = [
            {k: v for k, v in row._mapping.items() if k != "seq"}
            | {"id": ids[row.id], "step_id": to_step}
            for row in rows
        ]
        if copies:
            await self._database.write(lambda c: c.execute(insert(elements), copies).close())
        return ids

    async def find(self, thread_id: str, element_id: str, reader: str | None) -> ElementRecord:
        """The element, if its thread is the reader's or shared."""
        query = (
            select(elements)
            .join(threads, threads.c.id == elements.c.thread_id)
            .where(elements.c.id == element_id, elements.c.thread_id == thread_id)
            .where(or_(threads.c.user_id == reader, threads.c.shared_at.is_not(None)))
            .where(threads.c.deleted_at.is_(None))
        )
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"element {element_id} of thread {thread_id} for {reader}")
        return element_from(row)

    def path(self, element: ElementRecord) -> Path:
        """Where its bytes are, if it has any."""
        return self._files.path(element.thread_id, element.id)


def _refuse_anothers(element: ElementRecord, user_id: str, connection: Connection) -> None:
    """Ids come from the browser: none may name what is in another thread, or another's."""
    owner = connection.scalar(select(threads.c.user_id).where(threads.c.id == element.thread_id))
    if owner not in (None, user_id):
        raise NotFound(f"thread {element.thread_id} of {user_id}")
    for table, id in ((elements, element.id), (steps, element.step_id)):
        thread_id = connection.scalar(select(table.c.thread_id).where(table.c.id == id))
        if thread_id not in (None, element.thread_id):
            raise NotFound(f"{id} is not of thread {element.thread_id}")
