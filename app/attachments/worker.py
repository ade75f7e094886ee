"""python -m app.attachments.worker FILE KIND LIMITS: reads one file and writes what is in it.

Writes one line of JSON, {"kind", "mime" or "unreadable"} or {"refused", "facts"}, then the text (UTF-8) or the image.
Its memory and its processor time are limited by the system where the system can.
"""

import contextlib
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.attachments.blocks import blocks_of, text_of, unpacks_too_large
from app.attachments.decoding import DecodedText, decode
from app.attachments.kinds import HEAD_BYTES, Kind, found_kind
from app.attachments.limits import AttachmentLimits
from app.core.errors import AttachmentRefused

MAX_PNG_BYTES = 1_500_000
"""A larger one is a photograph: JPEG says the same in a tenth."""
_MAX_PARTS = 5_000


Read = Callable[[Path, str, AttachmentLimits], tuple[dict[str, Any], bytes]]
"""read(path, claimed kind, limits): a header, and what the file holds."""


def main(arguments: list[str], read: Read) -> None:
    """Reads the file, confined, and answers on standard output."""
    path, claimed, limits = arguments
    bounds = AttachmentLimits(**json.loads(limits))
    _confine(bounds)
    try:
        header, payload = read(Path(path), claimed, bounds)
    except AttachmentRefused as refused:
        header, payload = _refused(refused.reason, "", **refused.facts), b""
    except (MemoryError, RecursionError) as error:
        header, payload = _refused("too_complex", type(error).__name__), b""
    except Exception as error:  # noqa: BLE001 -- a hostile file trips its parser anywhere
        header, payload = (
            _refused("damaged", f"{type(error).__module__}.{type(error).__name__}"),
            b"",
        )
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + payload)


def _refused(reason: str, detail: str, **facts: Any) -> dict[str, Any]:
    return {"refused": reason, "detail": detail, "facts": facts}


def read(path: Path, claimed: str, limits: AttachmentLimits) -> tuple[dict[str, Any], bytes]:
    """What the file holds. Raises AttachmentRefused; whatever else it raises means a damaged file."""
    found, unreadable = kind_of(path, claimed, limits), 0
    match found:
        case "image":
            return _image(path, limits)
        case "text":
            decoded = decoded_text(path)
            text, unreadable = decoded.text, decoded.unreadable
        case _:
            text = text_of(blocks_of(path, found, limits), limits)
    refuse_too_long(len(text), limits)
    return {"kind": found, "unreadable": unreadable}, text.encode()


def _confine(limits: AttachmentLimits) -> None:
    try:
        import resource
    except ImportError:  # Windows: the checks before decoding must do
        return
    for what, bound in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, int(limits.seconds) + 1),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some of these
            resource.setrlimit(what, (bound, bound))


def refuse_too_long(characters: int, limits: AttachmentLimits) -> None:
    """Raises AttachmentRefused for a text beyond the limit."""
    if characters > limits.characters:
        raise AttachmentRefused(reason="too_long", limit=f"{limits.characters:,}".replace(",", " "))


def kind_of(path: Path, claimed: str, limits: AttachmentLimits) -> Kind:
    """What the file is. Raises AttachmentRefused where its name says something else, or it unpacks
    beyond the limit."""
    found = _found_kind(path, limits)
    if found == "heic":  # an iPhone's, also where it is called .jpg
        raise AttachmentRefused(reason="heic")
    if claimed and claimed != found:
        raise AttachmentRefused(reason="type_mismatch", claimed=claimed, found=found)
    return found


def _found_kind(path: Path, limits: AttachmentLimits) -> Kind:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(b"PK"):
        return found_kind(head)
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    if len(parts) > _MAX_PARTS or sum(p.file_size for p in parts) > limits.unpacked_bytes:
        raise unpacks_too_large(limits.unpacked_bytes)
    return found_kind(head, frozenset(part.filename for part in parts))


def decoded_text(path: Path) -> DecodedText:
    """The text of a file that is one, whatever its encoding."""
    decoded = decode(path.read_bytes())
    if decoded is None:
        raise AttachmentRefused(reason="type_mismatch", claimed="text", found="binary")
    return decoded


def _image(path: Path, limits: AttachmentLimits) -> tuple[dict[str, Any], bytes]:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own bound stands before any decoding
    with Image.open(path, formats=("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")) as image:
        width, height = image.size
        if width * height > limits.pixels:
            raise AttachmentRefused(reason="too_many_pixels", width=width, height=height)
        lossless = image.format not in ("JPEG", "AVIF")
        image.draft("RGB", (limits.image_side, limits.image_side))
        mode = "RGBA" if image.has_transparency_data else "RGB"
        pixels = image if image.mode == mode else _in_eight_bits(image).convert(mode)
        pixels.thumbnail((limits.image_side, limits.image_side))  # the only full-sized copy goes
        pixels = ImageOps.exif_transpose(pixels)
    return _encode(pixels, lossless)


def _in_eight_bits(image: Any) -> Any:
    """The same with 256 shades of grey for 65,536 (scans, X-rays): converted as it is, all but the darkest of
    them are white."""
    if not image.mode.startswith("I"):
        return image
    return image.point(lambda value: value * (1 / 256)).convert("L")


def _encode(pixels: Any, lossless: bool) -> tuple[dict[str, Any], bytes]:
    """The image anew, without its metadata: where it was taken is nobody's business."""
    from PIL import Image

    pixels.info.clear()
    buffer = io.BytesIO()
    if lossless:
        pixels.save(buffer, "PNG")
        if buffer.tell() <= MAX_PNG_BYTES:
            return {"kind": "image", "mime": "image/png"}, buffer.getvalue()
    flat = Image.new("RGB", pixels.size, "white")
    flat.paste(pixels, mask=pixels.getchannel("A") if pixels.mode == "RGBA" else None)
    buffer = io.BytesIO()
    flat.save(buffer, "JPEG", quality=88)
    return {"kind": "image", "mime": "image/jpeg"}, buffer.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:], read)
