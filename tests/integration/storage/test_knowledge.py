"""Knowledge bases on both databases: whose they are, what is found, what goes with what."""

import asyncio

import pytest

from app.core.errors import BadRequest, NotFound
from app.core.knowledge import Document, Passage, Vectors
from app.core.turns import new_id, now
from app.knowledge.terms import query_terms, terms_of
from app.storage import transfer
from app.storage.storage import Storage

TEXTS = (
    "Срок поставки товара составляет четырнадцать дней",
    "Гарантия на товар действует два года",
    "Оплата товара по счёту в течение недели",
)


async def put(storage, base, owner, name="d.txt", texts=TEXTS):
    document = Document(new_id(), base.id, name, "text/plain", "x", 5, None, 9, len(texts), now())
    passages = [
        Passage(n, text, n * 100, None, "", terms_of(text, "ru")) for n, text in enumerate(texts)
    ]
    await storage.knowledge.put(document, passages, b"bytes", owner.id)
    return document


async def found(storage, base, reader, question):
    passages = await storage.knowledge.find([base.id], reader.id, query_terms(question), 5)
    return [one.passage.text for one in passages]


async def test_passages_are_found_by_other_forms_of_their_words_rarest_first(storage, ann):
    base = await storage.knowledge.create(ann.id, "Договоры")
    await put(storage, base, ann)
    assert (await found(storage, base, ann, "сроков поставок товаров"))[0] == TEXTS[0]
    assert (await found(storage, base, ann, "какая гарантия на товары?"))[0] == TEXTS[1]
    assert await found(storage, base, ann, "погода") == []


async def test_among_many_passages_rare_words_find_and_common_ones_rank(storage, ann):
    """More than PostgreSQL is made to count: before it knows its tables, and after."""
    base = await storage.knowledge.create(ann.id, "Large")
    texts = ["common often word", "common often seldom word", "common often seldom apple pear"]
    many = [texts[0]] * 11_000 + [texts[1]] * 7_000 + [texts[2]]
    await put(storage, base, ann, texts=many)
    for _ in range(2):
        assert (await found(storage, base, ann, "common often apple"))[0] == texts[2]
        assert (await found(storage, base, ann, "common seldom pear"))[0] == texts[2]
        assert "seldom" in (await found(storage, base, ann, "common seldom"))[0]
        assert len(await found(storage, base, ann, "often common")) == 5
        assert await found(storage, base, ann, "zebra") == []
        await storage.database.write(lambda c: c.exec_driver_sql("ANALYZE"))


async def test_another_finds_and_opens_nothing_until_it_is_shared(storage, ann, bob):
    knowledge = storage.knowledge
    base = await knowledge.create(ann.id, "Мои")
    document = await put(storage, base, ann)
    assert await knowledge.bases(bob.id) == ()
    assert await found(storage, base, bob, "гарантия") == []
    assert await knowledge.load([(document.id, 1)], bob.id) == ()
    for forbidden in (
        knowledge.base(base.id, bob.id),
        knowledge.documents(base.id, bob.id),
        knowledge.document(document.id, bob.id),
        knowledge.passages(document.id, bob.id, 0, 2),
        knowledge.share(base.id, bob.id, True),
        knowledge.remove(base.id, bob.id),
        knowledge.remove_document(document.id, bob.id),
        put(storage, base, bob, "other.txt"),
    ):
        with pytest.raises(NotFound):
            await forbidden
    await knowledge.share(base.id, ann.id, True)
    assert len(await found(storage, base, bob, "гарантия")) == 1
    assert [one.text for one in await knowledge.passages(document.id, bob.id, 1, 1)] == [TEXTS[1]]
    for forbidden in (
        knowledge.remove(base.id, bob.id),
        knowledge.remove_document(document.id, bob.id),
        put(storage, base, bob, "other.txt"),
    ):
        with pytest.raises(NotFound):
            await forbidden
    await knowledge.share(base.id, ann.id, False)
    assert await found(storage, base, bob, "гарантия") == []


async def test_a_document_takes_the_place_of_one_with_its_name(storage, ann):
    base = await storage.knowledge.create(ann.id, "A")
    old = await put(storage, base, ann)
    new = await put(storage, base, ann, texts=("Только новое",))
    assert await found(storage, base, ann, "гарантия") == []
    assert await found(storage, base, ann, "новое") == ["Только новое"]
    assert not storage.knowledge.path(old).exists()
    assert storage.knowledge.path(new).read_bytes() == b"bytes"


async def test_removing_takes_passages_index_and_files(storage, ann):
    base = await storage.knowledge.create(ann.id, "A")
    document = await put(storage, base, ann)
    await storage.knowledge.remove_document(document.id, ann.id)
    assert await found(storage, base, ann, "гарантия") == []
    assert not storage.knowledge.path(document).exists()
    other = await put(storage, base, ann)
    await storage.knowledge.remove(base.id, ann.id)
    assert await storage.knowledge.bases(ann.id) == ()
    assert not storage.knowledge.path(other).parent.exists()


async def test_names_are_ones_own_and_once(storage, ann, bob):
    await storage.knowledge.create(ann.id, "A")
    await storage.knowledge.create(bob.id, "A")
    for name in ("A", " A ", "", " ", "x" * 201):
        with pytest.raises(BadRequest):
            await storage.knowledge.create(ann.id, name)


async def test_what_a_query_may_hold_breaks_no_search(storage, ann):
    base = await storage.knowledge.create(ann.id, "A")
    await put(storage, base, ann)
    for question in (
        "'",
        '"',
        "* OR base:x",
        "a'b\"c",
        "-- NEAR(x)",
        "\\",
        "1,234.5",
        "п'ять",
        "&|!():*",
    ):
        await found(storage, base, ann, question)


async def test_all_of_it_is_in_an_export(storage, ann, tmp_path):
    base = await storage.knowledge.create(ann.id, "A")
    document = await put(storage, base, ann)
    await storage.knowledge.put_vectors("e5", Vectors(document.id, 3, b"\0\1" * 6))
    await transfer.export_to(storage, tmp_path / "all.zip")
    target = tmp_path / "target"
    other = await Storage(f"sqlite+aiosqlite:///{target / 'k.db'}", target).open()
    await transfer.import_from(other, tmp_path / "all.zip")
    assert (await found(other, base, ann, "гарантия"))[0] == TEXTS[1]
    models, vectors = await other.knowledge.vectors(base.id, ann.id, {})
    assert (models, vectors[0].data) == ({document.id: "e5"}, b"\0\1" * 6)
    assert other.knowledge.path(document).read_bytes() == b"bytes"
    await other.aclose()


async def test_many_put_at_once_and_all_are_kept(storage, ann):
    base = await storage.knowledge.create(ann.id, "A")
    await asyncio.gather(*(put(storage, base, ann, f"{n}.txt") for n in range(8)))
    assert len(await storage.knowledge.documents(base.id, ann.id)) == 8
