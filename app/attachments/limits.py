"""How much of a file we take."""

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class AttachmentLimits:
    """Bounds of one file, and of the files of one question."""

    files: int = 10
    bytes: int = 20 * MEGABYTE
    unpacked_bytes: int = 120 * MEGABYTE
    """Of all that a DOCX holds; its text alone may unpack to a fifth of that."""
    pages: int = 2_000
    characters: int = 1_000_000
    pixels: int = 50_000_000
    """Width times height before decoding: decoded, a pixel takes three or four bytes."""
    image_side: int = 1568
    """Pixels of the longer side as sent: what vision models scale down to by themselves."""
    seconds: float = 30.0
    memory_bytes: int = 768 * MEGABYTE
    """Address space of the process that reads."""
