"""The tool calls of one answer: those that came in pieces, and those that a small model wrote into its answer
instead of making them. Pure.

Words are taken for calls where the whole answer is nothing else: JSON that names a tool which the model was
given, in a fence, in the tags of its family, or bare. Whatever says a word beside that is an answer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from app.core.events import ToolCallDelta
from app.core.mending import json_of
from app.core.messages import ToolCall
from app.core.tools import Tool
from app.core.turns import new_id

MAX_CHARACTERS = 64_000
"""What begins like a call and goes on longer is an answer."""
_MARKS = (
    "",
    "```",
    "```json",
    "```tool_call",
    "<tool_call>",  # Qwen, Hermes
    "<function_call>",
    "[TOOL_CALLS]",  # Mistral
    "<|python_tag|>",  # Llama
    "<|tool_call|>",  # Granite, Phi
)
_NAMING = (
    '{"name":"',
    '{"type":"function","name":"',
    '{"function":{"name":"',
    '{"type":"function","function":{"name":"',
)
_FUNCTIONS = ("<function=", "<tool_call><function=")
_BETWEEN = re.compile(
    r"(?:[\s,;]|```(?:json|tool_call)?|</?(?:tool_call|function_call)>|\[/?TOOL_CALLS\]"
    r"|<\|(?:python_tag|tool_call|/tool_call|eom_id|eot_id)\|>)*+"
)
_BLANKS = re.compile(r"\s+")
_ARGS = re.compile(r"([\w-]+)\s*\[ARGS\]\s*")
"""Mistral's newer form: the name, and then its arguments."""
_FUNCTION = re.compile(r"<function=([\w-]+)>(.*?)</function>", re.DOTALL)
_PARAMETER = re.compile(r"\s*<parameter=([\w-]+)>\n?(.*?)\n?</parameter>\s*", re.DOTALL)
"""Those of Qwen3-Coder, one by one in tags; Llama writes JSON there."""


class GatheredToolCalls:
    """The pieces of the tool calls of one answer."""

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[str, str, str]] = {}

    def add(self, piece: ToolCallDelta) -> None:
        """One more piece."""
        id, name, arguments = self._pieces.get(piece.index, ("", "", ""))
        self._pieces[piece.index] = (
            piece.id or id,
            piece.name or name,
            arguments + piece.arguments,
        )

    def calls(self, known: set[str]) -> tuple[ToolCall, ...]:
        """The calls, each with an id that is not among those `known`, which it joins: servers give
        the same one twice, or none."""
        calls = []
        for id, name, arguments in self._pieces.values():
            own = id if id and id not in known else new_id().replace("-", "")[:9]
            known.add(own)
            if name:
                calls.append(ToolCall(own, name, arguments or "{}"))
        return tuple(calls)


class WrittenCalls:
    """The words of one answer, held back as long as they may be calls of these tools."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        self._beginnings = [
            f"{mark}{name}{end}"
            for name in tools
            for mark, end in (("[TOOL_CALLS]", "[ARGS]{"), *((m, ">") for m in _FUNCTIONS))
        ] + [
            f'{mark}{bracket}{naming}{name}"'
            for mark, bracket, naming, name in product(_MARKS, ("", "["), _NAMING, tools)
        ]
        self._held = ""
        self._open = True

    def passed(self, text: str) -> str:
        """What of the answer may be shown now that these words came: nothing while they are held back."""
        if not self._open:
            return text
        self._held += text
        if len(self._held) <= MAX_CHARACTERS and self._may_be():
            return ""
        return self.released()

    def released(self) -> str:
        """The words held back, which are an answer after all."""
        text, self._held, self._open = self._held, "", False
        return text

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls that the answer, now whole, is, and no words are left of it; none where it is an answer."""
        try:
            calls = tuple(self._read(self._held))
        except (ValueError, RecursionError):
            return ()
        self._held = "" if calls else self._held
        return calls

    def _may_be(self) -> bool:
        begun = _BLANKS.sub("", self._held[:1000])
        return any(one.startswith(begun) or begun.startswith(one) for one in self._beginnings)

    def _read(self, text: str) -> Iterator[ToolCall]:
        decoder = json.JSONDecoder(strict=False)
        at = _end_of(text, 0)
        while at < len(text):
            if function := _FUNCTION.match(text, at):
                yield self._call({"name": function[1], "arguments": self._told(*function.groups())})
                at = function.end()
            elif named := _ARGS.match(text, at):
                value, at = decoder.raw_decode(text, named.end())
                yield self._call({"name": named[1], "arguments": value})
            else:
                value, at = decoder.raw_decode(text, at)
                for one in value if isinstance(value, list) else [value]:
                    yield self._call(one)
            at = _end_of(text, at)

    def _told(self, name: str, inner: str) -> Any:
        """The arguments between the tags of a function: JSON, or one by one, where all but texts is JSON, too."""
        if not inner.strip() or not inner.lstrip().startswith("<parameter="):
            return json_of(inner, strict=False) if inner.strip() else {}
        fields = self._tools[name].schema.get("properties", {}) if name in self._tools else {}
        told, at = {}, 0
        while at < len(inner):
            given = _PARAMETER.match(inner, at)
            if given is None:
                raise ValueError("no parameter")
            field, words, at = given[1], given[2], given.end()
            told[field] = words if fields.get(field, {}).get("type") == "string" else _value(words)
        return told

    def _call(self, said: Any) -> ToolCall:
        if not isinstance(said, dict):
            raise ValueError("no object")
        inner = said["function"] if isinstance(said.get("function"), dict) else said
        name = str(inner.get("name"))
        given = inner.get("arguments", inner.get("parameters", {}))
        if name not in self._tools or not isinstance(given, dict | str):
            raise ValueError("no call")
        written = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return ToolCall(new_id().replace("-", "")[:9], name, written)


def _end_of(text: str, at: int) -> int:
    """Where what stands between calls ends."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _value(words: str) -> Any:
    """What JSON says, or the words themselves."""
    try:
        return json_of(words)
    except ValueError:
        return words
