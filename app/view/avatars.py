"""The picture beside an author's name: its model family's, the council's, or a coloured initial."""

import re
from xml.sax.saxutils import escape
from zlib import crc32

from app.conversation.steps import colour_of
from app.settings import PAGE

AVATARS = PAGE / "public" / "avatars"

_FAMILIES = {
    "gpt-oss": r"gpt",
    "deepseek": r"deepseek",
    "qwen": r"qwen|qwq",
    "gemma": r"(?:code|shield|pali)?gemma",
    "llama": r"(?:code|tiny)?llama",
    "mistral": r"(?:mi|codes|mag|dev)stral|mixtral|ministral|pixtral",
    "yandex": r"yandex(?:gpt)?|aliceai",
    "phi": r"phi",
}
_FAMILY = re.compile(
    "(?<![a-z])(?:"
    + "|".join(f"(?P<f{index}>{names})" for index, names in enumerate(_FAMILIES.values()))
    + ")(?![a-z])"
)
_OURS = {
    "konsilium": (
        *("", "default", "konsilium", "council", "консилиум", "консиліум"),
        *("coordinator", "координатор"),
        *("ranking", "оценка", "оцінка", "report", "отчёт", "звіт"),
    ),
    "thinking": ("thinking", "размышления", "роздуми"),
}
_COUNCIL = {name: file for file, names in _OURS.items() for name in names}
"""What our own steps are called, and their pictures."""
_MODEL = re.compile(r"[/:]|(?<![a-z0-9])\d+(?:\.\d+)?b(?![a-z])")
"""What names of models have and names of people have not: a server, a tag, a size."""

COLOURS = (
    "#1c6b62", "#9a4a22", "#3f5aa6", "#8a3a63", "#55702a", "#6b4a9e", "#8c5a14", "#2c6a8c",
)  # fmt: skip
"""Backgrounds of initials; white reads on each (WCAG AA)."""


def avatar_svg(name: str, number: int | None = None) -> str:
    """The SVG for an author: a model (`gemma2:2b`), the council, a specialist or a participant.

    The same name has the same picture always and everywhere; those who speak beside one another have
    a `number`, from 0, and with it the colour of their step.
    """
    plain = name.strip().casefold()
    if plain in _COUNCIL:
        return _file(_COUNCIL[plain])
    if found := _FAMILY.search(plain):
        return _file(list(_FAMILIES)[int(str(found.lastgroup)[1:])])
    if _MODEL.search(plain):
        return _file("model")
    return _initial(name, number)


def avatar_name(name: str, number: int | None = None) -> str:
    """`name` fit for Chainlit's avatar address, which is built without quoting; what follows it tells
    the colour of that `number`."""
    plain = re.sub(r"[?#%\\\x00-\x1f]", "-", name)
    return plain if number is None else f"{plain}?number={number}"


def _file(name: str) -> str:
    return (AVATARS / f"{name}.svg").read_text(encoding="utf-8")


def _initial(name: str, number: int | None) -> str:
    chance = crc32(name.strip().casefold().encode())
    colour = COLOURS[chance % len(COLOURS)] if number is None else colour_of(number)
    letter = _numbered(name) or next((c for c in name if c.isalnum()), "•").upper()[:1]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<circle cx="32" cy="32" r="32" fill="{colour}"/>'
        '<text x="32" y="43.5" text-anchor="middle" font-size="33" font-weight="600" fill="#fff" '
        f'font-family="system-ui, Segoe UI, Roboto, Noto Sans, sans-serif">{escape(letter)}</text>'
        "</svg>"
    )


def _numbered(name: str) -> str | None:
    """The number of "Candidate 2" and the like, which tells more than its letter."""
    found = re.search(r"\s(\d)$", name.strip())
    return found[1] if found else None
