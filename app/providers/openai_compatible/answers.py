"""Answers of OpenAI-compatible servers as events. Pure."""

from collections.abc import Mapping
from typing import Any

from app.core.events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
)
from app.core.reading import SurrogateJoiner, clean
from app.providers.chunks import Chunk
from app.providers.openai_compatible.straight import straighten
from app.providers.openai_compatible.tool_calls import ToolCallDeltas
from app.providers.openai_compatible.usage import merged, usage_in, usage_of
from app.providers.shapes import FINISH_REASONS
from app.providers.thinking import ThinkTags

_THINKING = ({"reasoning_content"}, {"reasoning"}, {"reasoning", "reasoning_details"})

_MORE = ("finish_reason", "logprobs", "usage", "error")


class AnswerReader:
    """Turns the chunks of one streamed answer into events, and knows when it is complete."""

    def __init__(self, server: str, model: str, *, thinks: bool = False) -> None:
        """`thinks`: this model is known to begin with thinking, and to say only where that ends."""
        self._server, self._model = server, model
        self._reason: FinishReason | None = None
        self._usage: Chunk = {}
        self._timings: object = None
        self._tool_calls = ToolCallDeltas()
        self._called = False
        self._logprobs: list[Any] = []
        self._extra: dict[str, Any] = {}
        self._halves = SurrogateJoiner()
        self.tags = ThinkTags(begun=thinks)

    @property
    def complete(self) -> bool:
        """A finish reason has come: what follows is usage at most."""
        return self._reason is not None

    def read(self, chunk: Chunk, *, odd: bool = False) -> list[ModelEvent]:
        """The events of one chunk. `odd`: it may hold half a surrogate pair.

        Raises one of `WRONG_SHAPE` where it is not of the protocol, or what the server says went wrong.
        """
        text, thinking = _spoken(chunk)
        if not (text or thinking):
            return self._read_slowly(chunk, odd)
        return self._thought(thinking, odd) if thinking else self._said(text, odd)

    def _said(self, text: str, odd: bool) -> list[ModelEvent]:
        if odd or self._halves.held:
            text = self._halves.joined(text)
        tags = self.tags
        if tags.over and "<" not in text and "[" not in text:
            tags.before = text
            return [TextDelta(text)] if text else []
        return tags.split(text) if text else []

    def _thought(self, thinking: str, odd: bool) -> list[ModelEvent]:
        self.tags.no_more()
        return [ReasoningDelta(clean(thinking) if odd else thinking)]

    def _read_slowly(self, chunk: Chunk, odd: bool) -> list[ModelEvent]:
        """All that is not one more word."""
        straighten(self._server, self._model, chunk)
        choices = chunk.get("choices")
        choice: Chunk = choices[0] if choices else {}
        if usage := usage_in(chunk, choice):
            self._usage = merged(self._usage, usage)
            self._timings = chunk.get("timings") or self._timings
        if not choice:
            return []
        events: list[ModelEvent] = []
        said = choice.get("delta")
        if not said and not (self.tags.before and isinstance(said, dict)):
            said = choice.get("message")  # else it is all that was said, once more
        if said:
            if thinking := said.get("reasoning_content") or said.get("reasoning"):
                events += self._thought(thinking, odd)
            if text := said.get("content") or said.get("refusal"):
                events += self._said(text, odd)
            if calls := said.get("tool_calls"):
                self._called = True
                for at, call in enumerate(calls):
                    events += self._tool_calls.read(call, at)
        elif said is None and isinstance(bare := choice.get("text"), str) and bare:
            events.append(TextDelta(clean(bare) if odd else bare))
        if isinstance(logprobs := choice.get("logprobs"), dict):
            self._logprobs.extend(logprobs.get("content") or ())
        if reason := choice.get("finish_reason"):
            self._reason = FINISH_REASONS.get(reason, "stop")
            if fingerprint := chunk.get("system_fingerprint"):
                self._extra["system_fingerprint"] = fingerprint
        elif said is not None and said is choice.get("message"):
            self._reason = "stop"  # a whole answer is an end by itself
        return events

    def held_back(self) -> list[ModelEvent]:
        """What might have been half a tag, half a letter or half a call, once the stream is over."""
        left = self._halves.rest()
        events = self.tags.split(left) if left else []
        complete = self._reason != "length" and not self._called
        return [*events, *self.tags.rest(complete=complete), *self._tool_calls.rest()]

    def finished(self) -> Finished:
        """The end, once the stream is over."""
        reason = self._reason or "stop"
        if self._called and reason == "stop":
            reason = "tool_calls"
        if self._logprobs:
            self._extra["logprobs"] = {"content": self._logprobs}
        return Finished(reason, usage_of(self._usage, self._timings), self._extra)


def _spoken(chunk: Mapping[str, Any]) -> tuple[str, str]:
    """The text, or the thinking, of a chunk that has that alone, as nearly all have: once a token."""
    choices = chunk.get("choices")
    if type(choices) is not list or len(choices) != 1 or type(choice := choices[0]) is not dict:
        return "", ""
    if type(delta := choice.get("delta")) is not dict or chunk.get("usage") or "timings" in chunk:
        return "", ""
    if any(map(choice.get, _MORE)):
        return "", ""
    said = {name for name, value in delta.items() if value and name != "role"}
    if said == {"content"}:
        text = delta["content"]
        return (text, "") if type(text) is str else ("", "")
    if said in _THINKING:
        thinking = delta.get("reasoning_content") or delta["reasoning"]
        return ("", thinking) if type(thinking) is str else ("", "")
    return "", ""
