"""Knowledge bases: their documents, passages and vectors. Whoever asks is part of every statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    distinct,
    exc,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from app.core.errors import BadRequest, NotFound
from app.core.knowledge import Document, FoundPassage, KnowledgeBase, Passage, Term, Vectors
from app.core.turns import new_id, now
from app.storage.database import Database, upsert
from app.storage.files import LocalFiles
from app.storage.knowledge_search import best_passages
from app.storage.rows import AnyRow, refuse_unstorable
from app.storage.tables import (
    knowledge_bases,
    knowledge_documents,
    knowledge_passages,
    knowledge_vectors,
    users,
)

MAX_NAME = 200
_PASSAGES_A_STATEMENT = 200


class Knowledge:
    """Implements `core.knowledge.KnowledgeStore`. A document's file is kept as `files/<base>/<document>`."""

    def __init__(self, database: Database, files: LocalFiles) -> None:
        self._database = database
        self._files = files

    # -- bases ------------------------------------------------------------------------------------

    async def bases(self, reader: str) -> tuple[KnowledgeBase, ...]:
        query = _bases().where(_readable(reader)).order_by(knowledge_bases.c.name)
        return await self._database.read(lambda c: tuple(map(_base_from, c.execute(query))))

    async def base(self, base_id: str, reader: str) -> KnowledgeBase:
        query = _bases().where(knowledge_bases.c.id == base_id, _readable(reader))
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"knowledge base {base_id} for {reader}")
        return _base_from(row)

    async def create(self, user_id: str, name: str) -> KnowledgeBase:
        """Raises BadRequest for a name that is empty, too long, or taken by another base of theirs."""
        name = " ".join(name.split())
        if not name or len(name) > MAX_NAME:
            raise BadRequest(f"a name of {len(name)} characters")
        row = {"id": new_id(), "user_id": user_id, "name": name, "created_at": now()}

        def work(connection: Connection) -> None:
            taken = select(knowledge_bases.c.id).where(
                knowledge_bases.c.user_id == user_id, knowledge_bases.c.name == name
            )
            if connection.scalar(taken) is not None:
                raise BadRequest(f"there is a knowledge base {name!r} already")
            connection.execute(insert(knowledge_bases), row)

        try:
            await self._database.write(work)
        except exc.IntegrityError as error:  # another process was quicker
            raise BadRequest(f"there is a knowledge base {name!r} already") from error
        return await self.base(str(row["id"]), user_id)

    async def share(self, base_id: str, user_id: str, shared: bool) -> None:
        change = (
            update(knowledge_bases)
            .where(_own(base_id, user_id))
            .values(shared_at=now() if shared else None)
        )
        if not await self._database.write(lambda c: c.execute(change).rowcount):
            raise NotFound(f"knowledge base {base_id} of {user_id}")

    async def remove(self, base_id: str, user_id: str) -> None:
        this = delete(knowledge_bases).where(_own(base_id, user_id))
        if not await self._database.write(lambda c: c.execute(this).rowcount):
            raise NotFound(f"knowledge base {base_id} of {user_id}")
        await self._files.delete(base_id)

    # -- documents --------------------------------------------------------------------------------

    async def documents(self, base_id: str, reader: str) -> tuple[Document, ...]:
        await self.base(base_id, reader)
        query = (
            select(knowledge_documents)
            .where(knowledge_documents.c.base_id == base_id)
            .order_by(knowledge_documents.c.name)
        )
        return await self._database.read(lambda c: tuple(map(_document_from, c.execute(query))))

    async def silent_pages(self, base_id: str, reader: str) -> Mapping[str, Sequence[int]]:
        await self.base(base_id, reader)
        document, passage = knowledge_documents.c, knowledge_passages.c
        counted = (
            select(document.id, document.pages)
            .join(knowledge_passages, passage.document_id == document.id)
            .where(document.base_id == base_id, document.name.ilike("%.pdf"))
            .group_by(document.id, document.pages)
            .having(func.count(distinct(passage.page)) < document.pages)
        )

        def work(connection: Connection) -> dict[str, list[int]]:
            found: dict[str, list[int]] = {}
            for row in connection.execute(counted):
                told = select(passage.page).where(passage.document_id == row.id).distinct()
                read = set(connection.scalars(told))
                found[row.id] = [page for page in range(1, row.pages + 1) if page not in read]
            return found

        return await self._database.read(work)

    async def document(self, document_id: str, reader: str) -> Document:
        query = (
            select(knowledge_documents)
            .join(knowledge_bases, knowledge_bases.c.id == knowledge_documents.c.base_id)
            .where(knowledge_documents.c.id == document_id, _readable(reader))
        )
        row = await self._database.read(lambda c: c.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"document {document_id} for {reader}")
        return _document_from(row)

    def path(self, document: Document) -> Any:
        """Where its file is."""
        return self._files.path(document.base_id, document.id)

    async def put(
        self, document: Document, passages: Sequence[Passage], content: bytes, user_id: str
    ) -> None:
        refuse_unstorable(document.id, document.name)
        if (await self.base(document.base_id, user_id)).user_id != user_id:
            raise NotFound(f"knowledge base {document.base_id} of {user_id}")
        await self._files.write(document.base_id, document.id, content)
        same = (knowledge_documents.c.base_id == document.base_id) & (
            knowledge_documents.c.name == document.name
        )
        row = {
            "id": document.id,
            "base_id": document.base_id,
            "name": document.name,
            "mime": document.mime,
            "digest": document.digest,
            "bytes": document.bytes,
            "pages": document.pages,
            "characters": document.characters,
            "passages": len(passages),
            "created_at": document.created_at,
        }
        rows = [_passage_row(document, passage) for passage in passages]

        def work(connection: Connection) -> Sequence[str]:
            owned = select(knowledge_bases.c.id).where(_own(document.base_id, user_id))
            if connection.scalar(owned) is None:
                raise NotFound(f"knowledge base {document.base_id} of {user_id}")
            old = connection.scalars(select(knowledge_documents.c.id).where(same)).all()
            connection.execute(delete(knowledge_documents).where(same))
            connection.execute(insert(knowledge_documents), row)
            for first in range(0, len(rows), _PASSAGES_A_STATEMENT):
                batch = rows[first : first + _PASSAGES_A_STATEMENT]
                connection.execute(insert(knowledge_passages), batch)
            return old

        try:
            old = await self._database.exclusive(work)
        except BaseException:
            await self._files.delete(document.base_id, document.id)
            raise
        for replaced in old:
            await self._files.delete(document.base_id, replaced)

    async def remove_document(self, document_id: str, user_id: str) -> None:
        own = select(knowledge_bases.c.id).where(knowledge_bases.c.user_id == user_id)
        this = (
            delete(knowledge_documents)
            .where(knowledge_documents.c.id == document_id)
            .where(knowledge_documents.c.base_id.in_(own))
            .returning(knowledge_documents.c.base_id)
        )
        base_id = await self._database.write(lambda c: c.execute(this).scalar_one_or_none())
        if base_id is None:
            raise NotFound(f"document {document_id} of {user_id}")
        await self._files.delete(base_id, document_id)

    # -- passages ---------------------------------------------------------------------------------

    async def passages(
        self, document_id: str, reader: str, first: int, last: int
    ) -> tuple[Passage, ...]:
        await self.document(document_id, reader)
        query = (
            select(knowledge_passages)
            .where(knowledge_passages.c.document_id == document_id)
            .where(knowledge_passages.c.number.between(first, last))
            .order_by(knowledge_passages.c.number)
        )
        return await self._database.read(lambda c: tuple(map(_passage_from, c.execute(query))))

    async def find(
        self, base_ids: Sequence[str], reader: str, terms: Sequence[Term], limit: int
    ) -> tuple[FoundPassage, ...]:
        def work(connection: Connection) -> tuple[FoundPassage, ...]:
            allowed = _allowed(connection, base_ids, reader)
            best = best_passages(connection, allowed, terms, limit)
            where = knowledge_passages.c.seq.in_(best)
            found = {row.seq: _found_from(row) for row in connection.execute(_found().where(where))}
            return tuple(found[seq] for seq in best if seq in found)

        return await self._database.read(work)

    async def load(self, keys: Sequence[tuple[str, int]], reader: str) -> tuple[FoundPassage, ...]:
        if not keys:
            return ()
        # One by one: SQLite looks through the whole table for pairs.
        these = or_(
            *(
                and_(knowledge_passages.c.document_id == id, knowledge_passages.c.number == number)
                for id, number in keys
            )
        )
        query = (
            _found()
            .join(knowledge_bases, knowledge_bases.c.id == knowledge_documents.c.base_id)
            .where(these, _readable(reader))
        )
        rows = await self._database.read(lambda c: [_found_from(row) for row in c.execute(query)])
        by_key = {found.key: found for found in rows}
        return tuple(by_key[key] for key in keys if key in by_key)

    # -- vectors ----------------------------------------------------------------------------------

    async def texts(self, document_id: str) -> tuple[Passage, ...]:
        query = (
            select(knowledge_passages)
            .where(knowledge_passages.c.document_id == document_id)
            .order_by(knowledge_passages.c.number)
        )
        return await self._database.read(lambda c: tuple(map(_passage_from, c.execute(query))))

    async def put_vectors(self, model: str, vectors: Vectors) -> None:
        row = {
            "document_id": vectors.document_id,
            "model": model,
            "count": vectors.count,
            "vectors": vectors.data,
        }
        there = exists().where(knowledge_documents.c.id == vectors.document_id)

        def work(connection: Connection) -> None:
            if connection.scalar(select(there)):
                changes = ["model", "count", "vectors"]
                upsert(connection, knowledge_vectors, [row], ["document_id"], changes)

        await self._database.write(work)

    async def drop_vectors(self, document_ids: Sequence[str]) -> None:
        these = knowledge_vectors.c.document_id.in_(document_ids)
        await self._database.write(lambda c: c.execute(delete(knowledge_vectors).where(these)))

    async def vectors(
        self, base_id: str, reader: str, known: Mapping[str, str]
    ) -> tuple[dict[str, str], tuple[Vectors, ...]]:
        of_base = (
            select(knowledge_vectors.c.document_id, knowledge_vectors.c.model)
            .join(knowledge_documents, knowledge_documents.c.id == knowledge_vectors.c.document_id)
            .join(knowledge_bases, knowledge_bases.c.id == knowledge_documents.c.base_id)
            .where(knowledge_bases.c.id == base_id, _readable(reader))
        )

        def work(connection: Connection) -> tuple[dict[str, str], tuple[Vectors, ...]]:
            models = {row.document_id: row.model for row in connection.execute(of_base)}
            missing = [one for one, model in models.items() if known.get(one) != model]
            found: list[Vectors] = []
            for first in range(0, len(missing), _PASSAGES_A_STATEMENT):
                some = missing[first : first + _PASSAGES_A_STATEMENT]
                query = select(knowledge_vectors).where(knowledge_vectors.c.document_id.in_(some))
                rows = connection.execute(query)
                found += (Vectors(r.document_id, r._mapping["count"], r.vectors) for r in rows)
            return models, tuple(found)

        return await self._database.read(work)

    async def unembedded(self, model: str, limit: int) -> tuple[str, ...]:
        done = exists().where(
            knowledge_vectors.c.document_id == knowledge_documents.c.id,
            knowledge_vectors.c.model == model,
        )
        query = (
            select(knowledge_documents.c.id)
            .where(~done)
            .order_by(knowledge_documents.c.created_at)
            .limit(limit)
        )
        return await self._database.read(lambda c: tuple(c.scalars(query)))


