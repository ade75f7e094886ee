"""Fetching a model: the NDJSON of POST /api/pull as progress."""

import contextlib
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from app.core.errors import (
    DiskFull,
    IncompleteAnswer,
    KonsiliumError,
    LibraryUnreachable,
    ModelNotFound,
    NotAllowed,
    ServerBusy,
    ServerOutdated,
)
from app.core.mending import json_of
from app.core.sse import LineSplitter
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.ollama.client import OllamaClient
from app.providers.shapes import count
from app.providers.upstream_errors import error_in_body, not_the_protocol

_FAILURES: tuple[tuple[re.Pattern[str], type[KonsiliumError]], ...] = (
    (re.compile(r"no space left|not enough space|disk quota", re.IGNORECASE), DiskFull),
    (
        re.compile(r"file does not exist|manifest unknown|invalid model name", re.IGNORECASE),
        ModelNotFound,
    ),
    (re.compile(r"permission denied|unauthorized|access denied", re.IGNORECASE), NotAllowed),
    (re.compile(r"newer version of ollama|: 412\b", re.IGNORECASE), ServerOutdated),
    (re.compile(r": 429\b|too many requests|rate limit", re.IGNORECASE), ServerBusy),
    (
        re.compile(
            r"no such host|dial tcp|lookup .* on |network is unreachable|connection refused|"
            r"i/o timeout|TLS handshake|proxyconnect|certificate",
            re.IGNORECASE,
        ),
        LibraryUnreachable,
    ),
)
"""What Ollama says at 200, in words alone, where a pull cannot go on."""


@dataclass(slots=True)
class Progress:
    """One line of a pull: a status, and for a layer how much of it has come (bytes)."""

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


async def pull(
    client: OllamaClient, model: str, timeouts: Timeouts
) -> AsyncGenerator[Progress, None]:
    """Yields until `success`. Closing it stops the fetching; the server keeps what has come."""
    deadline = StreamDeadline(timeouts, client.server, model)
    succeeded = False
    with deadline:
        async with contextlib.aclosing(_lines(client, model, deadline)) as lines:
            async for line in lines:
                progress = _progress(client.server, model, line)
                deadline.content()
                if progress.status.startswith(("verifying", "writing")):
                    deadline.at_work()  # reads the whole model from the disk, without a word
                succeeded = progress.status == "success"
                yield progress
    if not succeeded:
        raise IncompleteAnswer("the pull ended without success", server=client.server, model=model)


async def _lines(
    client: OllamaClient, model: str, deadline: StreamDeadline
) -> AsyncGenerator[bytes, None]:
    lines = LineSplitter()
    body = {"model": model, "stream": True}
    answer = await deadline.wait(client.post("/api/pull", body, model))
    try:
        while piece := await deadline.wait(answer.next()):
            for line in lines.feed(piece):
                if line.strip():
                    yield line
        if lines.rest().strip():
            yield lines.rest()
    finally:
        await answer.close()


def _progress(server: str, model: str, line: bytes) -> Progress:
    try:
        said = json_of(line)
    except ValueError as error:
        raise not_the_protocol(server, model, line) from error
    if not isinstance(said, dict):
        raise not_the_protocol(server, model, line)
    if said.get("error"):
        raise _refusal(server, model, said)
    return Progress(
        str(said.get("status") or ""),
        str(said["digest"]) if said.get("digest") else None,
        count(said.get("total")),
        count(said.get("completed")),
    )


def _refusal(server: str, model: str, said: Mapping[str, object]) -> KonsiliumError:
    message = str(said["error"])
    for pattern, kind in _FAILURES:
        if pattern.search(message):
            return kind(message, server=server, model=model)
    return error_in_body(server, model, said)
