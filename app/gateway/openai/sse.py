"""Server-sent events of a chat completion on their way through: cut into whole events, watched, and
parsed only where something in them has to be known or mended."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import IncompleteAnswer, MalformedAnswer, RateLimited, ServerFault
from app.core.usage import Usage

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
MAX_EVENT_BYTES = 32 * 1024 * 1024

Chunk = dict[str, Any]


class EventSplitter:
    """Cuts a byte stream, split anywhere, at the ends of its events; line ends come out as LF.

    JSON holds no raw CR, and 0x0A is part of no other UTF-8 sequence, so this needs no decoding.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, data: bytes) -> bytes:
        """All whole events that are complete by now, in one piece; empty where none is."""
        data = self._plain(data)
        found = data.rfind(b"\n\n")
        straddles = self._parts and self._parts[-1].endswith(b"\n") and data.startswith(b"\n")
        if found < 0 and not straddles:
            self._keep(data)
            return b""
        cut = found + 2 if found >= 0 else 1
        whole = b"".join((*self._parts, data[:cut])) if self._parts else data[:cut]
        self._parts, self._size = [], 0
        self._keep(data[cut:])
        return whole

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return b"".join(self._parts)

    def _keep(self, data: bytes) -> None:
        if data:
            self._parts.append(data)
            self._size += len(data)
            if self._size > MAX_EVENT_BYTES:
                raise MalformedAnswer(f"an event of more than {MAX_EVENT_BYTES} bytes")

    def _plain(self, data: bytes) -> bytes:
        if self._first and data:
            self._first = False
            data = data.removeprefix(b"\xef\xbb\xbf")
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data


