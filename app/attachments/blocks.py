"""A document as blocks of text: each with its page and, where it is a heading, its level.

Runs in the reader's own process. Raises AttachmentRefused; whatever else is raised means a damaged file.
"""

import contextlib
import csv
import html.parser
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

from app.attachments.decoding import decode
from app.attachments.kinds import Kind
from app.attachments.limits import MEGABYTE, AttachmentLimits
from app.attachments.word import paragraphs_of
from app.core.errors import AttachmentRefused
from app.core.knowledge import page_spans

NO_TEXT = "Pages of this document that carry no text (pictures, most likely)"
"""What a model is told with their numbers, so that it does not take them for read."""
_ONE_PART_SHARE = 5
_SCAN_LANGUAGES = ("rus", "ukr", "eng")
_SCAN_SECONDS = 60
"""For one page; the reader's own time is the bound of all."""


class Block(NamedTuple):
    """A paragraph, a row of a table, a heading, or a page of a PDF, which may have no text."""

    text: str
    page: int | None = None
    """Page, slide or sheet, from 1."""
    level: int = 0
    """Of a heading, from 1; 0: it is none."""


def blocks_of(path: Path, kind: Kind, limits: AttachmentLimits) -> Iterator[Block]:
    """The blocks of a document of that kind, in order."""
    match kind:
        case "pdf":
            return _pdf(path, limits)
        case "docx":
            return _docx(path, limits)
        case "pptx":
            return _pptx(path)
        case "xlsx":
            return _xlsx(path)
        case "epub":
            return _epub(path)
        case _:
            raise AttachmentRefused(reason="unsupported")


def text_of(blocks: Iterable[Block], limits: AttachmentLimits) -> str:
    """The blocks as one text: headings with their marks, pages set apart. Reads on no further than the
    limit of characters. Raises AttachmentRefused where there is no text."""
    parts: list[str] = []
    silent: list[int] = []
    page, size = None, 0
    for block in blocks:
        if not block.text and block.page is not None:
            silent.append(block.page)
            continue
        if parts:
            parts.append("\n" if block.page == page else "\n\n")
        parts.append(f"{'#' * block.level} {block.text}" if block.level else block.text)
        page = block.page
        size += len(block.text)
        if size > limits.characters:
            break
    text = "".join(parts).strip()
    if not text:
        raise AttachmentRefused(reason="no_text")
    return f"{text}\n\n[{NO_TEXT}: {page_spans(silent)}]" if silent else text


def unpacks_too_large(limit: int) -> AttachmentRefused:
    """An archive that holds more than that."""
    return AttachmentRefused(reason="unpacks_too_large", limit_mb=limit // MEGABYTE)


def _pdf(path: Path, limits: AttachmentLimits) -> Iterator[Block]:
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import LimitReachedError

    reader = PdfReader(path)
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise AttachmentRefused(reason="encrypted")
    pages = len(reader.pages)
    if pages > limits.pages:
        raise AttachmentRefused(reason="too_many_pages", pages=pages, limit=limits.pages)
    silent = 0
    try:
        for number, page in enumerate(reader.pages, 1):
            text = page.extract_text().strip() or _recognised(page)
            text = "\n".join([text, *_filled_in(page)]).strip()
            silent += not text
            yield Block(text, number)
        scan = silent == pages and any(page.images.keys() for page in reader.pages)
    except LimitReachedError as error:
        raise AttachmentRefused(reason="too_complex") from error
    if scan and shutil.which("tesseract") is None:
        raise AttachmentRefused(reason="scan")


def _filled_in(page: Any) -> Iterator[str]:
    """The fields of a form on that page which say something, as `name: value`: they are no part of its text."""
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject

    annotations = page.get("/Annots")
    annotations = annotations.get_object() if annotations is not None else None
    for one in annotations if isinstance(annotations, ArrayObject) else ():
        field = one.get_object()
        if not isinstance(field, DictionaryObject) or field.get("/Subtype") != "/Widget":
            continue
        parent = field.get("/Parent")
        parent = parent.get_object() if parent is not None else None
        named = parent if isinstance(parent, DictionaryObject) else {}
        name, value = (field.get(key, named.get(key)) for key in ("/T", "/V"))
        shown = field.get("/AS", value)  # of several buttons of one field, the one that is on
        if isinstance(value, NameObject):
            value = "" if shown == "/Off" else str(shown).removeprefix("/")
        if isinstance(value, str) and value.strip():
            yield f"{name}: {value.strip()}" if isinstance(name, str) else value.strip()


def _recognised(page: Any) -> str:
    """What Tesseract reads on a scanned page, where it is installed."""
    tesseract = shutil.which("tesseract")
    if tesseract is None:
        return ""
    known = subprocess.run(  # noqa: S603 - the program found above
        [tesseract, "--list-langs"], capture_output=True, timeout=_SCAN_SECONDS, check=True
    )
    installed = known.stdout.decode().split()
    languages = "+".join(one for one in _SCAN_LANGUAGES if one in installed) or "eng"
    texts = []
    for image in page.images:
        buffer = io.BytesIO()
        image.image.convert("L").save(buffer, "PNG")
        read = subprocess.run(  # noqa: S603 - the same
            [tesseract, "stdin", "stdout", "-l", languages],
            input=buffer.getvalue(),
            capture_output=True,
            timeout=_SCAN_SECONDS,
            check=True,
        )
        texts.append(read.stdout.decode("utf-8", "replace").strip())
    return "\n".join(text for text in texts if text)


def _docx(path: Path, limits: AttachmentLimits) -> Iterator[Block]:
    bound = limits.unpacked_bytes // _ONE_PART_SHARE
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.infolist() if part.filename.endswith(".xml")]
    if any(part.file_size > bound for part in parts):
        raise unpacks_too_large(bound)
    yield from (Block(text, level=level) for text, level in paragraphs_of(path))


