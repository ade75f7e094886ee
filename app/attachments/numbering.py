"""The numbers of a DOCX's paragraphs ("3.2."), which Word counts as it draws them and no text of the file holds."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PLACE = re.compile(r"%([1-9])")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
MAX_FIGURE = 4000
"""Beyond it a number is written in figures, whatever its list asks for."""


class _Level(NamedTuple):
    form: str
    """How it counts: decimal, lowerLetter, bullet…"""
    text: str
    """`%1.%2.`: what stands before the paragraph, with places for its number and those of the levels above."""
    start: int
    style: str | None
    """The style whose paragraphs are of this level."""


class Numbering:
    """Counts the paragraphs of one document, in their order. `root`: its part `numbering.xml`; None: it has none."""

    def __init__(self, root: Any) -> None:
        self._lists: dict[str, str] = {}
        """What each list is an instance of."""
        self._levels: dict[str, dict[int, _Level]] = {}
        self._restarts: dict[tuple[str, int], int] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._places: dict[str | None, tuple[str | None, int]] = {}
        """The list and the level of each style."""
        for kind in root if root is not None else ():
            if kind.tag == f"{_W}abstractNum":
                self._levels[kind.get(f"{_W}abstractNumId")] = dict(_levels(kind))
            elif kind.tag == f"{_W}num":
                name = kind.get(f"{_W}numId")
                self._lists[name] = _value(kind, "abstractNumId") or ""
                for changed in kind.iter(f"{_W}lvlOverride"):
                    if start := _value(changed, "startOverride"):
                        self._restarts[name, int(changed.get(f"{_W}ilvl"))] = int(start)

    def before(self, paragraph: Any) -> str:
        """What stands before that paragraph, a bullet as `-`; empty where nothing does."""
        name, depth = self._place(paragraph)
        kind = self._lists.get(name or "")
        level = self._levels.get(kind or "", {}).get(depth)
        if kind is None or level is None:
            return ""
        counts = self._counts.setdefault(kind, {})
        if restart := self._restarts.pop((name or "", depth), None):
            counts[depth] = restart - 1
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]
        if level.form in ("bullet", "none"):
            return "-" if level.form == "bullet" else ""
        levels = self._levels[kind]

        def number(place: re.Match[str]) -> str:
            at = int(place[1]) - 1
            known = levels.get(at, level)
            return _written(counts.get(at, known.start), known.form)

        return _PLACE.sub(number, level.text).strip()

    def _place(self, paragraph: Any) -> tuple[str | None, int]:
        """The list that a paragraph, or else its style, is in, and the level there."""
        element = paragraph.paragraph_format.element
        if (asked := element.find(f"{_W}pPr/{_W}numPr")) is not None:
            return _value(asked, "numId"), int(_value(asked, "ilvl") or 0)
        named = element.find(f"{_W}pPr/{_W}pStyle")
        key = None if named is None else named.get(f"{_W}val")
        if key not in self._places:
            self._places[key] = self._place_of(paragraph.style)
        return self._places[key]

    def _place_of(self, style: Any) -> tuple[str | None, int]:
        """The same of a style, or else of the one that it is based on, and so on: in a circle, too."""
        seen = set()
        while style is not None and style.style_id not in seen:
            seen.add(style.style_id)
            asked = style.element.find(f"{_W}pPr/{_W}numPr")
            if asked is not None:
                name, depth = _value(asked, "numId"), _value(asked, "ilvl")
                if depth is not None:
                    return name, int(depth)
                levels = self._levels.get(self._lists.get(name or "", ""), {})
                same = (at for at, one in levels.items() if one.style == style.style_id)
                return name, next(same, 0)
            style = style.base_style
        return None, 0


def _levels(kind: Any) -> Iterator[tuple[int, _Level]]:
    for level in kind.iterchildren(f"{_W}lvl"):
        facts = [_value(level, name) for name in ("numFmt", "lvlText", "start", "pStyle")]
        form, text, start, style = facts
        yield (
            int(level.get(f"{_W}ilvl")),
            _Level(form or "decimal", text or "", int(start or 0), style),
        )


def _value(element: Any, name: str) -> str | None:
    found = element.find(f"{_W}{name}")
    return None if found is None else str(found.get(f"{_W}val"))


def _written(number: int, form: str) -> str:
    if not 0 < number < MAX_FIGURE:
        return str(number)
    match form:
        case "lowerLetter" | "upperLetter":  # z is followed by aa, bb
            letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        case "lowerRoman" | "upperRoman":
            letters = ""
            for value, sign in _ROMAN:
                letters += sign * (number // value)
                number %= value
        case "decimalZero":
            return f"{number:02}"
        case _:
            return str(number)
    return letters.upper() if form.startswith("upper") else letters