def _readable(reader: str) -> ColumnElement[bool]:
    shared: ColumnElement[bool] = knowledge_bases.c.shared_at.is_not(None)
    return or_(knowledge_bases.c.user_id == reader, shared)


def _own(base_id: str, user_id: str) -> ColumnElement[bool]:
    return (knowledge_bases.c.id == base_id) & (knowledge_bases.c.user_id == user_id)


def _allowed(connection: Connection, base_ids: Sequence[str], reader: str) -> list[str]:
    query = select(knowledge_bases.c.id).where(knowledge_bases.c.id.in_(base_ids))
    return list(connection.scalars(query.where(_readable(reader))))


def _bases() -> Select[Any]:
    of_base = knowledge_documents.c.base_id == knowledge_bases.c.id
    documents = select(func.count()).select_from(knowledge_documents).where(of_base)
    passages = select(func.coalesce(func.sum(knowledge_documents.c.passages), 0)).where(of_base)
    return select(
        *knowledge_bases.c,
        users.c.identifier,
        documents.scalar_subquery().label("documents"),
        passages.scalar_subquery().label("passages"),
    ).join(users, users.c.id == knowledge_bases.c.user_id)


def _found() -> Select[Any]:
    document = [column.label(f"of_{column.name}") for column in knowledge_documents.c]
    return select(*knowledge_passages.c, *document).join(
        knowledge_documents, knowledge_documents.c.id == knowledge_passages.c.document_id
    )


def _base_from(row: AnyRow) -> KnowledgeBase:
    return KnowledgeBase(
        row.id,
        row.user_id,
        row.identifier,
        row.name,
        row.shared_at is not None,
        row.documents,
        int(row.passages),
        row.created_at,
    )


def _document_from(row: AnyRow, prefix: str = "") -> Document:
    values = row._mapping
    return Document(**{name: values[prefix + name] for name in Document.__dataclass_fields__})


def _passage_from(row: AnyRow) -> Passage:
    values = row._mapping
    return Passage(**{name: values[name] for name in Passage.__dataclass_fields__})


def _found_from(row: AnyRow) -> FoundPassage:
    values = row._mapping
    named = {n: values[f"of_{n}"] for n in Document.__dataclass_fields__ if n != "id"}
    return FoundPassage(Document(id=row.document_id, **named), _passage_from(row))


def _passage_row(document: Document, passage: Passage) -> dict[str, Any]:
    return {
        "document_id": document.id,
        "base_id": document.base_id,
        "number": passage.number,
        "start": passage.start,
        "page": passage.page,
        "heading": passage.heading,
        "text": passage.text,
        "terms": passage.terms,
    }
