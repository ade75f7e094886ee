"""A DOCX as paragraphs, with all that python-docx passes over in silence: fields of a form, tracked insertions,
text boxes, tables in tables, formulas, headers, footers and notes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.attachments.numbering import Numbering
from app.attachments.office_math import FORMULA, M, latex_of

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_GONE = (f"{_W}del", f"{_W}moveFrom", f"{_W}sdtPr", f"{_W}sdtEndPr", _FALLBACK)
"""What the document no longer says, what describes a wrapper, and the second copy of a text box."""
_WRAPPERS = (
    *(
        f"{_W}{name}"
        for name in ("sdt", "sdtContent", "ins", "moveTo", "smartTag", "customXml", "fldSimple")
    ),
    f"{M}oMathPara",
)
"""What stands around words that are the document's own."""
_NOTES = {f"{_W}footnoteReference": "footnotes", f"{_W}endnoteReference": "endnotes"}
"""A note's mark in the text, and the part of the archive that holds its words."""


def paragraphs_of(path: Path) -> Iterator[tuple[str, int]]:
    """The text of each paragraph and of each row of a table, in order, with the level of a heading, 0 where it
    is none. Headers stand first and footers last, each once; the notes, marked `[^1]` as in Markdown, after."""
    from docx import Document

    document = Document(str(path))
    notes = list(_marked(document.element.body))
    numbering = Numbering(next(_related(document.part, "numbering"), None))
    yield from _margins(document, "header", numbering)
    yield from _content(document, document.element.body, numbering)
    yield from _margins(document, "footer", numbering)
    yield from _noted(document.part, notes)


def _content(holder: Any, root: Any, numbering: Numbering) -> Iterator[tuple[str, int]]:
    from docx.table import Table

    _unwrap(root)
    for block in holder.iter_inner_content():
        if isinstance(block, Table):
            cells: dict[Any, str] = {}  # one that spans columns or rows is there for each of them
            for row in block.rows:
                yield " | ".join(_cell(cell, numbering, cells) for cell in row.cells), 0
        else:
            yield f"{numbering.before(block)} {block.text}".strip(" "), _heading_level(block)


def _unwrap(root: Any) -> None:
    """Leaves of wrappers what they hold, and of formulas their LaTeX; the paragraphs of a text box come after the
    one that it hangs on."""
    for element in list(root.iter(*_GONE)):
        element.getparent().remove(element)
    for wrapper in list(root.iter(*_WRAPPERS)):
        around = wrapper.getparent()
        at = around.index(wrapper)
        around[at : at + 1] = list(wrapper)
    for formula in list(root.iter(FORMULA)):
        run, words = root.makeelement(f"{_W}r"), root.makeelement(f"{_W}t")
        words.text = f"${latex_of(formula)}$"
        run.append(words)
        formula.getparent().replace(formula, run)
    for box in list(root.iter(f"{_W}txbxContent")):
        for child in reversed(list(box)):
            next(box.iterancestors(f"{_W}p")).addnext(child)


def _cell(cell: Any, numbering: Numbering, known: dict[Any, str]) -> str:
    """All that a cell says on one line, with the tables within it."""
    from docx.table import Table

    place = cell.paragraphs[0].paragraph_format.element
    if place in known:
        return known[place]
    parts: list[str] = []
    for block in cell.iter_inner_content():
        if isinstance(block, Table):
            parts += [_cell(inner, numbering, known) for row in block.rows for inner in row.cells]
        else:
            parts += [numbering.before(block), " ".join(block.text.split())]
    known[place] = " ".join(filter(None, parts))
    return known[place]


def _heading_level(paragraph: Any) -> int:
    """2 for what is styled Heading 2."""
    style = (paragraph.style.name if paragraph.style is not None else None) or ""
    level = style.removeprefix("Heading ")
    return int(level) if level != style and level.isdecimal() and len(level) < 3 else 0


def _margins(document: Any, which: str, numbering: Numbering) -> Iterator[tuple[str, int]]:
    """The lines with letters in all headers or footers, each once: a number alone is that of a page."""
    seen = set()
    for section in document.sections:
        for kind in (f"first_page_{which}", which, f"even_page_{which}"):
            margin = getattr(section, kind)
            if margin.is_linked_to_previous:  # or there is none
                continue
            for text, _ in _content(margin, margin.part.element, numbering):
                if text not in seen and any(map(str.isalpha, text)):
                    seen.add(text)
                    yield text, 0


def _marked(body: Any) -> Iterator[tuple[str, str]]:
    """Puts a mark for each note into the text; gives its part and its id, in the order of their numbers."""
    for number, reference in enumerate(list(body.iter(*_NOTES)), 1):
        mark = reference.makeelement(f"{_W}t")
        mark.text = f"[^{number}]"
        reference.getparent().replace(reference, mark)
        yield _NOTES[reference.tag], reference.get(f"{_W}id")


def _noted(part: Any, notes: list[tuple[str, str]]) -> Iterator[tuple[str, int]]:
    words: dict[tuple[str, str], str] = {}
    for kind in dict.fromkeys(kind for kind, _ in notes):
        for root in _related(part, kind):
            _unwrap(root)
            for note in root:
                paragraphs = (" ".join(one.text.split()) for one in note.iter(f"{_W}p"))
                words[kind, note.get(f"{_W}id")] = " ".join(filter(None, paragraphs))
    for number, note in enumerate(notes, 1):
        if words.get(note):
            yield f"[^{number}]: {words[note]}", 0


def _related(part: Any, kind: str) -> Iterator[Any]:
    """The root of each part of that kind which the document names."""
    from docx.oxml.parser import parse_xml

    for relation in part.rels.values():
        if relation.reltype.rpartition("/")[2] == kind and not relation.is_external:
            yield parse_xml(relation.target_part.blob)
