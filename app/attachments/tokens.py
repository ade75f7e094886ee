"""What a file will cost in tokens, said before it is sent."""

from collections.abc import Callable

from app.core.turns import Attachment

IMAGE_TOKENS = 768
"""A full-sized image to a vision model, at most."""


def attachment_tokens(attachment: Attachment, count: Callable[[str], int]) -> int:
    """Tokens that the file adds to the prompt; `count` gives those of a text."""
    text = count(attachment.text) if attachment.text else 0
    return text + (IMAGE_TOKENS if attachment.image is not None else 0)
