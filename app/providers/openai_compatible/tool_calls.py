"""Which call the pieces of tool calls belong to, and what of each is new. Pure."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from app.core.events import ToolCallDelta
from app.core.reading import read_json
from app.providers.shapes import count


class ToolCallIndexes:
    """Gives each piece of a tool call the index of its call, where the server gives none (Gemini) or
    the same to all. Pieces are straight (`straight.py`)."""

    def __init__(self) -> None:
        self._ids: list[str | None] = []
        """The id of each call so far."""
        self._names: list[str] = []
        self._arguments: list[str] = []
        self._of: dict[int, int] = {}
        """The server's own indexes and what they stand for here."""

    def of(self, call: Mapping[str, Any], position: int) -> int:
        """The index of the call that this piece, at that position of its chunk, belongs to."""
        own, id = count(call.get("index")), call.get("id") or None
        name = _function(call).get("name")
        if own is not None and own in self._of:
            known = self._of[own]
            if not self._is_another(known, id, call):
                self._ids[known] = self._ids[known] or id
                return known
        elif own is None:
            if id is not None and id in self._ids and not (name and position >= len(self._ids)):
                return self._ids.index(id)
            if self._ids and id is None and (not name or self._goes_on(call)):
                return len(self._ids) - 1
        self._ids.append(id)
        self._names.append("")
        self._arguments.append("")
        new = len(self._ids) - 1
        if own is not None:
            self._of[own] = new
        return new

    def added(self, index: int, call: Mapping[str, Any]) -> tuple[str | None, str]:
        """What of the name and of the arguments is new: some servers write the name into every piece, and
        the whole call once more at the end."""
        function = _function(call)
        name, arguments = function.get("name") or None, function.get("arguments") or ""
        if name is not None and name == self._names[index]:
            name = None
            if arguments and arguments == self._arguments[index] and _is_whole(arguments):
                return None, ""
        self._names[index] += name or ""
        self._arguments[index] += arguments
        return name, arguments

    def so_far(self, index: int) -> tuple[str | None, str, str]:
        """The id, the name and the arguments of that call, as far as they have come."""
        return self._ids[index], self._names[index], self._arguments[index]

    def id_of(self, index: int) -> str:
        """The id of that call, made up where the server gave none."""
        id = self._ids[index] = self._ids[index] or f"call_{uuid4().hex[:24]}"
        return id

    def _is_another(self, known: int, id: str | None, call: Mapping[str, Any]) -> bool:
        """Whether a piece under the index of a known call begins another one nonetheless."""
        function = _function(call)
        name, arguments = function.get("name"), function.get("arguments") or ""
        if not name:
            return False
        if id and self._ids[known]:
            return id != self._ids[known]
        before = self._arguments[known]
        if name != self._names[known]:
            return bool(before)
        return arguments.startswith("{") and arguments != before and _is_whole(before)

    def _goes_on(self, call: Mapping[str, Any]) -> bool:
        """Whether a piece with a name, but neither index nor id, goes on with the last call."""
        function = _function(call)
        before, more = self._arguments[-1], function.get("arguments") or ""
        same = function.get("name") == self._names[-1]
        return same and bool(before) and not (more.startswith("{") or _is_whole(before))


class ToolCallDeltas:
    """The pieces of tool calls as events: a name comes before its arguments, and one call ends before the
    next begins, however the server mixes them."""

    def __init__(self) -> None:
        self._indexes = ToolCallIndexes()
        self._current: int | None = None
        self._waiting: list[int] = []
        self._told: dict[int, tuple[str, int]] = {}
        """What was told of each call: its name, and how many characters of its arguments."""

    def read(self, call: Mapping[str, Any], position: int) -> list[ToolCallDelta]:
        """The events of that piece, at that position of its chunk."""
        index = self._indexes.of(call, position)
        self._indexes.added(index, call)
        if index != self._current:
            begins = index not in self._waiting
            if begins:
                self._waiting.append(index)
            if self._waiting[0] != index or not self._may_end(begins):
                return []
            self._current = self._waiting.pop(0)
        return self._news(index) if self._indexes.so_far(index)[1] else []

    def rest(self) -> list[ToolCallDelta]:
        """What was held back, at the end."""
        held = [] if self._current is None else [self._current]
        events = [event for index in (*held, *self._waiting) for event in self._news(index)]
        self._waiting.clear()
        return events

    def _may_end(self, begins: bool) -> bool:
        """Whether the current call may be over, now that a piece of another has come, or that one begins."""
        if self._current is None:
            return True
        arguments = self._indexes.so_far(self._current)[2]
        return bool(arguments) and (begins or _is_whole(arguments))

    def _news(self, index: int) -> list[ToolCallDelta]:
        id, name, arguments = self._indexes.so_far(index)
        named, told = self._told.get(index, ("", 0))
        fresh = ToolCallDelta(
            index,
            id if index not in self._told else None,
            name.removeprefix(named) or None,
            arguments[told:],
        )
        self._told[index] = name, len(arguments)
        return [fresh] if fresh.id or fresh.name or fresh.arguments else []


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def _is_whole(arguments: str) -> bool:
    try:
        read_json(arguments.encode("utf-8", "surrogatepass"))
    except ValueError:
        return False
    return True
