"""What is said to a model: pure values, independent of any provider's wire format."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """A run of text."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image as bytes: never a path or a URL that somebody downstream might open."""

    data: bytes
    mime: str


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt. The model's earlier reasoning is never part of it."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The text parts joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """The image parts, in order."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @classmethod
    def system(cls, text: str) -> "Message":
        return cls("system", (TextPart(text),))

    @classmethod
    def user(cls, text: str, *images: ImagePart) -> "Message":
        return cls("user", (TextPart(text), *images))

    @classmethod
    def assistant(cls, text: str) -> "Message":
        return cls("assistant", (TextPart(text),))


def alternating(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same with successive messages of one role joined: after a failure or a stop a question stands
    without its answer, and many models take user and assistant in turn only. Tools' are left alone."""
    joined: list[Message] = []
    for message in messages:
        last = joined[-1] if joined else None
        if last is not None and _may_join(last, message):
            joined[-1] = replace(last, parts=(*last.parts, TextPart("\n\n"), *message.parts))
        else:
            joined.append(message)
    return tuple(joined)


def _may_join(last: Message, message: Message) -> bool:
    plain = not (last.tool_calls or message.tool_calls) and last.name == message.name
    return plain and last.role == message.role and message.role in ("user", "assistant")