def payload(event: bytes) -> bytes | None:
    """The data of one event (lines end in LF), None where it has none."""
    if event.startswith(b"data:") and b"\n" not in event.strip(b"\n"):
        return event[5:].strip()
    lines = [line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(line.removeprefix(b" ") for line in lines).strip() if lines else None


def encode(value: object) -> bytes:
    """An event whose data is `value` as JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"


_MARKS = re.compile(rb'"finish_reason"\s*:\s*"|"usage"\s*:\s*\{|"error"\s*:\s*[{"]|\[DONE\]')
"""What makes an event worth parsing. In a JSON string these would have their quotes escaped, so text
of a model that speaks of them costs a parse at most."""

_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "function_call",
    "max_tokens": "length",
    "model_length": "length",
}
_CONTENT = (
    "content",
    "text",
    "reasoning_content",
    "reasoning",
    "tool_calls",
    "function_call",
    "refusal",
    "audio",
)
_BROKEN = {"error", "insufficient_system_resource", "abort"}


@dataclass(slots=True)
class Watch:
    """Follows the events of one stream and lets them through, mended where a server is careless.

    The first delta has a role, `finish_reason` is null or a known word, the usage chunk is withheld
    from a client that did not ask for it, `[DONE]` is withheld until `closing()` says how it ended.
    """

    wants_usage: bool
    asked_usage: bool = True
    """We asked the upstream for usage; what comes unasked besides is let through as it is."""
    choices: int = 1
    """Answers that were asked for at once (`n`): each has an end of its own."""
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    ended: set[int] = field(default_factory=set)
    """The choices that have their finish_reason."""
    done: bool = False
    events: int = 0
    """Events from the first content on: about as many as tokens."""
    started: bool = False
    spoken: bool = False
    """Something of the answer has come, more than its role."""
    tool_calls: bool = False
    last: Chunk = field(default_factory=dict)
    """The last chunk with a choice: what a closing chunk of ours is modelled on."""

    @property
    def complete(self) -> bool:
        """Whether nothing of an answer is left to come; usage and `[DONE]` may be."""
        return self.done or len(self.ended) >= self.choices

    def passed(self, block: bytes) -> bytes:
        """What the client is sent of these whole events.

        Raises ServerFault where the server says that it failed, MalformedAnswer where it is not JSON.
        """
        if self.spoken and not self.done and _MARKS.search(block) is None:
            self.events += block.count(b"\n\n")
            return block
        return b"".join(map(self._event, _events(block)))

    def _event(self, event: bytes) -> bytes:
        if self.done:
            return b""
        if self.spoken and _MARKS.search(event) is None:
            self.events += 1
            return event
        data = payload(event)
        if data is None:
            return event
        if data == b"[DONE]":
            self.done = True
            return b""
        chunk = _parsed(data)
        if (error := chunk.get("error")) and isinstance(error, dict | str):
            raise fault(error)
        changed = self._mend(chunk)
        self.events += self.spoken
        if not chunk:
            return b""
        return encode(chunk) if changed else event

    def _mend(self, chunk: Chunk) -> bool:
        """Notes what the chunk says and corrects it in place; empties it where it is to be withheld."""
        changed = False
        usage, choices = chunk.get("usage"), chunk.get("choices")
        if isinstance(usage, dict):
            self.usage = usage_of(usage)
            if not self.wants_usage and self.asked_usage:
                del chunk["usage"]
                changed = True
        if not isinstance(choices, list) or not choices:
            if changed or not self.wants_usage:
                chunk.clear()
            return changed
        self.last = chunk
        for choice in choices:
            changed |= self._mend_choice(choice)
        return changed

    def _mend_choice(self, choice: Any) -> bool:
        if not isinstance(choice, dict):
            raise MalformedAnswer("a choice that is not an object")
        changed = False
        delta = choice.get("delta")
        if not self.started:
            self.started = True
            if isinstance(delta, dict) and "role" not in delta:
                choice["delta"] = {"role": "assistant", **delta}
                changed = True
        if isinstance(delta, dict) and delta.get("tool_calls"):
            self.tool_calls = True
        reason = choice.get("finish_reason")
        said = delta if isinstance(delta, dict) else choice
        self.spoken = self.spoken or bool(reason) or any(map(said.get, _CONTENT))
        if isinstance(reason, str):
            if reason in _BROKEN:
                raise ServerFault(f"the model stopped: {reason}")
            known = _REASONS.get(reason, "stop") if reason else None
            if known:
                self.finish_reason = known
                self.ended.add(index if isinstance(index := choice.get("index"), int) else 0)
            if known != reason:
                choice["finish_reason"] = known
                changed = True
        return changed

    def closing(self, rest: bytes = b"") -> bytes:
        """What is left to send at the end of the body, `[DONE]` last.

        Raises IncompleteAnswer where neither a finish_reason nor `[DONE]` has come: a cut.
        """
        left = self.passed(rest + b"\n\n") if rest.strip() else b""
        if not self.complete:
            raise IncompleteAnswer("the stream ended without finish_reason and [DONE]")
        if self.finish_reason is None:
            self.finish_reason = "tool_calls" if self.tool_calls else "stop"
            spoken = self.last.get("choices") or [{}]
            body: Chunk = {"text": ""} if "text" in spoken[0] else {"delta": {}}
            choice = {"index": 0, **body, "finish_reason": self.finish_reason}
            head = {name: value for name, value in self.last.items() if name != "usage"}
            left += encode(head | {"choices": [choice]})
        return left + DONE


def _events(block: bytes) -> list[bytes]:
    return [event + b"\n\n" for event in block.split(b"\n\n") if event.strip(b"\n")]


def _parsed(data: bytes) -> Chunk:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(f"an event that is not JSON: {data[:200]!r}") from error
    if not isinstance(chunk, dict):
        raise MalformedAnswer(f"an event that is not an object: {data[:200]!r}")
    return chunk


def fault(error: dict[str, Any] | str) -> ServerFault | RateLimited:
    """The error that a server reports in mid-stream."""
    if isinstance(error, str):
        return ServerFault(error)
    message = str(error.get("message") or "the server reported an error")
    if str(error.get("code")) in ("429", "rate_limit_exceeded"):
        return RateLimited(message)
    return ServerFault(message)


def usage_of(usage: dict[str, Any]) -> Usage:
    """OpenAI's `usage` object (and DeepSeek's and OpenRouter's variants) as ours."""

    def number(value: object) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def detail(group: str, name: str) -> int | None:
        details = usage.get(group)
        return number(details.get(name)) if isinstance(details, dict) else None

    cached = detail("prompt_tokens_details", "cached_tokens")
    return Usage(
        input_tokens=number(usage.get("prompt_tokens")),
        output_tokens=number(usage.get("completion_tokens")),
        cached_tokens=cached
        if cached is not None
        else number(usage.get("prompt_cache_hit_tokens")),
        reasoning_tokens=detail("completion_tokens_details", "reasoning_tokens"),
    )
