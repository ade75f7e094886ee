"""Passages are found by their vectors too: made in the background, the former model's serving meanwhile."""

import asyncio

import numpy as np
import pytest
import pytest_asyncio

from app.core.errors import ContextTooLong, ServerUnavailable
from app.core.knowledge import Document, Passage, Vectors
from app.core.turns import now
from app.knowledge.embedding import Embeddings, Forms, fused
from app.knowledge.library import Library
from app.storage.storage import Storage
from tests.waiting import until

TEXTS = {"a.txt": "A feline sleeps on the sofa", "b.txt": "Quarterly revenue of the branch"}


class Meaning:
    """A server whose models know two meanings: cats and money."""

    def __init__(self):
        self.asked = []
        self.down = set()
        self.longest = 10_000
        self.width = 2

    async def embed(self, model, texts):
        self.asked.append((model, list(texts)))
        if model in self.down:
            raise ServerUnavailable("down", server="s")
        if any(len(text) > self.longest for text in texts):
            raise ContextTooLong("too long", server="s")
        turned = model.endswith("turned")
        vectors = [
            [float("feline" in t or "cat" in t), float("revenue" in t or "money" in t)]
            for t in texts
        ]
        vectors = [vector + [0.0] * (self.width - 2) for vector in vectors]
        return [[*vector[::-1], 1.0] if turned else vector for vector in vectors]


@pytest_asyncio.fixture
async def storage(tmp_path):
    opened = await Storage(f"sqlite+aiosqlite:///{tmp_path / 'k.db'}", tmp_path).open()
    yield opened
    await opened.aclose()


async def a_library(storage, tmp_path, meaning, model="s/plain"):
    embeddings = Embeddings(storage.knowledge, model, meaning.embed, retry_seconds=(0.01,))
    library = Library(storage.knowledge, embeddings=embeddings)
    user = await storage.users.by_identifier("ann") or await storage.users.add("ann")
    base = next(iter(await storage.knowledge.bases(user.id)), None)
    base = base or await storage.knowledge.create(user.id, "Papers")
    for name, text in TEXTS.items():
        path = tmp_path / name
        path.write_text(text)
        await library.add(base.id, user.id, path, name)
    return library, embeddings, base.id, user.id


async def names(library, base, user, question):
    return [one.document.name for one in await library.search([base], user, question)]


async def finished(storage, model):
    while await storage.knowledge.unembedded(model, 1):
        await asyncio.sleep(0.01)


async def test_what_shares_no_word_with_the_question_is_found_by_its_meaning(storage, tmp_path):
    meaning = Meaning()
    library, embeddings, base, user = await a_library(storage, tmp_path, meaning)
    assert await names(library, base, user, "cats") == []
    making = asyncio.create_task(embeddings.run())
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    assert (await names(library, base, user, "cats"))[0] == "a.txt"
    (tmp_path / "c.txt").write_text("Another feline")
    await library.add(base, user, tmp_path / "c.txt", "c.txt")
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    assert set((await names(library, base, user, "cats"))[:2]) == {"a.txt", "c.txt"}
    making.cancel()


async def test_the_former_models_vectors_serve_until_there_are_new_ones(storage, tmp_path):
    meaning = Meaning()
    _, embeddings, base, user = await a_library(storage, tmp_path, meaning)
    making = asyncio.create_task(embeddings.run())
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    making.cancel()
    library, embeddings, _, _ = await a_library(storage, tmp_path, meaning, "s/turned")
    assert (await names(library, base, user, "cats"))[0] == "a.txt"
    assert meaning.asked[-1] == ("s/plain", ["cats"])
    making = asyncio.create_task(embeddings.run())
    await asyncio.wait_for(finished(storage, "s/turned"), 30)
    assert (await names(library, base, user, "money"))[0] == "b.txt"
    assert meaning.asked[-1] == ("s/turned", ["money"])
    making.cancel()


async def test_a_server_that_is_down_leaves_the_words_and_is_asked_again(storage, tmp_path):
    meaning = Meaning()
    meaning.down.add("s/plain")
    library, embeddings, base, user = await a_library(storage, tmp_path, meaning)
    making = asyncio.create_task(embeddings.run())
    await until(lambda: len(meaning.asked) > 2)
    assert await names(library, base, user, "feline") == ["a.txt"]
    meaning.down.clear()
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    meaning.down.add("s/plain")
    assert await names(library, base, user, "feline") == ["a.txt"]
    making.cancel()


