"""Assistants, prompts and projects. Whoever asks is part of every statement."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from app.core.errors import BadRequest, NotFound
from app.core.presets import MAX_NAME, Kind, Preset, cleaned
from app.core.turns import new_id, now
from app.storage.database import Database
from app.storage.rows import AnyRow, storable_json
from app.storage.tables import presets, threads, users

MOST = 500
"""Of one kind, a user's own: the composer lists all."""


class Presets:
    """Those of the reader, and those that others share. Another's is NotFound, as if it did not exist."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hearers: list[Callable[[str], None]] = []

    def on_projects(self, hear: Callable[[str], None]) -> None:
        """Tells whose projects have changed. Must be quick."""
        self._hearers.append(hear)

    async def all(self, kind: Kind, reader: str) -> tuple[Preset, ...]:
        """One's own first, each by name."""
        query = _presets().where(presets.c.kind == kind, _readable(reader))
        ordered = query.order_by(presets.c.user_id != reader, func.lower(presets.c.name))
        return await self._database.read(lambda c: tuple(map(_preset_from, c.execute(ordered))))

    async def find(self, id: str, reader: str) -> Preset:
        query = _presets().where(presets.c.id == id, _readable(reader))
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"preset {id} for {reader}")
        return _preset_from(row)

    async def named(self, kind: Kind, slug: str, reader: str) -> Preset | None:
        """That whose name has this form in a model's name, one's own before those of others."""
        found = (one for one in await self.all(kind, reader) if slug in (one.slug, one.id))
        return next(found, None)

    async def project_of(self, thread_id: str) -> Preset | None:
        """The project that a thread is in; None where it is in none. Whoever asks knows whose it is."""
        row = await self._database.read(
            lambda c: c.execute(_PROJECT, {"thread": thread_id}).first()
        )
        return _preset_from(row) if row is not None else None

    async def put(
        self, kind: Kind, user_id: str, name: str, content: Mapping[str, Any], id: str | None = None
    ) -> str:
        """Keeps it, anew or under its id, which is returned. Raises BadRequest for a name that is empty, too
        long or taken, for a prompt without a text, and for too many; NotFound for another's."""
        own = (presets.c.user_id == user_id) & (presets.c.kind == kind)
        key = id or new_id()
        row = _row(kind, name, content)

        def work(connection: Connection) -> None:
            _refuse_taken(connection, own, key, row["name"], new=id is None)
            if id is None:
                at = {"id": key, "kind": kind, "user_id": user_id, "created_at": now()}
                connection.execute(insert(presets), row | at)
                return
            change = update(presets).where(own, presets.c.id == id).values(row)
            if not connection.execute(change).rowcount:
                raise NotFound(f"preset {id} of {user_id}")

        await self._database.write(work)
        self._tell(kind, user_id)
        return key

    async def change(
        self, kind: Kind, user_id: str, id: str, name: str | None, content: Mapping[str, Any]
    ) -> None:
        """Changes what is given and leaves the rest as it is, whoever else changes it meanwhile. Raises as
        `put` does."""
        own = (presets.c.user_id == user_id) & (presets.c.kind == kind)
        this = select(presets.c.name, presets.c.content).where(own, presets.c.id == id)

        def work(connection: Connection) -> None:
            known = connection.execute(this.with_for_update()).one_or_none()
            if known is None:
                raise NotFound(f"preset {id} of {user_id}")
            row = _row(kind, known.name if name is None else name, {**known.content, **content})
            _refuse_taken(connection, own, id, row["name"])
            connection.execute(update(presets).where(presets.c.id == id).values(row))

        await self._database.write(work)
        self._tell(kind, user_id)

    async def share(self, id: str, user_id: str, shared: bool) -> None:
        """Opens it to all who may sign in here, or closes it. NotFound for a project: it is its owner's."""
        own = _own(id, user_id) & (presets.c.kind != "projects")
        change = update(presets).where(own).values(shared_at=now() if shared else None)
        if not await self._database.write(lambda c: c.execute(change).rowcount):
            raise NotFound(f"preset {id} of {user_id}")

    async def remove(self, id: str, user_id: str) -> None:
        """Conversations that began with it keep what they have of it; those in a project are in none."""
        this = _own(id, user_id)
        out = update(threads).where(threads.c.project_id == id).values(project_id=None)

        def work(connection: Connection) -> Kind:
            kind: Kind | None = connection.scalar(select(presets.c.kind).where(this))
            if not connection.execute(delete(presets).where(this)).rowcount or kind is None:
                raise NotFound(f"preset {id} of {user_id}")
            connection.execute(out)
            return kind

        self._tell(await self._database.write(work), user_id)

    def _tell(self, kind: Kind, user_id: str) -> None:
        for hear in self._hearers if kind == "projects" else ():
            hear(user_id)


def _row(kind: Kind, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    name, said = " ".join(name.split()), cleaned(kind, content)
    if not name or len(name) > MAX_NAME or (kind == "prompts" and not said):
        raise BadRequest(f"a preset named {len(name)} characters, {len(said)} fields")
    return {"name": name, "content": storable_json(said)}


def _refuse_taken(
    connection: Connection, own: ColumnElement[bool], id: str, name: str, *, new: bool = False
) -> None:
    known = connection.execute(select(presets.c.name).where(own, presets.c.id != id)).all()
    too_many = new and len(known) >= MOST
    if too_many or any(one.name.casefold() == name.casefold() for one in known):
        raise BadRequest(f"{len(known)} of its kind already, or the name {name!r} is taken")


def _presets() -> Any:
    owner = func.coalesce(users.c.display_name, users.c.identifier).label("owner")
    return select(*presets.c, owner).join(users, users.c.id == presets.c.user_id)


def _readable(reader: str) -> ColumnElement[bool]:
    return or_(presets.c.user_id == reader, presets.c.shared_at.is_not(None))


_PROJECT = (
    _presets()
    .join(threads, threads.c.project_id == presets.c.id)
    .where(threads.c.id == bindparam("thread"))
)
"""Made once: it is asked with every question."""


def _own(id: str, user_id: str) -> ColumnElement[bool]:
    return (presets.c.id == id) & (presets.c.user_id == user_id)


def _preset_from(row: AnyRow) -> Preset:
    return Preset(
        id=row.id,
        kind=row.kind,
        user_id=row.user_id,
        owner=row.owner,
        name=row.name,
        content=row.content,
        shared=row.shared_at is not None,
    )
