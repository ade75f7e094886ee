"""Whole completions of OpenAI-compatible servers on their way through, mended like the streams."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from app.core.errors import IncompleteAnswer, MalformedAnswer
from app.core.events import Finished
from app.core.reading import clean
from app.core.usage import Usage
from app.providers.chunks import Chunk, ChunkReader, parsed_chunks, unwrapped
from app.providers.openai_compatible.straight import straighten
from app.providers.openai_compatible.tool_calls import ToolCallIndexes
from app.providers.openai_compatible.usage import FREE, counted, merged, usage_in, usage_of
from app.providers.shapes import FINISH_REASONS
from app.providers.thinking import whole
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol


def mended_answer(
    server: str, model: str, body: bytes, *, functions: bool = True
) -> tuple[bytes, Finished]:
    """A whole completion as it is passed on, and how it ended; a stream that came in its place becomes
    one. `functions`: as in `straighten`.

    Raises MalformedAnswer, IncompleteAnswer, or what the server says went wrong.
    """
    if (ended := _plainly_ended(body)) is not None:
        return body, ended
    chunks, done = _chunks(server, model, body)
    answer = unwrapped(chunks[0]) if len(chunks) == 1 else None
    changed = answer is None or answer is not chunks[0] or not body.startswith(b"{")
    try:
        if not any("choices" in unwrapped(chunk) for chunk in chunks):
            raise not_the_protocol(server, model, body)
        if answer is None or not _is_whole(answer):
            answer = _joined(server, model, chunks, done, functions)
            changed = True
        else:
            changed |= straighten(server, model, answer, functions=functions)
        if not answer.get("choices"):
            raise not_the_protocol(server, model, body)
        changed |= _mend_answer(answer)
        return _dumped(answer) if changed else body, _ending(answer)
    except WRONG_SHAPE as error:
        raise not_the_protocol(server, model, body) from error


_PLAIN = frozenset(
    ("id", "object", "created", "model", "choices", "usage", "timings", "system_fingerprint")
)
_PLAIN_CHOICE = frozenset(("index", "message", "finish_reason", "logprobs"))
_PLAIN_MESSAGE = frozenset(("role", "content"))
_PLAIN_USAGE = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))


def _plainly_ended(body: bytes) -> Finished | None:
    """How an answer ended in which there is nothing to mend, what nearly all are: one text, in the very
    shape of the protocol, and nothing else. None where it has to be looked at more closely."""
    if not body.startswith(b"{"):
        return None
    try:
        answer = from_json(body)
        (choice,) = answer["choices"]
        message, usage = choice["message"], answer["usage"]
        text, reason = message["content"], choice["finish_reason"]
        if not (
            _has_only(answer, _PLAIN)
            and _has_only(choice, _PLAIN_CHOICE)
            and _has_only(message, _PLAIN_MESSAGE)
            and type(choice.get("index", 0)) is int
            and reason in ("stop", "length")
            and type(text) is str
            and whole(text) == ("", text)
            and usage.keys() >= _PLAIN_USAGE
            and FREE not in usage
            and all(map(_is_count, usage.values()))
        ):
            return None
    except WRONG_SHAPE:
        return None
    return Finished(reason, usage_of(usage, answer.get("timings")))


def _has_only(holder: Chunk, names: frozenset[str]) -> bool:
    """Whether all else that it has says nothing."""
    return all(
        name in names or value is None or (value == [] and name != "error")
        for name, value in holder.items()
    )


def _is_count(value: object) -> bool:
    return type(value) is int or (type(value) is dict and all(map(_is_count, value.values())))


def _chunks(server: str, model: str, body: bytes) -> tuple[list[Chunk], bool]:
    """The objects in a body, and whether `[DONE]` is among them."""
    try:
        return [chunk for chunk, _ in parsed_chunks(server, model, body)], False
    except MalformedAnswer:
        reader = ChunkReader(server, model)
        chunks = [chunk for part in (body, b"") for chunk, _ in reader.read(part)]
        return chunks, reader.done


def _is_whole(answer: Chunk) -> bool:
    """Whether this is an answer, not a piece of one: its choices have messages, or the texts of the old
    completions."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else choices
    return isinstance(choice, Mapping) and ("delta" not in choice or bool(choice.get("message")))


def _mend_answer(answer: Chunk) -> bool:
    changed = False
    usage = usage_in(answer, answer["choices"][0])
    if usage and answer.get("usage") != (numbers := counted(usage)):
        answer["usage"] = numbers
        changed = True
    for choice in answer["choices"]:
        changed |= _mend_choice(choice)
    return changed


