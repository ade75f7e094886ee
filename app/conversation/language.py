"""Which of our languages a text is in, by its letters and commonest words."""

import re

from app.core.text import Language

LOOKED_AT = 5000
"""Characters by which a text's language is told."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)*")
_UKRAINIAN = set("іїєґ")
_RUSSIAN = set("ыэъё")
# Common words that the other of the two languages does not have.
_UK = "що це та або чи треба але також від буде де коли чому які який про щоб"
_RU = "что это и или но от будет где когда почему какие какой есть надо нужно чтобы"
_UKRAINIAN_WORDS = frozenset(_UK.split())
_RUSSIAN_WORDS = frozenset(_RU.split())


_YES = frozenset({"да", "так", "yes", "верно", "правда", "true", "вірно"})
_NO = frozenset({"нет", "ні", "no", "неверно", "неправда", "false", "невірно"})


def yes_or_no(text: str) -> bool | None:
    """What an answer's first word says; None where it is neither yes nor no."""
    first = "".join(words_of(text)[:1])
    return True if first in _YES else False if first in _NO else None


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, code and addresses left out."""
    return [word.lower() for word in _WORD.findall(_CODE.sub(" ", text))]


def language_of_text(text: str, default: Language = "en") -> Language:
    """The language of `text`; `default` where its letters do not tell."""
    words = words_of(text[:LOOKED_AT])
    letters = "".join(words)
    cyrillic = sum("\u0400" <= letter <= "\u04ff" for letter in letters)
    latin = sum(letter.isascii() for letter in letters)
    if not letters or (not cyrillic and not latin):
        return default
    if cyrillic * 2 < latin:  # names and terms in Latin letters do not make a text English
        return "en"
    ukrainian = sum(letter in _UKRAINIAN for letter in letters)
    russian = sum(letter in _RUSSIAN for letter in letters)
    if not ukrainian and not russian:
        ukrainian = sum(word in _UKRAINIAN_WORDS for word in words)
        russian = sum(word in _RUSSIAN_WORDS for word in words)
    if ukrainian == russian:
        return "uk" if default == "uk" else "ru"
    return "uk" if ukrainian > russian else "ru"
