"""Streams of JSON as bytes: server-sent events after the WHATWG standard, or a line an object.

JSON holds no raw CR, and 0x0A is part of no other UTF-8 sequence, so nothing here is decoded.
"""

import json
import re

from app.core.errors import MalformedAnswer
from app.core.reading import read_json

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
MAX_EVENT_BYTES = 64 * 2**20
"""Of one event or line, and of an answer that is no stream: no protocol of ours has a larger one."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EVENTS = re.compile(rb"(?:data|event|id|retry)?:|(?:data|event|id|retry)[\r\n]", re.IGNORECASE)
"""How a stream of events begins; anything else that is no JSON is none."""
_MAX_START = 16


def encode(value: object) -> bytes:
    """An event whose data is `value` as JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"


class EventSplitter:
    """Cuts a byte stream, split anywhere, at the ends of its events; line ends come out as LF."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True
        self._looked = False
        """Whether what is kept was looked at for events that only line feeds part."""
        self._by_line = False

    def feed(self, data: bytes) -> bytes:
        """All whole events that are complete by now, in one piece; empty where none is.

        Raises MalformedAnswer for an event of more than MAX_EVENT_BYTES.
        """
        data = self._plain(data)
        found = data.rfind(b"\n\n")
        straddles = self._parts and self._parts[-1].endswith(b"\n") and data.startswith(b"\n")
        if found < 0 and not straddles:
            self._keep(data)
            return self._lines() if b"data:" in data else b""
        cut = found + 2 if found >= 0 else 1
        whole = b"".join((*self._parts, data[:cut])) if self._parts else data[:cut]
        self._parts, self._size, self._looked = [], 0, False
        self._keep(data[cut:])
        return whole

    def _lines(self) -> bytes:
        """Of a server that parts its events by one line feed all but the last, whose end is not known."""
        if self._looked and not self._by_line:
            return b""
        kept = b"".join(self._parts)
        cut = kept.rfind(b"\ndata:") + 1
        self._looked = cut > 0
        self._by_line = self._by_line or (cut > 0 and len(apart(kept)) > 1)
        if not (cut and self._by_line):
            return b""
        self._parts, self._size = [kept[cut:]], len(kept) - cut
        return kept[:cut] + b"\n"

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
            data = data.removeprefix(_BYTE_ORDER_MARK)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data


class LineSplitter:
    """Cuts a byte stream at its line feeds: never at U+0085 or U+2028 inside a text."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their line feeds.

        Raises MalformedAnswer for a line of more than MAX_EVENT_BYTES.
        """
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
            self._size = 0
        if rest:
            self._rest.append(rest)
            self._size += len(rest)
            if self._size > MAX_EVENT_BYTES:
                raise MalformedAnswer(f"a line of more than {MAX_EVENT_BYTES} bytes")
        return lines

    def rest(self) -> bytes:
        """What came after the last line feed."""
        return b"".join(self._rest)


def payload(event: bytes) -> bytes | None:
    """The data of one event (lines end in LF); None where it has none.

    An event named `error` comes out as `{"error": its data}`, one that is named as an end and says nothing
    of an answer as `[DONE]`.
    """
    data: list[bytes] = []
    name = b""
    for line in event.split(b"\n"):
        line = line.lstrip(b" \t\0")
        field = line[:6].lower()
        if field.startswith(b"data:"):
            data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif field == b"event:":
            name = line[6:].strip().lower()
    if not data:
        return _bare_error(event)
    joined = data[0] if len(data) == 1 else b"\n".join(data)
    if name in _FAILURES:
        return _as_error(joined)
    worded = not joined.lstrip().startswith((b"{", b"["))
    if name in _ENDS and (worded or not joined.strip(b" {}[]")):
        return b"[DONE]"
    return None if name in _SIGNS_OF_LIFE and worded else joined


def apart(event: bytes) -> list[bytes]:
    """The events in this one, where each of its lines of data is a value by itself: some servers part them
    by one line feed."""
    if event.count(b"data:") < 2:
        return [event]
    groups: list[list[bytes]] = [[]]
    data: bytes | None = None
    for line in event.split(b"\n"):
        begins = line.startswith(b"data:")
        if data is not None and (begins or line.startswith((b"event:", b"id:"))):
            if not (data.strip().upper() == b"[DONE]" or _is_json(data)):
                return [event]
            groups.append([])
            data = None
        if begins:
            data = line[5:]
        groups[-1].append(line)
    return [b"\n".join(lines) for lines in groups]


_FAILURES = (b"error", b"exception", b"failure")
_ENDS = (b"done", b"end", b"close", b"complete", b"completed", b"finish", b"stop")
_SIGNS_OF_LIFE = (b"ping", b"heartbeat", b"keepalive", b"keep-alive", b"keep_alive")
"""Names of events that say no more than that somebody is there."""


def _bare_error(event: bytes) -> bytes | None:
    """An error that a server wrote among its events as if there were none: `{"error": ...}`."""
    event = event.strip()
    return event if event.startswith(b"{") and b'"error"' in event and _is_json(event) else None


def payloads(block: bytes) -> list[bytes]:
    """The data of each of these whole events; comments and events without data are passed over."""
    found = []
    for event in block.split(b"\n\n"):
        if event.startswith(b"data:") and b"\n" not in event:
            data = event[6:] if event.startswith(b"data: ") else event[5:]
            if data:
                found.append(data)
            continue
        found += filter(None, map(payload, apart(event)))
    return found


def _as_error(data: bytes) -> bytes:
    try:
        said = read_json(data)
    except ValueError:
        said = data.decode("utf-8", "replace")
    return json.dumps({"error": said}).encode()


class StreamReader:
    """The JSON values of an answer, whatever form they come in: events, a line a value, or one value
    over all of it. Its first bytes tell which; the content type often errs.

    Read it by `payloads`, or by `events` where it is to be passed on as events.
    """

    def __init__(self) -> None:
        self._start = b""
        self._events: EventSplitter | None = None
        self._lines: LineSplitter | None = None
        self._lines_proven = False
        self._whole: list[bytes] = []
        self._is_whole = False
        self._size = 0

    @property
    def is_events(self) -> bool:
        """Events have come, not JSON alone."""
        return self._events is not None

    def payloads(self, piece: bytes) -> list[bytes]:
        """The values that `piece` completes, as JSON."""
        if self._events is not None:
            return payloads(self._events.feed(piece))
        if self._lines is not None and self._lines_proven:
            return self._lines.feed(piece)
        if not self._decided(piece):
            return []
        if self.is_events:
            return self.payloads(self._taken())
        return self._values()

    def events(self, piece: bytes) -> bytes:
        """The same as whole events in one piece."""
        if self._events is not None:
            return self._events.feed(piece)
        if self._lines is not None and self._lines_proven:
            return b"".join(map(_event, self._lines.feed(piece)))
        if not self._decided(piece):
            return b""
        if self.is_events:
            return self.events(self._taken())
        return b"".join(map(_event, self._values()))

    def rest(self) -> list[bytes]:
        """A last value whose end never came: servers leave out the last blank line."""
        if self._events is not None:
            return payloads(_worded(self._events.rest()))
        if self._is_whole:
            return _values_of(b"".join(self._whole))
        left = self._lines.rest() if self._lines is not None else self._start
        return [left] if left.strip() else []

    def rest_events(self) -> bytes:
        """The same as events."""
        if self._events is not None:
            left = _worded(self._events.rest())
            return left + b"\n\n" if left.strip() else b""
        return b"".join(map(_event, self.rest()))

    def _decided(self, piece: bytes) -> bool:
        """Whether the form is known once this has come; what it was told by waits in `_start`."""
        if self._lines is not None or self._is_whole:
            self._start = piece
            return True
        start = (self._start + piece).removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n\0")
        self._start = start
        if start.startswith(b"{"):
            self._lines = LineSplitter()
        elif _EVENTS.match(start):
            self._events = EventSplitter()
        elif start.startswith(b"[") or len(start) > _MAX_START:
            self._is_whole = True
        else:
            return False
        return True

    def _taken(self) -> bytes:
        start, self._start = self._start, b""
        return start

    def _values(self) -> list[bytes]:
        """The lines, once the first of them is a value by itself; else all of it is one value."""
        piece = self._taken()
        if self._lines is not None:
            lines = self._lines.feed(piece)
            if not lines:
                return []
            if _is_json(lines[0]):
                self._lines_proven = True
                return lines
            piece = b"\n".join((*lines, self._lines.rest()))
            self._lines, self._is_whole = None, True
        self._whole.append(piece)
        self._size += len(piece)
        if self._size > MAX_EVENT_BYTES:
            raise MalformedAnswer(f"an answer of more than {MAX_EVENT_BYTES} bytes")
        return []


_MIN_BYTES = 8
"""Bytes: fewer may be the beginning of one more event."""


def _worded(rest: bytes) -> bytes:
    """What came last, as an event: bare words, the last of a server or of a proxy that gave up, are an
    error."""
    text = rest.strip(b" \r\n\0")
    if len(text) < _MIN_BYTES or text[:1] in b"<{[" or _EVENTS.match(text):
        return rest
    return b"data: " + _as_error(text)


def _values_of(data: bytes) -> list[bytes]:
    """A value over several lines; of a list of objects (a stream in one piece) each."""
    if not data.strip():
        return []
    if data.lstrip().startswith(b"["):
        try:
            listed = read_json(data)
        except ValueError:
            return [data]
        if len(listed) > 1 and all(isinstance(each, dict) for each in listed):
            return [json.dumps(each).encode() for each in listed]
    return [data]


def _is_json(data: bytes) -> bool:
    try:
        read_json(data)
    except ValueError:
        return False
    return True


def _event(value: bytes) -> bytes:
    """A JSON value, which may go over several lines, as an event; nothing for a blank line."""
    value = value.strip().replace(b"\n", b" ").replace(b"\r", b" ")
    return b"data: " + value + b"\n\n" if value else b""