def _pptx(path: Path) -> Iterator[Block]:
    from pptx import Presentation

    for number, slide in enumerate(Presentation(str(path)).slides, 1):
        title = slide.shapes.title
        if title is not None and title.text.strip():
            yield Block(" ".join(title.text.split()), number, 1)
        for shape in _shapes(slide.shapes):
            if shape.has_text_frame and (title is None or shape.shape_id != title.shape_id):
                for paragraph in shape.text_frame.paragraphs:
                    if text := " ".join(paragraph.text.split()):  # a line break is a \v in it
                        yield Block(text, number)
            if getattr(shape, "has_table", False):
                for row in shape.table.rows:
                    yield Block(" | ".join(" ".join(c.text.split()) for c in row.cells), number)
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
            yield from (Block(line, number) for line in notes.text.splitlines() if line.strip())


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """All of them, those of groups too."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _xlsx(path: Path) -> Iterator[Block]:
    """Each sheet with its name and its first row as the heading of all that follows."""
    from openpyxl import load_workbook

    data = path.read_bytes()  # it refuses names without its own suffixes, and an upload has none
    sheets = load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets
    written = sheets
    if _has_uncounted(path):
        written = load_workbook(io.BytesIO(data), read_only=True).worksheets
    for number, (sheet, source) in enumerate(zip(sheets, written, strict=True), 1):
        head = False
        for row in _rows_of_sheet(sheet, source):
            cells = ["" if value is None else " ".join(str(value).split()) for value in row]
            if not any(cells):
                continue
            line = " | ".join(cells).rstrip(" |")  # an empty first cell keeps its column
            yield Block(line if head else f"{sheet.title}: {line}", number, 0 if head else 1)
            head = True


_UNCOUNTED = re.compile(rb"(?:</f>|<f [^<>]*/>)(?:<v\s*/>|<v></v>)?</c>")


def _has_uncounted(path: Path) -> bool:
    """Whether a formula stands in the workbook without its result: it was written by a program and has not been
    opened in a spreadsheet since."""
    with zipfile.ZipFile(path) as archive:
        parts = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(_UNCOUNTED.search(archive.read(name)) for name in parts)


def _rows_of_sheet(sheet: Any, source: Any) -> Iterator[list[Any]]:
    """The values of its rows; the formula where it has no result. What the file says of the sheet's size is not
    gone by: programs that export write a size of one cell."""
    if sheet is source:
        sheet.reset_dimensions()
        yield from sheet.iter_rows(values_only=True)
        return
    for one in (sheet, source):
        one.reset_dimensions()
    for values, formulas in zip(
        sheet.iter_rows(values_only=True), source.iter_rows(values_only=True), strict=True
    ):
        yield [
            formula if value is None else value
            for value, formula in zip(values, formulas, strict=True)
        ]


def _epub(path: Path) -> Iterator[Block]:
    """The chapters in the order of the book's spine (EPUB 3.3)."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    with zipfile.ZipFile(path) as archive:

        def tree(name: str) -> Any:
            return etree.fromstring(archive.read(name), parser)

        package = tree("META-INF/container.xml").find(".//{*}rootfile").get("full-path")
        book = tree(package)
        items = {item.get("id"): item.get("href") for item in book.iterfind(".//{*}item")}
        folder = PurePosixPath(package).parent
        for number, place in enumerate(book.iterfind(".//{*}itemref"), 1):
            name = str(folder / unquote(items[place.get("idref")]))
            for block in blocks_of_html(archive.read(name)):
                yield block._replace(page=number)


