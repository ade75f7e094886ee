"""Knowledge bases: named folders of documents that answers may rest on, and the port that keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document's text, as long as a paragraph or two."""

    number: int
    """In its document, from 0."""
    text: str
    start: int = 0
    """Where it begins in the document's text, in characters."""
    page: int | None = None
    """Page, slide, sheet or chapter, from 1; None where a document has none."""
    heading: str = ""
    """The headings above it, outermost first."""
    terms: str = ""
    """Its words, the heading's and the document's name's in dictionary form, as search compares them."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a base, without its text."""

    id: str
    base_id: str
    name: str
    mime: str
    digest: str
    """SHA-256 of its bytes: the same file is not read again."""
    bytes: int
    pages: int | None
    characters: int
    passages: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A named folder of documents."""

    id: str
    user_id: str
    owner: str
    """The identifier its owner signs in with."""
    name: str
    shared: bool
    """Everyone here may search and read it."""
    documents: int
    passages: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a search found."""

    document: Document
    passage: Passage

    @property
    def key(self) -> tuple[str, int]:
        """The document's id and the passage's number."""
        return self.document.id, self.passage.number


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query: any of these forms, or any word that begins with the stem."""

    forms: tuple[str, ...]
    stem: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one document's passages, in order, of unit length: float32, one after another."""

    document_id: str
    count: int
    data: bytes


def page_spans(pages: Sequence[int]) -> str:
    """Pages in a line, rising: `3–5, 9`."""
    spans: list[list[int]] = []
    for page in sorted(pages):
        if spans and page == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], page]
        else:
            spans.append([page])
    return ", ".join("–".join(map(str, span)) for span in spans)


class KnowledgeStore(Protocol):
    """Where bases are kept. `reader` is who asks: another's base that is not shared is NotFound, and so
    is any but one's own to whoever changes it. Failures raise StorageUnavailable."""

    async def bases(self, reader: str) -> tuple[KnowledgeBase, ...]:
        """One's own and those that are shared, by name."""
        ...

    async def base(self, base_id: str, reader: str) -> KnowledgeBase: ...

    async def create(self, user_id: str, name: str) -> KnowledgeBase: ...

    async def share(self, base_id: str, user_id: str, shared: bool) -> None: ...

    async def remove(self, base_id: str, user_id: str) -> None:
        """With all that is in it, files too."""
        ...

    async def documents(self, base_id: str, reader: str) -> tuple[Document, ...]:
        """By name."""
        ...

    async def silent_pages(self, base_id: str, reader: str) -> Mapping[str, Sequence[int]]:
        """Of the base's PDFs, by their ids, the pages without text, where there are any."""
        ...

    async def document(self, document_id: str, reader: str) -> Document: ...

    async def put(
        self, document: Document, passages: Sequence[Passage], content: bytes, user_id: str
    ) -> None:
        """Adds a document in place of one with its name."""
        ...

    async def remove_document(self, document_id: str, user_id: str) -> None: ...

    async def passages(
        self, document_id: str, reader: str, first: int, last: int
    ) -> tuple[Passage, ...]:
        """Those with these numbers, the last one too."""
        ...

    async def find(
        self, base_ids: Sequence[str], reader: str, terms: Sequence[Term], limit: int
    ) -> tuple[FoundPassage, ...]:
        """Those that hold most of the terms, rare ones first; of bases that the reader may read."""
        ...

    async def load(self, keys: Sequence[tuple[str, int]], reader: str) -> tuple[FoundPassage, ...]:
        """The passages of these documents and numbers that are still there, in that order."""
        ...

    async def texts(self, document_id: str) -> tuple[Passage, ...]:
        """All passages of a document, for whom it may concern: vectors are made of them."""
        ...

    async def put_vectors(self, model: str, vectors: Vectors) -> None:
        """Keeps them, in place of the document's others; nothing for a document that is gone."""
        ...

    async def drop_vectors(self, document_ids: Sequence[str]) -> None:
        """Forgets those of the documents, which are `unembedded` then."""
        ...

    async def vectors(
        self, base_id: str, reader: str, known: Mapping[str, str]
    ) -> tuple[dict[str, str], tuple[Vectors, ...]]:
        """The model of each document of the base that has vectors, and the vectors of those whose model
        differs from `known`; nothing of a base that is not the reader's to read."""
        ...

    async def unembedded(self, model: str, limit: int) -> tuple[str, ...]:
        """Ids of documents without vectors of that model, oldest first."""
        ...
