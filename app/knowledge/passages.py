"""A document's blocks cut into passages: at headings and pages, then at the ends of sentences."""

import re
from collections.abc import Iterable, Iterator

from app.attachments.blocks import Block
from app.core.knowledge import Passage
from app.knowledge.terms import language_of, terms_of

TARGET = 900
"""Characters after which a passage ends with its block."""
LONGEST = 1_400
"""A longer block is cut at the end of a sentence, or of a word."""
_HEADING_LENGTH = 200
_SENTENCE_END = re.compile(r"(?<=[.!?…;:])\s+|\n+")
_HYPHENATED = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]\n(?=[^\W\d_A-ZА-ЯЁІЇЄҐ])")


def passages_of(blocks: Iterable[Block], name: str) -> tuple[list[Passage], int]:
    """The passages, with their terms, and how many characters the text has. `name` is the document's."""
    cutter = _Cutter()
    for block in blocks:
        cutter.take(block)
    cutter.end()
    whole = "".join(passage.text for passage in cutter.passages)
    language = language_of(whole)
    named = re.sub(r"[_\W]+", " ", name.rpartition(".")[0] or name)
    return [
        Passage(
            one.number,
            one.text,
            one.start,
            one.page,
            one.heading,
            terms_of(
                f"{named}\n{one.heading}\n{one.text}", language_of(one.text, otherwise=language)
            ),
        )
        for one in cutter.passages
    ], cutter.at


class _Cutter:
    def __init__(self) -> None:
        self.passages: list[Passage] = []
        self.at = 0
        """Characters of the text so far."""
        self._headings: dict[int, str] = {}
        self._lines: list[str] = []
        self._size = 0
        self._start = 0
        self._page: int | None = None
        self._said = False
        """Whether there is more than headings in the passage."""

    def take(self, block: Block) -> None:
        text = _HYPHENATED.sub("", block.text).strip()
        if not text:
            return
        if block.page != self._page or (block.level and self._said):
            self.end()
        self._page = block.page
        if block.level:
            self._headings = {n: t for n, t in self._headings.items() if n < block.level}
            self._headings[block.level] = " ".join(text.split())[:_HEADING_LENGTH]
        for piece in _pieces(text):
            if self._size and self._size + len(piece) > LONGEST:
                self.end()
            self._add(piece)
            self._said = self._said or not block.level
            if self._size >= TARGET and self._said:
                self.end()

    def _add(self, piece: str) -> None:
        if not self._lines:
            self._start = self.at
        self._lines.append(piece)
        self._size += len(piece) + 1
        self.at += len(piece) + 1

    def end(self) -> None:
        """The passage is over."""
        if self._lines:
            heading = " › ".join(self._headings[level] for level in sorted(self._headings))
            text = "\n".join(self._lines)
            self.passages.append(
                Passage(len(self.passages), text, self._start, self._page, heading)
            )
        self._lines, self._size, self._said = [], 0, False


def _pieces(text: str) -> Iterator[str]:
    """A block in pieces of TARGET characters or so, none longer than LONGEST."""
    if len(text) <= LONGEST:
        yield text
        return
    piece = ""
    for sentence in _SENTENCE_END.split(text):
        if piece and len(piece) + len(sentence) > TARGET:
            yield piece
            piece = ""
        while len(sentence) > LONGEST:
            cut = sentence.rfind(" ", 1, LONGEST)
            cut = cut if cut > 0 else LONGEST
            yield sentence[:cut]
            sentence = sentence[cut:].lstrip()
        piece = f"{piece} {sentence}".strip()
    if piece:
        yield piece
