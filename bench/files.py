"""Questions in files of lines, as the measures of evidence read them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    """What stands in that folder's *.jsonl and *.jsonl.gz, line by line."""
    for path in sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
