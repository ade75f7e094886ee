"""Reads a JSON object while a model is still writing it.

Every top-level string is handed out as it grows, every finished top-level value is in `fields`.
Tolerant of what models really write: prose or a code fence before the object, raw line breaks in
strings, backslashes that JSON does not know (LaTeX). A lone surrogate becomes U+FFFD: it cannot be
stored or sent. Time is linear in the text, however it is split.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Literal

Growth = tuple[str, str]
"""A top-level key and the new text of its string."""

_SPACE = re.compile(r"[\s,]*")
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r'[^"\\]+')
_HEX = re.compile(r"[0-9a-fA-F]{4}")
MAX_SCALAR_LENGTH = 1_000
"""Characters: what goes on without an end is no number, no key and no blank before the first brace, and is
not looked through at every piece."""
_SCALAR = re.compile(r"[^\s,}\]]+(?=[\s,}\]])")
_STRUCTURE = re.compile(r'["\\{}\[\]]')
_ESCAPES = {
    '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_FENCE = re.compile(r"```\w*\s*")


class PartialObject:
    """Feed it the text in any pieces; it never raises."""

    def __init__(self) -> None:
        self.state: Literal["before", "inside", "complete", "broken", "not_json"] = "before"
        """`not_json`: the text does not begin with an object (or a fence around one)."""
        self.fields: dict[str, Any] = {}
        """The top-level values that are complete."""
        self._rest, self._at = "", 0
        self._step: Callable[[], bool] | None = self._before
        self._grown: list[Growth] = []
        self._key = ""
        self._pieces: list[str] = []
        self._depth, self._in_string = 0, False

    def feed(self, text: str) -> list[Growth]:
        """Reads on and returns by how much each top-level string grew."""
        self._rest, self._at = self._rest[self._at :] + text, 0
        self._grown = []
        while self._step is not None and self._at < len(self._rest) and self._step():
            pass
        if self._step is None:
            self._at = len(self._rest)
        return self._grown

    # Each step reads from `_at` and says whether it got on; False waits for more text.

    def _before(self) -> bool:
        start = self._rest.lstrip("\ufeff \t\r\n")
        fence = _FENCE.match(start)
        if fence is not None:
            start = start[fence.end() :]
        if (not start or "```".startswith(start)) and len(self._rest) <= MAX_SCALAR_LENGTH:
            return False
        if not start.startswith("{"):
            self.state, self._step = "not_json", None
            return True
        self._at = self._rest.index("{") + 1
        self.state, self._step = "inside", self._key_or_end
        return True

    def _key_or_end(self) -> bool:
        if not self._skip(_SPACE):
            return False
        if self._rest[self._at] == "}":
            self.state, self._step = "complete", None
            return True
        if self._rest[self._at] != '"':
            return self._break()
        key = _KEY.match(self._rest, self._at)
        if key is None:
            return self._break() if len(self._rest) - self._at > MAX_SCALAR_LENGTH else False
        self._key, self._at, self._step = _whole(key.group()), key.end(), self._colon
        return True

    def _colon(self) -> bool:
        if not self._skip(_SPACE):
            return False
        if self._rest[self._at] != ":":
            return self._break()
        self._at, self._step = self._at + 1, self._value
        return True

    def _value(self) -> bool:
        if not self._skip(_SPACE):
            return False
        self._pieces = []
        match self._rest[self._at]:
            case '"':
                self._at, self._step = self._at + 1, self._string
            case "{" | "[":
                self._depth, self._in_string, self._step = 0, False, self._nested
            case _:
                self._step = self._scalar
        return True

    def _string(self) -> bool:
        run = _PLAIN.match(self._rest, self._at)
        if run is not None:
            self._at = run.end()
            self._grow(run.group())
            return True
        if self._rest[self._at] == '"':
            self._at += 1
            return self._keep("".join(self._pieces))
        return self._escape()

    def _escape(self) -> bool:
        written = self._rest[self._at : self._at + 6]
        if len(written) < 2:
            return False
        if written[1] != "u":
            self._at += 2
            self._grow(_ESCAPES.get(written[1], written[:2]))
            return True
        if len(written) < 6:
            if '"' in written or "\\" in written[1:]:
                self._at += 2
                self._grow(written[:2])
                return True
            return False
        if not _HEX.fullmatch(written, 2):
            self._at += 2
            self._grow(written[:2])
            return True
        code = int(written[2:], 16)
        if 0xD800 <= code < 0xDC00:
            return self._surrogates(code)
        self._at += 6
        self._grow(_REPLACEMENT if 0xDC00 <= code < 0xE000 else chr(code))
        return True

    def _surrogates(self, high: int) -> bool:
        second = self._rest[self._at + 6 : self._at + 12]
        if len(second) < 6 and _may_be_escape(second):
            return False
        low = int(second[2:], 16) if second[:2] == "\\u" and _HEX.fullmatch(second, 2) else 0
        if 0xDC00 <= low < 0xE000:
            self._at += 12
            self._grow(chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)))
        else:
            self._at += 6
            self._grow(_REPLACEMENT)
        return True

    def _scalar(self) -> bool:
        value = _SCALAR.match(self._rest, self._at)
        if value is None:
            endless = len(self._rest) - self._at > MAX_SCALAR_LENGTH
            return self._break() if endless or self._rest[self._at] in ",}]" else False
        self._at = value.end()
        try:
            return self._keep(json.loads(value.group()))
        except ValueError:
            return self._break()

    def _nested(self) -> bool:
        mark = _STRUCTURE.search(self._rest, self._at)
        if mark is None:
            self._take(len(self._rest))
            return False
        if mark.group() == "\\":
            if mark.end() == len(self._rest):
                self._take(mark.start())
                return False
            self._take(mark.end() + 1)
            return True
        self._take(mark.end())
        if mark.group() == '"':
            self._in_string = not self._in_string
        elif not self._in_string:
            self._depth += 1 if mark.group() in "{[" else -1
            if self._depth == 0:
                return self._close()
        return True

    def _close(self) -> bool:
        try:
            value = whole_characters(json.loads("".join(self._pieces), strict=False))
        except (ValueError, RecursionError):
            return self._break()
        return self._keep(value)

    def _take(self, end: int) -> None:
        self._pieces.append(self._rest[self._at : end])
        self._at = end

    def _grow(self, text: str) -> None:
        self._pieces.append(text)
        if self._grown and self._grown[-1][0] == self._key:
            self._grown[-1] = (self._key, self._grown[-1][1] + text)
        else:
            self._grown.append((self._key, text))

    def _keep(self, value: Any) -> bool:
        self.fields[self._key] = value
        self._step = self._key_or_end
        return True

    def _break(self) -> bool:
        self.state, self._step = "broken", None
        return True

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        """Skips spaces and stray commas; False where nothing is left."""
        space = pattern.match(self._rest, self._at)
        self._at = space.end() if space else self._at
        return self._at < len(self._rest)


def whole_characters(value: Any) -> Any:
    """The same value with every lone surrogate replaced, so that it can be stored and sent."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {whole_characters(k): whole_characters(v) for k, v in value.items()}
        case list():
            return [whole_characters(item) for item in value]
        case _:
            return value


def _whole(quoted: str) -> str:
    try:
        return str(whole_characters(json.loads(quoted, strict=False)))
    except ValueError:
        return quoted[1:-1]


def _may_be_escape(text: str) -> bool:
    """Whether more text could still make a `\\uXXXX` of this."""
    return "\\u".startswith(text[:2]) and all(c in "0123456789abcdefABCDEF" for c in text[2:])
