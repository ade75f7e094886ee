"""Documents of every kind are read into passages, in a process of their own."""

import io
import zipfile

import pytest
import pytest_asyncio
from openpyxl import Workbook
from pptx import Presentation
from pypdf import PdfReader, PdfWriter

from app.attachments import refusal_text, silent_text
from app.core.errors import AttachmentRefused, NotFound
from app.core.text import LANGUAGES
from app.knowledge.library import Library
from app.storage.storage import Storage
from tests.attachment_files import a_bomb, a_docx, a_pdf, a_png
from tests.data.knowledge import a_scan


def an_xlsx():
    book, buffer = Workbook(), io.BytesIO()
    sheet = book.active
    sheet.title = "Prices"
    sheet.append(["article", "price"])
    sheet.append(["teapot", 1250])
    book.save(buffer)
    return buffer.getvalue()


def a_pptx():
    talk, buffer = Presentation(), io.BytesIO()
    slide = talk.slides.add_slide(talk.slide_layouts[1])
    slide.shapes.title.text = "Roadmap"
    slide.placeholders[1].text = "Launch in October"
    talk.save(buffer)
    return buffer.getvalue()


def an_epub():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "OEBPS/book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            '<item id="one" href="one.xhtml"/></manifest><spine><itemref idref="one"/></spine>'
            "</package>",
        )
        archive.writestr(
            "OEBPS/one.xhtml", "<html><body><h1>Whale</h1><p>Call me Ishmael</p></body></html>"
        )
    return buffer.getvalue()


@pytest_asyncio.fixture
async def base(tmp_path):
    """The store of bases, and a base in it."""
    storage = await Storage(f"sqlite+aiosqlite:///{tmp_path / 'k.db'}", tmp_path).open()
    user = await storage.users.add("ann")
    yield storage.knowledge, await storage.knowledge.create(user.id, "Papers")
    await storage.aclose()


@pytest_asyncio.fixture
async def house(base, tmp_path):
    """Adds a document to that base, and searches it."""
    store, papers = base
    library = Library(store)

    async def add(name, content):
        path = tmp_path / "upload"
        path.write_bytes(content)
        return await library.add(papers.id, papers.user_id, path, name)

    async def search(question):
        return await library.search([papers.id], papers.user_id, question)

    return add, search


@pytest.mark.parametrize(
    ("name", "content", "question", "text", "page"),
    [
        ("a.pdf", a_pdf("First page", "Second harvest"), "harvest", "Second harvest", 2),
        ("a.docx", a_docx(), "привет", "Привет from Word", None),
        ("a.xlsx", an_xlsx(), "teapot", "teapot | 1250", 1),
        ("a.pptx", a_pptx(), "launch", "Launch in October", 1),
        ("a.epub", an_epub(), "Ishmael", "Call me Ishmael", 1),
        ("a.html", b"<h1>News</h1><p>Rain tomorrow</p>", "rain", "Rain tomorrow", None),
        ("a.md", "# План\nЗапуск у жовтні".encode(), "запуск", "Запуск у жовтні", None),
        ("a.csv", "имя;цена\nчайник;10".encode("cp1251"), "чайники", "чайник;10", None),
    ],
)
async def test_a_document_of_each_kind_is_found_by_its_words(
    house, name, content, question, text, page
):
    add, search = house
    _, changed = await add(name, content)
    assert changed
    found = await search(question)
    assert text in found[0].passage.text
    assert found[0].passage.page == page
    assert found[0].document.name == name


async def test_the_same_bytes_are_not_read_again_and_others_replace_them(house):
    add, search = house
    first, _ = await add("a.txt", b"the old harvest")
    again, changed = await add("a.txt", b"the old harvest")
    assert (again.id, changed) == (first.id, False)
    await add("a.txt", b"the new vintage")
    assert await search("harvest") == ()
    assert [one.passage.text for one in await search("vintage")] == ["the new vintage"]


async def test_a_scan_is_read_by_tesseract_and_without_it_refused_in_words(house, monkeypatch):
    add, search = house
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AttachmentRefused) as caught:
        await add("scan.pdf", a_scan())
    assert "Tesseract" in refusal_text(caught.value.reason, caught.value.facts)["en"]
    monkeypatch.undo()
    await add("scan.pdf", a_scan())
    assert "damaged" in (await search("damaged pallets"))[0].passage.text


async def test_of_a_pdf_that_is_scanned_in_part_the_pages_without_text_are_told(
    base, house, monkeypatch
):
    (store, papers), (add, search) = base, house
    whole = PdfWriter()
    for part in (a_pdf("First harvest"), a_scan(), a_scan(), a_pdf("Last vintage", "")):
        whole.append(PdfReader(io.BytesIO(part)))
    buffer = io.BytesIO()
    whole.write(buffer)
    monkeypatch.setenv("PATH", "/nowhere")
    document, _ = await add("half.pdf", buffer.getvalue())
    silent = await store.silent_pages(papers.id, papers.user_id)
    assert (document.pages, silent) == (5, {document.id: [2, 3, 5]})
    told = silent_text(silent[document.id])
    assert "p. 2–3, 5, most likely pictures" in told.en
    assert all("Tesseract" in told[language] for language in LANGUAGES)
    assert (await search("vintage"))[0].passage.page == 4
    monkeypatch.undo()
    await store.remove_document(document.id, papers.user_id)
    document, _ = await add("half.pdf", buffer.getvalue())
    assert await store.silent_pages(papers.id, papers.user_id) == {document.id: [5]}
    assert (await search("damaged pallets"))[0].passage.page in (2, 3)
    with pytest.raises(NotFound):
        await store.silent_pages(papers.id, "somebody else")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.docx", lambda: a_bomb(600), "unpacks_too_large"),
        ("a.xlsx", b"PK\x03\x04 broken", "damaged"),
        ("a.png", a_png(10, 10), "unsupported"),
        ("a.pdf", a_pdf("", ""), "no_text"),
        ("a.txt", b"", "empty"),
        ("a.pptx", a_docx(), "type_mismatch"),
    ],
)
async def test_what_cannot_be_read_is_refused_and_leaves_nothing(house, name, content, reason):
    add, search = house
    with pytest.raises(AttachmentRefused) as caught:
        await add(name, content() if callable(content) else content)
    assert caught.value.reason == reason
    assert await search("anything") == ()
