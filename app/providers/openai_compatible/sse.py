"""Server-sent events out of bytes that arrive in any pieces, after the WHATWG standard."""

from app.providers.lines import Lines

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Gives the data of each event. Comments, names and ids of events are passed over."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._data: list[bytes] = []
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that `piece` completes."""
        if self._after_cr or b"\r" in piece:
            piece = self._with_line_feeds(piece)
        events: list[bytes] = []
        for line in self._lines.feed(piece):
            if line.startswith(BYTE_ORDER_MARK):
                line = line[3:]
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
        return events

    def rest(self) -> list[bytes]:
        """The data of a last event whose blank line never came: servers leave it out."""
        return self.feed(b"\n\n")

    def _with_line_feeds(self, piece: bytes) -> bytes:
        """Lines may end in CR LF, LF or CR, and a piece between CR and LF."""
        if not piece:
            return piece
        start = 1 if self._after_cr and piece.startswith(b"\n") else 0
        self._after_cr = piece.endswith(b"\r")
        return piece[start:].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