_APART = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
        "title",
    ]
)
_UNSEEN = frozenset(("script", "style", "template", "noscript", "svg", "head"))
_VOID = frozenset(
    ("area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_OPEN_ENDED = {
    "p": _APART,
    "li": frozenset(("ul", "ol")),
    "dt": frozenset(("dl",)),
    "dd": frozenset(("dl",)),
    "tr": frozenset(("table", "tbody", "thead")),
    "td": frozenset(("tr", "table", "tbody", "thead")),
    "th": frozenset(("tr", "table", "tbody", "thead")),
}
"""Elements whose end may be left out, and the ends of others that end them, too."""
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.I)
_HEADING = re.compile(r"h([1-6])")


class _Html(html.parser.HTMLParser):
    """Collects the visible text: a block an element that stands apart, a row of a table on one line. What an
    element's own attributes hide is not there: it is for machines alone."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._level = 0
        self._unseen = 0
        self._hidden: list[str] = []
        """An element that the page hides, and those of its name within."""
        self._in_row = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        outer = self._hidden[0] if self._hidden else ""
        if outer in _OPEN_ENDED and (tag == outer or (outer == "p" and tag in _APART)):
            self._hidden = []
        if self._hidden:
            self._hidden += [tag] * (tag == self._hidden[0])
        elif tag not in _VOID and _hides(dict(attrs)):
            self._hidden = [tag]
        if tag in _UNSEEN:
            self._unseen += 1
        elif self._in_row and tag in ("td", "th"):
            self._text.append(" | ")
        elif tag in _APART and not (self._in_row and tag != "tr"):
            self.flush()
            heading = _HEADING.fullmatch(tag)
            self._level = int(heading[1]) if heading else 0
            self._in_row = tag == "tr"

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag in _OPEN_ENDED.get(self._hidden[0], ()):
            self._hidden = []
        elif tag in self._hidden:
            self._hidden.pop()
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "tr" or (tag in _APART and not self._in_row):
            self.flush()
            self._level, self._in_row = 0, False

    def handle_data(self, data: str) -> None:
        if not (self._unseen or self._hidden):
            self._text.append(data)

    def flush(self) -> None:
        text = " ".join("".join(self._text).split())
        if self._in_row:  # an empty first cell keeps its column
            text = text.removeprefix("| ").rstrip(" |")
        self._text = []
        if text:
            self.blocks.append(Block(text, level=self._level))


def _hides(attributes: Mapping[str, str | None]) -> bool:
    return "hidden" in attributes or bool(_HIDING.search(attributes.get("style") or ""))


def blocks_of_html(data: bytes) -> list[Block]:
    """The visible text of a page of HTML, without running anything of it."""
    decoded = decode(data)
    if decoded is None:
        raise AttachmentRefused(reason="type_mismatch", claimed="text", found="binary")
    reader = _Html()
    reader.feed(decoded.text)
    reader.close()
    reader.flush()
    return reader.blocks


_MARKDOWN_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*")
_FENCE = re.compile(r"\s*(?:```|~~~)")


def _rows(text: str, suffix: str) -> list[str]:
    """The rows of a table, as they are written; cells between commas are set apart, for `1777,17770,7` would
    be one number."""
    rows = text.splitlines()
    first = text.lstrip().partition("\n")[0]
    if suffix == ".csv" and first.count(",") > max(first.count(";"), first.count("\t")):
        with contextlib.suppress(csv.Error):  # no CSV after all
            rows = [" | ".join(map(str.strip, row)) for row in csv.reader(io.StringIO(text))]
    return [row for row in rows if row.strip(" |")]


def blocks_of_text(text: str, suffix: str) -> Iterator[Block]:
    """The lines of a text; Markdown with its headings, a table with its first line as one."""
    if suffix in (".csv", ".tsv"):
        for number, row in enumerate(_rows(text, suffix)):
            yield Block(row, level=0 if number else 1)
        return
    markdown, fenced = suffix in (".md", ".markdown"), False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = _MARKDOWN_HEADING.fullmatch(line) if markdown and not fenced else None
        if heading:
            yield Block(heading[2], level=len(heading[1]))
        else:
            yield Block(line)
