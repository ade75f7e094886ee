"""What MCP servers list and return, in our own values."""

import base64
import binascii
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from mcp import types as protocol

from app.core.text import same
from app.core.tools import CallTool, Tool, ToolResult
from app.tools.mcp.config import ServerConfig

log = logging.getLogger(__name__)

MAX_DESCRIPTION_LENGTH = 4000
"""Characters of a tool's description: it stands in every prompt."""
MAX_CHARACTERS = 400_000
"""Of one result; what a model is shown of it is cut to its window besides."""
LEFT_OUT = "\n[… {count} more characters are left out]"


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """What a prompt is told."""

    name: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that a server keeps ready."""

    server: str
    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a server lets one read."""

    server: str
    uri: str
    title: str
    description: str
    mime: str
    size: int | None


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A resource that was read, as a file."""

    name: str
    mime: str
    content: bytes


def tool_from(listed: protocol.Tool, config: ServerConfig, call: CallTool) -> Tool | None:
    """A tool of a server; None for one that cannot be called here or is hidden."""
    name, hints = listed.name, listed.annotations or protocol.ToolAnnotations()
    if "," in name or listed.name in config.hidden:
        return None
    if listed.execution is not None and listed.execution.taskSupport == "required":
        return None  # it wants to be polled, which the protocol is giving up again
    title = listed.title or hints.title
    schema = {key: value for key, value in listed.inputSchema.items() if key != "$schema"}
    return Tool(
        name=name,
        description=(listed.description or title or name)[:MAX_DESCRIPTION_LENGTH],
        schema={"type": "object", "properties": {}, **schema},
        call=call,
        title=same(title) if title else None,
        origin=config.name,
        read_only=hints.readOnlyHint is True or name in config.trusted,
        outward=config.transport != "stdio" or hints.openWorldHint is not False,
        foreign=True,
        seconds=config.seconds,
    )


def prompt_from(listed: protocol.Prompt, server: str) -> Prompt:
    """A prompt of a server."""
    return Prompt(
        server,
        listed.name,
        listed.title or listed.name,
        listed.description or "",
        tuple(
            PromptArgument(one.name, one.required is True, one.description or "")
            for one in listed.arguments or ()
        ),
    )


def resource_from(listed: protocol.Resource, server: str) -> Resource:
    """A resource of a server."""
    return Resource(
        server,
        str(listed.uri),
        listed.title or listed.name,
        listed.description or "",
        listed.mimeType or "",
        listed.size,
    )


def result_from(given: protocol.CallToolResult) -> ToolResult:
    """What a call returned, as text: of pictures and sounds it is said that they are there."""
    text = "\n\n".join(filter(None, map(_text, given.content)))
    if not text and given.structuredContent is not None:
        text = json.dumps(given.structuredContent, ensure_ascii=False)
    return ToolResult(_short(text or "(nothing)"), failed=given.isError is True)


def text_from(messages: Sequence[protocol.PromptMessage]) -> str:
    """The words of a prompt's messages."""
    return _short("\n\n".join(filter(None, (_text(message.content) for message in messages))))


def file_from(resource: Resource, given: protocol.ReadResourceResult) -> ReadFile:
    """What a resource holds, as one file; several parts of text are joined."""
    blobs = [one for one in given.contents if isinstance(one, protocol.BlobResourceContents)]
    texts = [one for one in given.contents if isinstance(one, protocol.TextResourceContents)]
    mime = next((one.mimeType for one in given.contents if one.mimeType), resource.mime)
    if blobs and not texts:
        try:
            return ReadFile(resource.title, mime, base64.b64decode(blobs[0].blob))
        except binascii.Error:
            log.warning("mcp %s: a resource is no base64", resource.server)
            return ReadFile(resource.title, mime, b"")
    joined = "\n\n".join(one.text for one in texts)
    return ReadFile(resource.title, mime or "text/plain", joined.encode())


def _text(block: protocol.ContentBlock) -> str:
    match block:
        case protocol.TextContent(text=text):
            return text
        case protocol.EmbeddedResource(resource=protocol.TextResourceContents() as held):
            return f"{held.uri}:\n{held.text}"
        case protocol.EmbeddedResource(resource=held):
            return f"[a file: {held.uri}, {held.mimeType or 'of unknown kind'}]"
        case protocol.ResourceLink():
            about = f": {block.description}" if block.description else ""
            return f"[{block.title or block.name}]({block.uri}){about}"
        case protocol.ImageContent(mimeType=mime) | protocol.AudioContent(mimeType=mime):
            return f"[{mime}, {len(block.data) * 3 // 4} bytes, which cannot be shown to a model]"


def _short(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[:MAX_CHARACTERS] + LEFT_OUT.format(count=len(text) - MAX_CHARACTERS)
