"""Reads a file in a process of its own, so that a malicious one harms nothing but that process."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.attachments.kinds import Kind, claimed_kind
from app.attachments.limits import MEGABYTE, AttachmentLimits
from app.core.errors import AttachmentRefused, StorageUnavailable
from app.core.messages import ImagePart
from app.core.models import Capability, ModelProfile
from app.core.turns import Attachment, new_id

ROOT = Path(__file__).resolve().parents[2]
MAX_CONCURRENT = 2
"""Files that are read at once for one question, and for one person: each may take `memory_bytes`."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was uploaded."""

    path: Path
    name: str
    mime: str
    """As the browser says; may be empty, or wrong."""
    element_id: str | None = None


async def read_attachment(
    path: Path,
    name: str,
    mime: str,
    limits: AttachmentLimits,
    *,
    element_id: str | None = None,
) -> Attachment:
    """The file's text, or its image made fit to be sent to a model.

    Raises AttachmentRefused with a reason, StorageUnavailable where the bytes cannot be read.
    """
    kind = admit(path, name, mime, limits)
    header, payload = await in_own_process("app.attachments.worker", path, name, kind, limits)
    identity = element_id or new_id()
    if header["kind"] == "image":
        image = ImagePart(payload, header["mime"])
        return Attachment(identity, name, header["mime"], image=image)
    return Attachment(
        identity,
        name,
        mime or "text/plain",
        text=payload.decode(),
        unreadable=header["unreadable"],
    )


async def read_attachments(
    files: Sequence[File], limits: AttachmentLimits, free: asyncio.Semaphore | None = None
) -> tuple[list[Attachment], list[AttachmentRefused]]:
    """Those that could be read, in order, and why the others could not. `free`: places for those that are read
    at once, of all the questions that share it."""
    if len(files) > limits.files:
        return [], [AttachmentRefused(reason="too_many", limit=limits.files)]
    places = free or asyncio.Semaphore(MAX_CONCURRENT)

    async def read(file: File) -> Attachment | AttachmentRefused:
        async with places:
            try:
                return await read_attachment(
                    file.path, file.name, file.mime, limits, element_id=file.element_id
                )
            except AttachmentRefused as refused:
                return refused

    results = await asyncio.gather(*map(read, files))
    return (
        [result for result in results if isinstance(result, Attachment)],
        [result for result in results if isinstance(result, AttachmentRefused)],
    )


def admit(path: Path, name: str, mime: str, limits: AttachmentLimits) -> Kind | None:
    """The kind that the file claims to be. Raises AttachmentRefused for what can be refused without
    opening it, StorageUnavailable where it cannot be looked at."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise StorageUnavailable(f"{path.name}: {error}") from error
    if size == 0:
        raise AttachmentRefused(reason="empty", name=name)
    if size > limits.bytes:
        raise AttachmentRefused(
            reason="too_large",
            name=name,
            size_mb=-(-size // MEGABYTE),
            limit_mb=limits.bytes // MEGABYTE,
        )
    kind = claimed_kind(name, mime)
    if kind in ("zip", "binary", "heic"):
        raise AttachmentRefused(reason="heic" if kind == "heic" else "unsupported", name=name)
    return kind


def unseen(attachments: Sequence[Attachment], profile: ModelProfile) -> AttachmentRefused | None:
    """Why that model cannot be shown them: it sees no pictures. None where it can."""
    image = next((each for each in attachments if each.image is not None), None)
    if image is None or profile.can(Capability.VISION):
        return None
    return AttachmentRefused(reason="no_vision", name=image.name, model=profile.ref.name)


def _described(path: Path, kind: Kind | None, limits: AttachmentLimits) -> tuple[str, ...]:
    return str(path.absolute()), kind or "", json.dumps(asdict(limits))


async def in_own_process(
    worker: str,
    path: Path,
    name: str,
    kind: Kind | None,
    limits: AttachmentLimits,
    *more: str,
) -> tuple[dict[str, Any], bytes]:
    """What the module `worker` reads in the file: a line of JSON and what follows it. The process knows
    no secret of ours. Raises AttachmentRefused."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", worker, *_described(path, kind, limits), *more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
        env={key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ},
    )
    try:
        async with asyncio.timeout(limits.seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        raise AttachmentRefused(
            reason="too_slow", name=name, seconds=round(limits.seconds)
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    line, _, payload = output.partition(b"\n")
    if process.returncode != 0 or not line:
        raise AttachmentRefused(
            f"reader ended with {process.returncode}", reason="too_complex", name=name
        )
    header: dict[str, Any] = json.loads(line)
    if "refused" in header:
        raise AttachmentRefused(
            header["detail"], reason=header["refused"], **({"name": name} | header["facts"])
        )
    return header, payload


IMAGE_TOKENS = 768
"""A full-sized image to a vision model, at most."""


def attachment_tokens(attachment: Attachment, count: Callable[[str], int]) -> int:
    """Tokens that the file adds to the prompt; `count` gives those of a text."""
    text = count(attachment.text) if attachment.text else 0
    return text + (IMAGE_TOKENS if attachment.image is not None else 0)