def _mend_choice(choice: Chunk) -> bool:
    changed = False
    reason = choice.get("finish_reason")
    message = choice.get("message")
    if isinstance(message, dict):
        separate = message.get("reasoning_content") or message.get("reasoning")
        if content := message.get("content"):
            thought, text = whole(clean(content), apart=bool(separate))
            if text != content:
                message["content"] = text
                changed = True
            if thought:
                message["reasoning_content"] = thought
        if calls := message.get("tool_calls"):
            changed |= _mend_calls(calls)
            if reason in (None, "stop", "function_call"):
                choice["finish_reason"] = reason = "tool_calls"
                changed = True
    ours = FINISH_REASONS.get(reason or "stop", "stop")
    if reason not in (ours, "function_call"):
        choice["finish_reason"] = ours
        changed = True
    return changed


def _mend_calls(calls: list[Chunk]) -> bool:
    changed = False
    indexes = ToolCallIndexes()
    for at, call in enumerate(calls):
        facts = {"id": call.get("id") or indexes.id_of(indexes.of(call, at)), "type": "function"}
        missing = {name: value for name, value in facts.items() if not call.get(name)}
        changed |= bool(missing) or call.pop("index", None) is not None
        call |= missing
    return changed


def _ending(answer: Chunk) -> Finished:
    first = answer["choices"][0]
    reason = FINISH_REASONS.get(first.get("finish_reason") or "stop", "stop")
    usage = usage_in(answer, first)
    return Finished(reason, usage_of(usage, answer.get("timings")) if usage else Usage())


class _Joining:
    """One of the answers that a stream brings, as it grows."""

    def __init__(self, index: int) -> None:
        self.message: Chunk = {"role": "assistant", "content": ""}
        self.choice: Chunk = {"index": index, "message": self.message, "finish_reason": None}
        self._calls: list[Chunk] = []
        self._indexes = ToolCallIndexes()

    def add(self, piece: Chunk) -> None:
        """More of it, straight."""
        told = piece.get("delta")
        if not told and not (self.message["content"] and isinstance(told, dict)):
            told = piece.get("message")  # else it is all that was said, once more
        said: Chunk = told or {}
        ended = piece.get("finish_reason") or ("stop" if piece.get("message") else None)
        self.choice["finish_reason"] = ended or self.choice["finish_reason"]
        if isinstance(bare := piece.get("text"), str) and not said:
            said = {"content": bare}
        for name in ("content", "refusal", "reasoning_content"):
            more = said.get(name) or (name == "reasoning_content" and said.get("reasoning"))
            if more:
                self.message[name] = (self.message.get(name) or "") + more
        for at, call in enumerate(said.get("tool_calls") or ()):
            self._add_call(at, call)
        if said.get("function_call"):
            self.message["function_call"] = said["function_call"]

    def _add_call(self, at: int, call: Chunk) -> None:
        index = self._indexes.of(call, at)
        name, arguments = self._indexes.added(index, call)
        if index == len(self._calls):
            self._calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
            self.message["tool_calls"] = self._calls
        known: Any = self._calls[index]
        known["id"] = self._indexes.id_of(index)
        known["function"]["name"] += name or ""
        known["function"]["arguments"] += arguments


def _joined(server: str, model: str, chunks: list[Chunk], done: bool, functions: bool) -> Chunk:
    """A stream that came where a whole answer was asked for, as that answer."""
    answer: Chunk = {}
    usage: Chunk = {}
    choices: dict[int, _Joining] = {}
    for chunk in map(unwrapped, chunks):
        straighten(server, model, chunk, functions=functions)
        pieces: list[Chunk] = chunk.get("choices") or []
        usage = merged(usage, usage_in(chunk, pieces[0] if pieces else {}))
        answer = {**chunk, **{name: value for name, value in answer.items() if value}}
        for piece in pieces:
            index = piece.get("index") or 0
            choices.setdefault(index, _Joining(index)).add(piece)
    ended = [each.choice["finish_reason"] for each in choices.values()]
    if not done and not (ended and all(ended)):
        raise IncompleteAnswer("the stream ended without finish_reason and [DONE]")
    answer |= {"object": "chat.completion"} | ({"usage": usage} if usage else {})
    answer["choices"] = [choices[index].choice for index in sorted(choices)]
    return answer


def _dumped(answer: Chunk) -> bytes:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
