"""Bytes into lines, split only at the line feed: never at U+0085 or U+2028 inside a text."""

MAX_LINE_BYTES = 64 * 2**20


class LineTooLong(ValueError):
    """A line beyond MAX_LINE_BYTES: no protocol of ours has one."""


class Lines:
    """Collects bytes that arrive in any pieces; 0x0A is never inside a UTF-8 sequence."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their line feeds."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest.clear()
            self._size = 0
        if rest:
            self._rest.append(rest)
            self._size += len(rest)
            if self._size > MAX_LINE_BYTES:
                raise LineTooLong(f"a line of more than {MAX_LINE_BYTES} bytes")
        return lines

    def rest(self) -> bytes:
        """What came after the last line feed."""
        return b"".join(self._rest)
