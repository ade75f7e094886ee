"""The knowledge bases of the house: documents are added, and passages found again."""

import asyncio
import hashlib
import json
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from app.attachments.limits import MEGABYTE, AttachmentLimits
from app.attachments.reading import admit, in_own_process
from app.completion.caching.words import read_dictionaries
from app.core.errors import AttachmentRefused, NotFound, StorageUnavailable
from app.core.knowledge import Document, FoundPassage, KnowledgeBase, KnowledgeStore, Passage
from app.core.tools import Source
from app.core.turns import HistoryMessage, TurnRequest, new_id, now
from app.knowledge.embedding import Embeddings, fused
from app.knowledge.terms import languages_of, query_terms

LIMITS = AttachmentLimits(
    bytes=50 * MEGABYTE, unpacked_bytes=300 * MEGABYTE, characters=5_000_000, seconds=300.0
)
"""Of one document: books are longer than what comes with a question."""
FOUND = 8
"""Passages that a search gives."""
_FEW_TERMS = 3
_OF_EACH = 40
"""Passages of each ranking that are fused."""
_MAX_CONCURRENT = 1
"""Readers at once, each a process that takes a core for itself."""


class Library:
    """Adds documents to bases and searches them. What it raises is said for whoever asked."""

    def __init__(
        self,
        store: KnowledgeStore,
        *,
        embeddings: Embeddings | None = None,
        limits: AttachmentLimits = LIMITS,
    ) -> None:
        self.store = store
        self.embeddings = embeddings
        self.limits = limits
        self._free = asyncio.Semaphore(_MAX_CONCURRENT)

    async def named(self, name: str, reader: str) -> KnowledgeBase:
        """The base of that id or name, one's own before those that others share. Raises NotFound."""
        found = [one for one in await self.store.bases(reader) if name in (one.id, one.name)]
        if not found:
            raise NotFound(f"knowledge base {name!r} for {reader}")
        return min(found, key=lambda one: (one.id != name, one.user_id != reader))

    async def add(
        self, base_id: str, user_id: str, path: Path, name: str, mime: str = ""
    ) -> tuple[Document, bool]:
        """The file as a document of the base, in place of one with its name; and whether anything
        changed: the same bytes are not read again.

        Raises AttachmentRefused, NotFound, StorageUnavailable.
        """
        mime = mime or mimetypes.guess_type(name)[0] or ""
        kind = admit(path, name, mime, self.limits)
        if kind == "image":
            raise AttachmentRefused(reason="unsupported", name=name)
        try:
            content = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise StorageUnavailable(f"{path.name}: {error}") from error
        digest = hashlib.sha256(content).hexdigest()
        for known in await self.store.documents(base_id, user_id):
            if known.name == name and known.digest == digest:
                return known, False
        async with self._free:
            told, listed = await in_own_process(
                "app.knowledge.worker", path, name, kind, self.limits, name
            )
        passages = await asyncio.to_thread(_passages, listed)
        document = Document(
            id=new_id(),
            base_id=base_id,
            name=name,
            mime=mime,
            digest=digest,
            bytes=len(content),
            pages=told["pages"],
            characters=told["characters"],
            passages=len(passages),
            created_at=now(),
        )
        await self.store.put(document, passages, content, user_id)
        if self.embeddings is not None:
            self.embeddings.added()
        return document, True

    async def search(
        self, base_ids: Sequence[str], reader: str, question: str, limit: int = FOUND
    ) -> tuple[FoundPassage, ...]:
        """The passages that a question is most likely answered by, best first: by their words, and by
        their meaning where an embedding model is configured."""
        if not read_dictionaries.cache_info().currsize:
            await asyncio.to_thread(read_dictionaries)
        terms = query_terms(question)
        if self.embeddings is None:
            return await self.store.find(base_ids, reader, terms, limit)
        by_words, by_meaning = await asyncio.gather(
            self.store.find(base_ids, reader, terms, _OF_EACH),
            self.embeddings.find(base_ids, reader, question, _OF_EACH),
        )
        found = {one.key: one for one in by_words}
        near = list(dict.fromkeys(key for ranking in by_meaning for key in ranking))
        others = await self.store.load([key for key in near if key not in found], reader)
        found |= {one.key: one for one in others}
        asked = languages_of(question)
        wordless = {
            key for key, one in found.items() if asked.isdisjoint(languages_of(one.passage.text))
        }
        best = fused([[one.key for one in by_words], *by_meaning], wordless)
        return tuple(found[key] for key in best if key in found)[:limit]

    async def find(
        self, request: TurnRequest, history: Sequence[HistoryMessage]
    ) -> tuple[Source, ...]:
        """What of the bases that the thread has chosen its question may be answered by. A short one
        ("and how much is it?") is looked up with the one before it."""
        question = request.question.text
        if len(query_terms(question)) < _FEW_TERMS:
            asked = (message.text for message in reversed(history) if message.role == "user")
            question = f"{question}\n{next(asked, '')}"
        bases = request.options.names("knowledge")
        found = await self.search(bases, request.user_id, question)
        return tuple(map(source_of, found))


def source_of(found: FoundPassage) -> Source:
    """A passage as answers cite it."""
    document, passage = found.document, found.passage
    return Source(
        document.name,
        text=passage.text,
        page=passage.page,
        heading=passage.heading,
        id=f"{document.id}/{passage.number}",
    )


def _passages(listed: bytes) -> list[Passage]:
    return [Passage(*json.loads(line)) for line in listed.split(b"\n")]
