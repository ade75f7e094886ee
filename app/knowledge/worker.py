"""python -m app.knowledge.worker FILE KIND LIMITS NAME: reads one document into passages.

Confined as the reader of attachments is. Writes one line of JSON, {"pages", "characters"} or {"refused",
"facts"}, then a line of JSON a passage (UTF-8): whoever reads them holds up nobody.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from app.attachments.blocks import Block, blocks_of, blocks_of_html, blocks_of_text
from app.attachments.limits import AttachmentLimits
from app.attachments.worker import decoded_text, kind_of, main, refuse_too_long
from app.core.errors import AttachmentRefused
from app.knowledge.passages import passages_of


def read(
    path: Path, claimed: str, limits: AttachmentLimits, name: str
) -> tuple[dict[str, Any], bytes]:
    """The document's passages. Raises AttachmentRefused."""
    kind = kind_of(path, claimed, limits)
    suffix = PurePath(name).suffix.lower()
    blocks: Iterable[Block]
    if kind == "text" and suffix in (".html", ".htm"):
        blocks = blocks_of_html(path.read_bytes())
    elif kind == "text":
        blocks = blocks_of_text(decoded_text(path).text, suffix)
    else:
        blocks = blocks_of(path, kind, limits)
    seen: list[int] = []
    passages, characters = passages_of(_bounded(blocks, limits, seen), name)
    if not passages:
        raise AttachmentRefused(reason="no_text")
    pages = max(seen, default=None)
    told = {"pages": pages, "characters": characters}
    lines = (json.dumps(astuple(one), ensure_ascii=False) for one in passages)
    return told, "\n".join(lines).encode()


def _bounded(blocks: Iterable[Block], limits: AttachmentLimits, seen: list[int]) -> Iterator[Block]:
    """The blocks, within the limits; their pages go into `seen`."""
    characters = 0
    for block in blocks:
        characters += len(block.text)
        seen += [] if block.page is None else [block.page]
        refuse_too_long(characters, limits)
        yield block


if __name__ == "__main__":
    *arguments, document = sys.argv[1:]
    main(arguments, partial(read, name=document))
