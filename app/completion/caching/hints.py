"""What this process remembers of the entries it kept or found: a guess in microseconds.

A right guess lets a turn wait the few milliseconds until the entry is read, instead of asking the
model meanwhile. A wrong one costs nothing but that: the database alone decides.
"""

from collections import OrderedDict

MOST = 200_000
"""Marks remembered, about 20 MB; the longest unused go first."""


class Hints:
    """Marks of entries: their keys and gists, in their scopes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._marks: OrderedDict[int, None] = OrderedDict()

    def note(self, scope: str, *marks: str) -> None:
        """An entry with these marks was there a moment ago."""
        for place in (hash(scope), *(hash((scope, mark)) for mark in marks)):
            self._marks[place] = None
        while len(self._marks) > self._most:
            self._marks.popitem(last=False)

    def drop(self, scope: str, mark: str) -> None:
        """It is not there any more."""
        self._marks.pop(hash((scope, mark)), None)

    def __contains__(self, seen: str | tuple[str, str]) -> bool:
        """Whether anything in a scope, or a mark in it, was seen."""
        place = hash(seen)
        if place in self._marks:
            self._marks.move_to_end(place)
            return True
        return False
