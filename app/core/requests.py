"""One call of one model, frozen; and the id of the request that it is made for."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from app.core.messages import Message
from app.core.usage import Purpose

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set once where a request enters (a turn, an HTTP request); tasks started by it inherit it."""
trace: ContextVar[Mapping[str, str]] = ContextVar("trace", default={})  # noqa: B039 - never changed
"""The headers of W3C's trace context that a request came with; model servers are sent them."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample; None leaves it to the server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """Ask for JSON of this schema. `schema` is a JSON Schema object."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JsonObject:
    """Ask for any JSON object."""


ResponseFormat = JsonSchema | JsonObject


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What one model is asked. The model itself is the `ChatModel` the request is given to."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    response_format: ResponseFormat | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    """Tools in OpenAI's form: `{"type": "function", "function": {...}}`."""
    tool_choice: str | Mapping[str, Any] | None = None
    think: bool | None = None
    """Whether a thinking model should think; None leaves it to the server."""
    window: int | None = None
    """Tokens of context that the person wants; None leaves it to `completion.tokens.window_for`."""
    needs: int | None = None
    """Tokens that prompt and answer need as whoever asks reckons them; None: as `Models` does."""
    purpose: Purpose = Purpose.ANSWER
    request_id: str | None = None
    """Goes through to the upstream call and the log."""
    step_id: str | None = None
    """The step that the answer is written to, where there is one; kept in the call's record."""
    saved_tokens: int | None = None
    """Tokens that compression spared this prompt; kept in the call's record."""
    prompt: str | None = None
    """To be continued as it stands, without a template around it; `messages` have it, too, for whoever
    counts."""
    suffix: str = ""
    """What stands behind the place that is to be filled in after `prompt`."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the wire format that we do not model; passed on as they are."""
    drops: bool = False
    """What the model does not take, tools and formats too, is left out, instead of having it refused."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A call in OpenAI's own form, for a server that speaks it: passed on, but for the model's name."""

    path: str
    """Below the server's base, `/chat/completions`."""
    body: Mapping[str, Any] | tuple[bytes, bytes]
    """JSON, whose `model` is put in; or a form's bytes before and after the model's name."""
    content_type: str = "application/json"
    stream: bool = False
    wants_usage: bool = False
    """Whoever asks is to see the usage of a stream."""
    characters: int = 0
    """Of the prompt: for an estimate where the server counts nothing."""
    drops: bool = False
    """As of a `ModelRequest`."""
    purpose: Purpose = Purpose.ANSWER
    request_id: str | None = None
