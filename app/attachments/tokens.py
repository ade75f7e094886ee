"""What a file will cost in tokens, said before it is sent."""

import re
from collections.abc import Callable

from app.core.turns import Attachment

IMAGE_TOKENS = 768
"""A full-sized image to a vision model, an upper bound (shared figures of current models)."""
_CYRILLIC = re.compile(r"[Ѐ-ӿ]+")
_WIDE = re.compile(r"[⺀-鿿가-힯豈-﫿]")


def upper_bound(text: str) -> int:
    """Tokens `text` will hardly exceed: 2.5 Cyrillic characters a token, 3 others, 1 of CJK."""
    cyrillic = sum(len(run) for run in _CYRILLIC.findall(text))
    wide = len(_WIDE.findall(text))
    return round(cyrillic / 2.5 + wide + (len(text) - cyrillic - wide) / 3)


def attachment_tokens(attachment: Attachment, count: Callable[[str], int] = upper_bound) -> int:
    """Tokens that the file adds to the prompt; `count` may be calibrated for the model."""
    text = count(attachment.text) if attachment.text else 0
    return text + (IMAGE_TOKENS if attachment.image is not None else 0)
