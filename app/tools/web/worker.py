"""python -m app.tools.web.worker FILE KIND LIMITS URL: what a page says, without what stands around it.

Confined as the reader of attachments is. Writes one line of JSON, {"title", "date"} or {"refused",
"facts"}, then the text (UTF-8).
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import trafilatura

from app.attachments.blocks import blocks_of_html
from app.attachments.limits import AttachmentLimits
from app.attachments.worker import main
from app.core.errors import AttachmentRefused


def read(
    path: Path, _claimed: str, limits: AttachmentLimits, url: str
) -> tuple[dict[str, Any], bytes]:
    """The page's own text. Raises AttachmentRefused."""
    page = path.read_bytes()
    extracted = trafilatura.extract(
        page,
        url=url,
        output_format="json",
        with_metadata=True,
        include_tables=True,
        favor_recall=True,
    )
    found = json.loads(extracted) if extracted else {}
    text = str(found.get("text") or "").strip()
    if not text:  # a page without a body, to the extractor
        text = "\n".join(block.text for block in blocks_of_html(page)).strip()
    if not text:
        raise AttachmentRefused(reason="no_text")
    about = {"title": found.get("title") or "", "date": found.get("date") or ""}
    return about, text[: limits.characters].encode()


if __name__ == "__main__":
    *arguments, address = sys.argv[1:]
    main(arguments, partial(read, url=address))
