"""Files are read as they are, and bad ones are refused with a reason and little memory."""

import asyncio
import io
import os
import resource
import sys
import zipfile
import zlib

import psutil
import pytest
from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from openpyxl import Workbook
from PIL import Image
from pptx import Presentation
from pypdf import PdfWriter

from app.attachments import (
    AttachmentLimits,
    File,
    read_attachment,
    read_attachments,
    refusal_text,
    unseen,
)
from app.core.errors import AttachmentRefused
from app.core.models import Capability, ModelProfile, ModelRef
from tests.attachment_files import MEGABYTE, a_bomb, a_docx, a_huge_png, a_pdf, a_png, a_raw_pdf
from tests.waiting import until

SEES = ModelProfile(
    ModelRef("ollama", "llava"), frozenset({Capability.COMPLETION, Capability.VISION})
)
BLIND = ModelProfile(ModelRef("ollama", "gemma2:2b"))
LIMITS = AttachmentLimits()
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def peak_of_children():
    """Bytes of the largest child process so far, whichever it was."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


@pytest.fixture
def read(tmp_path):
    async def read(name, content, mime="", limits=LIMITS):
        path = tmp_path / "upload"
        if isinstance(content, int):
            with path.open("wb") as file:
                file.truncate(content)
        else:
            path.write_bytes(content)
        return await read_attachment(path, name, mime, limits)

    return read


@pytest.fixture
def refuse(read):
    """Reads, expects a refusal, and that neither this process nor the reader grew much."""

    async def refuse(name, content, **options):
        before, peak = psutil.Process().memory_info().rss, peak_of_children()
        born = before + 30 * MEGABYTE  # a child is this process until it runs its own program
        with pytest.raises(AttachmentRefused) as caught:
            await read(name, content, **options)
        assert psutil.Process().memory_info().rss - before < 30 * MEGABYTE
        assert peak_of_children() in range(max(peak, born, 400 * MEGABYTE) + 1)
        assert caught.value.facts.get("name", name) == name
        return caught.value

    return refuse


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.md", "# Заметки\nїжак".encode()),
        ("data.json", b'{"a": [1, 2]}'),
        ("table.csv", "имя;цена\nчай;10".encode("cp1251")),
        ("main.py", b"print('hi')\n"),
        ("Makefile", b"all:\n\techo\n"),
        ("bom.txt", "привет".encode("utf-8-sig")),
        ("wide.txt", "привет".encode("utf-16")),
    ],
)
async def test_texts_of_every_encoding_are_read(read, name, content):
    attachment = await read(name, content)
    texts = {content.decode(e, "ignore") for e in ("utf-8-sig", "cp1251", "utf-16")}
    assert attachment.text in texts
    assert attachment.image is None
    assert attachment.name == name


async def test_a_pdf_is_read_page_by_page(read):
    attachment = await read("a.pdf", a_pdf("First page", "Second page"))
    assert attachment.text == "First page\n\nSecond page"


async def test_a_model_is_told_which_pages_of_a_pdf_carry_no_text(read):
    attachment = await read("a.pdf", a_pdf("First page", "", "", "Last page", ""))
    assert attachment.text == (
        "First page\n\nLast page\n\n[Pages of this document that carry no text (pictures, most likely): "
        "2–3, 5]"
    )


async def test_a_docx_keeps_headings_and_tables(read):
    attachment = await read("a.docx", a_docx(), mime=DOCX)
    assert attachment.text == "# Plan\nПривет from Word\nprice | 42"


async def test_a_docx_is_read_with_what_stands_in_words_wrappers(read):
    """Fields of a form, tracked changes, text boxes, tables in tables, headers and notes."""
    inside = """<w:sdt><w:sdtPr><w:tag w:val="t"/></w:sdtPr><w:sdtContent>{paragraph}</w:sdtContent></w:sdt>
        <w:p><w:r><w:t>Pay </w:t></w:r><w:sdt><w:sdtContent><w:r><w:t>Ann</w:t></w:r></w:sdtContent></w:sdt>
        <w:del w:id="1"><w:r><w:t> nothing</w:t></w:r></w:del><w:ins w:id="2"><w:r><w:t> 500</w:t></w:r></w:ins>
        <w:fldSimple w:instr="DATE"><w:r><w:t> today</w:t></w:r></w:fldSimple>
        <w:r><w:footnoteReference w:id="7"/></w:r><w:r><mc:AlternateContent xmlns:mc="{mc}"><mc:Choice
        Requires="wps">{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"""
    paragraph = "<w:p><w:r><w:t>Name of the form</w:t></w:r></w:p>"
    box = f"<w:txbxContent>{paragraph.replace('Name of the form', 'In a box')}</w:txbxContent>"
    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    document = Document()
    document.sections[0].header.paragraphs[0].text = "Contract 17"
    document.sections[0].footer.paragraphs[0].text = "3"
    table = document.add_table(1, 1)
    table.cell(0, 0).text = "outer"
    table.cell(0, 0).add_table(1, 1).cell(0, 0).text = "inner"
    buffer, whole = io.BytesIO(), io.BytesIO()
    document.save(buffer)
    words = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    note = f'<w:footnotes xmlns:w="{words}"><w:footnote w:id="7">{paragraph}</w:footnote></w:footnotes>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    changes = {
        "word/document.xml": (
            "<w:sectPr",
            inside.format(paragraph=paragraph, box=box, mc=mc) + "<w:sectPr",
        ),
        "word/_rels/document.xml.rels": (
            "</Relationships>",
            f'<Relationship Id="n" Type="{kind}" Target="footnotes.xml"/></Relationships>',
        ),
    }
    with zipfile.ZipFile(buffer) as before, zipfile.ZipFile(whole, "w") as after:
        after.writestr("word/footnotes.xml", note.replace("Name of the form", "In dollars"))
        for name in before.namelist():
            text = before.read(name)
            for old, new in [changes[name]] if name in changes else []:
                text = text.replace(old.encode(), new.encode(), 1)
            after.writestr(name, text)
    attachment = await read("a.docx", whole.getvalue(), mime=DOCX)
    assert attachment.text.split("\n") == [
        "Contract 17",
        "outer inner",
        "Name of the form",
        "Pay Ann 500 today[^1]",
        "In a box",
        "[^1]: In dollars",
    ]


async def test_paragraphs_of_a_docx_have_the_numbers_that_word_counts(read):
    """Clauses of a contract are asked about by numbers that no text of the file holds."""
    document = Document()
    levels = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for at, (form, text) in enumerate(
            [("decimal", "%1."), ("decimal", "%1.%2."), ("lowerLetter", "%3)")]
        )
    )
    kind = f'<w:abstractNum {nsdecls("w")} w:abstractNumId="90">{levels}</w:abstractNum>'
    again = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'
    numbering = document.part.numbering_part.element
    numbering.insert(0, parse_xml(kind))
    for name, changes in ((90, ""), (91, again)):
        instance = (
            f'<w:num {nsdecls("w")} w:numId="{name}"><w:abstractNumId w:val="90"/>{changes}</w:num>'
        )
        numbering.append(parse_xml(instance))

    def add(text, name, depth):
        numbered = (
            document.add_paragraph(text)
            .paragraph_format.element.get_or_add_pPr()
            .get_or_add_numPr()
        )
        numbered.get_or_add_numId().val, numbered.get_or_add_ilvl().val = name, depth

    for text, depth in (
        ("Subject", 0),
        ("Price", 0),
        ("Sum", 1),
        ("cash", 2),
        ("card", 2),
        ("Term", 1),
        ("End", 0),
    ):
        add(text, 90, depth)
    add("Annex", 91, 0)
    document.add_paragraph("Point", style="List Bullet")
    table = document.add_table(2, 2)
    for row in range(2):
        table.cell(row, 0).paragraphs[0].style = document.styles["List Number"]
        table.cell(row, 1).text = "ware"
    buffer = io.BytesIO()
    document.save(buffer)
    assert (await read("a.docx", buffer.getvalue(), mime=DOCX)).text.split("\n") == [
        "1. Subject",
        "2. Price",
        "2.1. Sum",
        "a) cash",
        "b) card",
        "2.2. Term",
        "3. End",
        "1. Annex",
        "- Point",
        "1. | ware",
        "2. | ware",
    ]


async def test_formulas_of_a_docx_are_read_as_latex(read):
    def r(text):
        return f"<m:r><m:t>{text}</m:t></m:r>"

    power = f"<m:sSup><m:e>{r('x')}</m:e><m:sup>{r('2')}</m:sup></m:sSup>"
    root = f'<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e>{power}</m:e></m:rad>'
    half = f"<m:f><m:num>{r('1')}</m:num><m:den>{r('2a')}</m:den></m:f>"
    total = f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{r("i=1")}</m:sub><m:sup>{r("n")}</m:sup><m:e>{r("i")}</m:e></m:nary>'
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    document = Document()
    paragraph = document.add_paragraph("So ").paragraph_format.element
    paragraph.append(parse_xml(f'<m:oMath xmlns:m="{math}">{r("y=")}{half}{root}</m:oMath>'))
    apart = document.add_paragraph().paragraph_format.element
    apart.append(
        parse_xml(f'<m:oMathPara xmlns:m="{math}"><m:oMath>{total}</m:oMath></m:oMathPara>')
    )
    buffer = io.BytesIO()
    document.save(buffer)
    assert (await read("a.docx", buffer.getvalue(), mime=DOCX)).text == (
        r"So $y=\frac{1}{2a}\sqrt{x^{2}}$" + "\n" + r"$∑_{i=1}^{n} i$"
    )


async def test_a_sheet_keeps_its_columns_its_formulas_and_what_its_size_leaves_out(read):
    book = Workbook()
    for row in (["Region", "City", "Sales"], ["North", "Kyiv", 5], [None, "Lviv", 7]):
        book.active.append(row)
    book.active.append([None, None, "=SUM(C2:C3)"])
    book.active.merge_cells("A2:A3")
    buffer, whole = io.BytesIO(), io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as before, zipfile.ZipFile(whole, "w") as after:
        for name in before.namelist():  # as programs write it that export without counting
            after.writestr(name, before.read(name).replace(b'ref="A1:C4"', b'ref="A1"'))
    attachment = await read("a.xlsx", whole.getvalue())
    assert attachment.text.split("\n") == [
        "# Sheet: Region | City | Sales",
        "North | Kyiv | 5",
        " | Lviv | 7",
        " |  | =SUM(C2:C3)",
    ]


async def test_lines_of_a_slide_are_not_run_together(read):
    show, buffer = Presentation(), io.BytesIO()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.placeholders[1].text_frame.text = "First line\vsecond line"
    show.save(buffer)
    assert (await read("a.pptx", buffer.getvalue())).text == "First line second line"


async def test_a_form_in_a_pdf_is_read_as_it_was_filled_in(read):
    field = (
        b"<</Subtype/Widget/FT/Tx/T(Name)/V(Ann)>><</Subtype/Widget/FT/Btn/T(Agrees)/V/Yes/AS/Yes>>"
    )
    field += b"<</Subtype/Widget/FT/Btn/T(Refuses)/V/Off/AS/Off>><</Subtype/Widget/FT/Tx/T(Empty)>>"
    page = a_raw_pdf(b"BT /F1 24 Tf 72 700 Td (A form) Tj ET")
    page = page.replace(b"/Parent 2 0 R", b"/Parent 2 0 R/Annots[%s]" % field)
    attachment = await read("a.pdf", page)
    assert attachment.text == "A form\nName: Ann\nAgrees: Yes"


async def test_a_picture_of_sixteen_bits_keeps_its_shades(read):
    shades = Image.new("I;16", (3, 1))
    for x, shade in enumerate((0, 32_768, 65_535)):
        shades.putpixel((x, 0), shade)
    buffer = io.BytesIO()
    shades.save(buffer, "PNG")
    attachment = await read("a.png", buffer.getvalue())
    image = Image.open(io.BytesIO(attachment.image.data)).convert("L")
    assert [image.getpixel((x, 0)) for x in range(3)] == [0, 128, 255]


async def test_an_image_is_scaled_down_and_loses_its_metadata(read):
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    attachment = await read("a.png", a_png(4000, 1000, exif=exif))
    image = Image.open(io.BytesIO(attachment.image.data))
    assert image.size == (1568, 392)
    assert attachment.image.mime == attachment.mime == "image/png"
    assert b"taken at home" not in attachment.image.data


async def test_a_picture_in_avif_is_read(read):
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 1000), "teal").save(buffer, "AVIF")
    attachment = await read("photo.avif", buffer.getvalue())
    assert Image.open(io.BytesIO(attachment.image.data)).size == (1568, 784)
    assert attachment.image.mime == "image/jpeg"


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.jpg", "IMG_1"])
async def test_an_iphones_photo_is_refused_in_words_of_its_own_whatever_it_is_called(refuse, name):
    refused = await refuse(name, b"\0\0\0\x24ftypheic\0\0\0\0mif1heic" + bytes(100))
    assert refused.reason == "heic"
    assert "JPEG" in refusal_text(refused.reason, refused.facts | {"name": name}).en


async def test_a_photograph_is_turned_upright(read):
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100), "olive").save(buffer, "JPEG", exif=exif)
    attachment = await read("photo.jpg", buffer.getvalue())
    assert Image.open(io.BytesIO(attachment.image.data)).size == (100, 200)
    assert attachment.image.mime == "image/jpeg"


async def test_an_image_is_read_whoever_is_asked_and_a_model_that_sees_none_is_told_by_name(read):
    pictured = [await read("a.png", a_png(10, 10)), await read("nameless", a_png(10, 10))]
    assert unseen(pictured, SEES) is None
    refused = unseen(pictured, BLIND)
    assert refused is not None
    assert (refused.reason, refused.facts) == ("no_vision", {"name": "a.png", "model": "gemma2:2b"})
    assert unseen([await read("a.txt", b"words")], BLIND) is None


async def test_200_megabytes_are_refused_unopened(refuse):
    refused = await refuse("big.txt", 200 * MEGABYTE)
    assert refused.reason == "too_large"
    assert (refused.facts["size_mb"], refused.facts["limit_mb"]) == (200, 20)


@pytest.mark.parametrize("name", ["word/document.xml", "word/media/image1.png"])
async def test_a_docx_that_unpacks_without_end_is_refused(refuse, name):
    assert (await refuse("bomb.docx", a_bomb(600, name))).reason == "unpacks_too_large"


async def test_a_docx_that_lies_about_its_size_is_refused(refuse):
    bomb = bytearray(a_bomb(100))
    while (at := bomb.find((100 * MEGABYTE).to_bytes(4, "little"))) >= 0:
        bomb[at : at + 4] = (1000).to_bytes(4, "little")
    assert (await refuse("liar.docx", bytes(bomb))).reason in ("damaged", "unpacks_too_large")


async def test_a_docx_of_entities_that_multiply_is_refused(refuse):
    buffer = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(a_docx()))
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    with zipfile.ZipFile(buffer, "w") as archive:
        for part in source.namelist():
            body = source.read(part).decode("latin-1")
            if part == "word/document.xml":
                body = body.replace("?>", f'?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]>', 1)
                body = body.replace("from Word", "&l9;")
            archive.writestr(part, body.encode("latin-1"))
    try:
        attachment = await asyncio.wait_for(refuse("lol.docx", buffer.getvalue()), 20)
    except pytest.fail.Exception:  # read, with the entities left alone: as good
        return
    assert attachment.reason in ("damaged", "too_complex")


async def test_a_pdf_under_a_password_is_refused_and_one_without_need_of_it_is_read(read, refuse):
    for password, reason in (("hunter2", "encrypted"), ("", None)):
        writer = PdfWriter(clone_from=io.BytesIO(a_pdf("Secret")))
        writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
        buffer = io.BytesIO()
        writer.write(buffer)
        if reason:
            assert (await refuse("a.pdf", buffer.getvalue())).reason == reason
        else:
            assert (await read("a.pdf", buffer.getvalue())).text == "Secret"


async def test_a_pdf_without_text_is_refused(refuse):
    assert (await refuse("scan.pdf", a_pdf("", ""))).reason == "no_text"


async def test_a_pdf_whose_stream_unpacks_without_end_is_refused(refuse):
    packed = zlib.compressobj(9)
    stream = b"".join(packed.compress(b"(x) Tj " * 150_000) for _ in range(1000)) + packed.flush()
    pdf = a_raw_pdf(stream, b"/Filter/FlateDecode")
    refused = await refuse("bomb.pdf", pdf)
    assert refused.reason in ("too_complex", "too_slow", "damaged")


async def test_an_image_of_20000_by_20000_pixels_is_refused_undecoded(refuse):
    refused = await refuse("huge.png", a_huge_png(20_000))
    assert refused.reason == "too_many_pixels"
    assert (refused.facts["width"], refused.facts["height"]) == (20_000, 20_000)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("report.pdf", a_png(10, 10), "image"),
        ("photo.png", b"<html>not a photo</html>", "text"),
        ("notes.txt", b"MZ\x90\0\x03\0\0\0" * 20, "binary"),
        ("letter.docx", a_bomb(1, "xl/workbook.xml").replace(b"word/doc", b"none/doc"), "xlsx"),
        ("data.json", a_pdf("x"), "pdf"),
    ],
)
async def test_a_file_that_lies_about_its_type_is_refused(refuse, name, content, found):
    refused = await refuse(name, content)
    assert (refused.reason, refused.facts["found"]) == ("type_mismatch", found)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"%PDF-1.7\n" + os.urandom(3000), "damaged"),
        ("a.docx", a_docx()[:2000], "damaged"),
        ("a.png", a_png(300, 300)[:200], "damaged"),
        ("a.txt", b"", "empty"),
        ("song.mp3", b"ID3\x04", "unsupported"),
        ("a.zip", b"PK\x03\x04", "unsupported"),
        ("mystery", bytes(range(256)) * 4, "unsupported"),
        ("long.txt", b"word " * 300_000, "too_long"),
    ],
)
async def test_what_cannot_be_used_is_refused_with_its_reason(refuse, name, content, reason):
    assert (await refuse(name, content)).reason == reason


async def test_a_reader_that_takes_too_long_is_ended(refuse):
    limits = AttachmentLimits(seconds=0.001)
    assert (await refuse("a.txt", b"x", limits=limits)).reason == "too_slow"
    assert not [child for child in psutil.Process().children() if "attachments" in child.name()]


async def test_leaving_in_the_middle_ends_the_reader(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * MEGABYTE)
    others = set(psutil.Process().children())
    task = asyncio.create_task(read_attachment(path, "a.txt", "", LIMITS))
    children = await until(lambda: set(psutil.Process().children()) - others)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(child.is_running() for child in children)


async def test_of_several_files_the_good_ones_are_read_and_the_bad_ones_named(tmp_path):
    files: list[File] = []
    for name, content in (("a.md", b"one"), ("b.pdf", b"not"), ("c.csv", b"1,2")):
        (tmp_path / name).write_bytes(content)
        files.append(File(tmp_path / name, name, ""))
    read, refused = await read_attachments(files, LIMITS)
    assert [(a.name, a.text) for a in read] == [("a.md", "one"), ("c.csv", "1,2")]
    assert [(r.reason, r.facts["name"]) for r in refused] == [("type_mismatch", "b.pdf")]
    read, refused = await read_attachments(files * 4, LIMITS)
    assert (read, refused[0].reason) == ([], "too_many")