@pytest.mark.parametrize(("longest", "by_meaning"), [(700, True), (100, False)])
async def test_a_passage_that_the_model_refuses_stands_in_nobodys_way(
    storage, tmp_path, longest, by_meaning
):
    meaning = Meaning()
    meaning.longest = longest
    library, embeddings, base, user = await a_library(storage, tmp_path, meaning)
    (tmp_path / "long.txt").write_text("revenue " + "and so on " * 80)
    await library.add(base, user, tmp_path / "long.txt", "long.txt")
    making = asyncio.create_task(embeddings.run())
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    assert (await names(library, base, user, "cats"))[0] == "a.txt"
    assert ("long.txt" in (await names(library, base, user, "money"))[:2]) == by_meaning
    assert "long.txt" in await names(library, base, user, "revenue")
    making.cancel()


async def test_another_model_by_the_same_name_makes_wider_vectors_and_breaks_no_search(
    storage, tmp_path
):
    meaning = Meaning()
    library, embeddings, base, user = await a_library(storage, tmp_path, meaning)
    making = asyncio.create_task(embeddings.run())
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    meaning.width = 3
    (tmp_path / "c.txt").write_text("Another feline")
    await library.add(base, user, tmp_path / "c.txt", "c.txt")
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    assert (await names(library, base, user, "cats"))[0] == "c.txt"
    assert await names(library, base, user, "sofa") != []
    await asyncio.wait_for(finished(storage, "s/plain"), 30)  # those of the old width, too
    assert set((await names(library, base, user, "cats"))[:2]) == {"a.txt", "c.txt"}
    meaning.width = 4
    await names(library, base, user, "cats")
    await asyncio.wait_for(finished(storage, "s/plain"), 30)  # nobody searches meanwhile
    assert set((await names(library, base, user, "cats"))[:2]) == {"a.txt", "c.txt"}
    making.cancel()


async def test_the_nearest_of_many_vectors_are_found_exactly(storage):
    """The ten best of 5,000, in order."""
    draw = np.random.default_rng(5)
    made = draw.standard_normal((5_000, 32), dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    user = (await storage.users.add("ann")).id
    base = (await storage.knowledge.create(user, "Large")).id
    for number, part in enumerate(np.split(made, 5)):
        passages = [Passage(n, "text") for n in range(len(part))]
        document = Document(
            f"d{number}", base, f"{number}", "", "", 1, None, 1, len(passages), now()
        )
        await storage.knowledge.put(document, passages, b"x", user)
        vectors = Vectors(document.id, len(part), part.tobytes())
        await storage.knowledge.put_vectors("s/m", vectors)
    asked = draw.standard_normal(32)

    async def embed(_model, _texts):
        return [list(asked)]

    (found,) = await Embeddings(storage.knowledge, "s/m", embed).find([base], user, "?", 10)
    best = np.argsort(-(made @ asked))[:10]
    assert found == [(f"d{at // 1_000}", at % 1_000) for at in best]


async def test_vectors_open_no_base_of_another(storage, tmp_path):
    meaning = Meaning()
    library, embeddings, base, user = await a_library(storage, tmp_path, meaning)
    making = asyncio.create_task(embeddings.run())
    await asyncio.wait_for(finished(storage, "s/plain"), 30)
    bob = (await storage.users.add("bob")).id
    assert await names(library, base, bob, "cats") == []
    await storage.knowledge.share(base, user, True)
    assert (await names(library, base, bob, "cats"))[0] == "a.txt"
    making.cancel()


@pytest.mark.parametrize(
    ("model", "question", "passage"),
    [
        ("yandex/text-search-query/latest", "text-search-query", "text-search-doc"),
        ("yandex/text-search-doc", "text-search-query", "text-search-doc"),
        ("nano/e5-query", "e5-query", "e5-passage"),
    ],
)
def test_a_model_may_have_two_names(model, question, passage):
    forms = Forms.of(model)
    assert (question in forms.question_model, passage in forms.passage_model) == (True, True)
    assert forms.question_beginning == forms.passage_beginning == ""


@pytest.mark.parametrize(
    ("model", "question", "passage"),
    [
        ("ollama/multilingual-e5-large", "query: ", "passage: "),
        ("ollama/nomic-embed-text", "search_query: ", "search_document: "),
        ("ollama/bge-m3", "", ""),
        ("openai/text-embedding-3-small", "", ""),
    ],
)
def test_a_model_may_want_a_beginning(model, question, passage):
    forms = Forms.of(model)
    assert (forms.question_beginning, forms.passage_beginning) == (question, passage)
    assert forms.question_model == forms.passage_model == model


def test_what_two_rankings_have_in_common_comes_first():
    a, b, c = ("a", 0), ("b", 0), ("c", 0)
    assert fused([[a, b], [c, b]]) == [b, a, c]
    assert fused([[], []]) == []
    foreign = ("d", 0)
    assert fused([[a, b, c], [foreign, a, b]])[0] == a
    assert fused([[c, b], [foreign, b]], [foreign])[0] == foreign
