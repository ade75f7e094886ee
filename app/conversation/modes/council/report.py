"""The judge's report: where the answers agree, where they contradict each other, what only one says and
what none does; each point with the words it stands on, which are looked up in the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.conversation.modes.council.blind import find_quote, letter_in
from app.conversation.structured import Structure
from app.core.requests import JsonSchema

MAX_POINTS = 12
"""Of one kind."""
MAX_CHARACTERS = 600
"""Of a point or a quotation."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a member said, word for word."""

    member: int
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """A point of several members, or of one, and the words it stands on."""

    point: str
    members: tuple[int, ...]
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """What one member holds in a contradiction."""

    member: int
    claim: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where members contradict each other."""

    point: str
    sides: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What the judge found. Members are numbers, from 1."""

    consensus: tuple[Point, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    partial: tuple[Point, ...] = ()
    unique: tuple[Point, ...] = ()
    blind_spots: tuple[str, ...] = ()
    dropped: int = 0
    """Quotations that stand in nobody's answer."""


_TEXT = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def report_of(answers: Mapping[str, tuple[int, str]]) -> Structure[Report]:
    """The form of a report on answers by letter (a member's number and its words)."""
    letters = list(answers)
    member = {"type": "string", "enum": letters}
    quotes = _list(_object(member=member, quote=_TEXT))
    schema = _object(
        consensus=_list(_object(point=_TEXT, quotes=quotes)),
        contradictions=_list(
            _object(point=_TEXT, sides=_list(_object(member=member, claim=_TEXT, quote=_TEXT)))
        ),
        partial=_list(_object(point=_TEXT, members=_list(member), quotes=quotes)),
        unique=_list(_object(member=member, point=_TEXT, quote=_TEXT)),
        blind_spots=_list(_TEXT),
    )
    example = (
        '{"consensus": [{"point": "…", "quotes": [{"member": "A", "quote": "…"}]}], '
        '"contradictions": [{"point": "…", "sides": [{"member": "A", "claim": "…", "quote": "…"}]}], '
        '"partial": [{"point": "…", "members": ["A"], "quotes": [{"member": "A", "quote": "…"}]}], '
        '"unique": [{"member": "B", "point": "…", "quote": "…"}], "blind_spots": ["…"]}'
    )
    return Structure(
        JsonSchema("report", schema), example, lambda value: _Reader(answers).read(value)
    )


class _Reader:
    """Reads one report: what is odd in it is left out, not the whole."""

    def __init__(self, answers: Mapping[str, tuple[int, str]]) -> None:
        self._answers = answers
        self._letters: Sequence[str] = list(answers)
        self._dropped = 0

    def read(self, value: Mapping[str, Any]) -> Report:
        """Raises ValueError where it is no report at all."""
        kinds = ("consensus", "contradictions", "partial", "unique", "blind_spots")
        if not any(isinstance(value.get(kind), list) for kind in kinds):
            raise ValueError(f"none of {', '.join(kinds)} is there")
        consensus = self._points(value, "consensus")
        contradictions = tuple(
            filter(None, map(self._contradiction, _items(value, "contradictions")))
        )
        partial = self._points(value, "partial")
        unique = tuple(filter(None, map(self._alone, _items(value, "unique"))))
        spots = tuple(filter(None, map(_words, _items(value, "blind_spots"))))
        return Report(consensus, contradictions, partial, unique, spots, self._dropped)

    def _points(self, value: Mapping[str, Any], kind: str) -> tuple[Point, ...]:
        found = []
        for item in _items(value, kind):
            fields = item if isinstance(item, dict) else {"point": item}
            if point := _words(fields.get("point")):
                quotes = self._quotes(fields.get("quotes"))
                named = [self._member(one) for one in _items(fields, "members")]
                members = {one for one in named if one} | {quote.member for quote in quotes}
                found.append(Point(point, tuple(sorted(members)), quotes))
        return tuple(found)

    def _quotes(self, value: object) -> tuple[Quote, ...]:
        quotes = []
        for item in value if isinstance(value, list) else []:
            if isinstance(item, dict) and (member := self._member(item.get("member"))):
                if text := self._verified(member, item.get("quote")):
                    quotes.append(Quote(member, text))
            elif _words(item):
                self._dropped += 1
        return tuple(quotes)

    def _contradiction(self, item: object) -> Contradiction | None:
        if not isinstance(item, dict) or not (point := _words(item.get("point"))):
            return None
        sides = []
        for side in _items(item, "sides"):
            if isinstance(side, dict) and (member := self._member(side.get("member"))):
                quote = self._verified(member, side.get("quote"))
                if claim := _words(side.get("claim")) or quote:
                    sides.append(Position(member, claim, quote))
        return Contradiction(point, tuple(sides)) if len(sides) > 1 else None

    def _alone(self, item: object) -> Point | None:
        if not isinstance(item, dict) or not (point := _words(item.get("point"))):
            return None
        member = self._member(item.get("member"))
        if member is None:
            return None
        quote = self._verified(member, item.get("quote"))
        return Point(point, (member,), (Quote(member, quote),) if quote else ())

    def _member(self, value: object) -> int | None:
        try:
            return self._answers[letter_in(value, self._letters)][0]
        except ValueError:
            return None

    def _verified(self, member: int, value: object) -> str:
        """The words as they stand in the member's answer; empty, and counted, where they do not."""
        quote = _words(value)
        if not quote:
            return ""
        text = next(words for number, words in self._answers.values() if number == member)
        found = find_quote(quote, text)
        self._dropped += found is None
        return found or ""


def _items(value: Mapping[str, Any], kind: str) -> list[Any]:
    found = value.get(kind)
    return found[:MAX_POINTS] if isinstance(found, list) else []


def _words(value: object) -> str:
    """In one line; a long one ends with a whole word."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if len(text) <= MAX_CHARACTERS:
        return text
    return text[: MAX_CHARACTERS + 1].rpartition(" ")[0] or text[:MAX_CHARACTERS]


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """What a check of the answer found: points of the consensus that are not in it, and what stands in
    it though no member said it."""

    missing: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


def check_of(consensus: Sequence[Point], answer: str) -> Structure[AnswerCheck]:
    """The form of a check; points by their numbers, claims by words that must stand in the answer."""

    def read(value: Mapping[str, Any]) -> AnswerCheck:
        if not any(isinstance(value.get(kind), list) for kind in ("missing", "unsupported")):
            raise ValueError('"missing" and "unsupported" are not there')
        numbers = [int(x) for x in _items(value, "missing") if str(x).strip().isdecimal()]
        missing = [consensus[n - 1].point for n in numbers if 0 < n <= len(consensus)]
        claims = (find_quote(_words(x), answer) for x in _items(value, "unsupported"))
        return AnswerCheck(
            tuple(dict.fromkeys(missing)), tuple(dict.fromkeys(filter(None, claims)))
        )

    schema = _object(missing=_list({"type": "integer"}), unsupported=_list(_TEXT))
    return Structure(JsonSchema("check", schema), '{"missing": [1], "unsupported": ["…"]}', read)
