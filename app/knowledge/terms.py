"""The words of a text as search and citations compare them: dictionary forms, and numbers by their value."""

import re
from collections.abc import Sequence
from functools import lru_cache

from app.completion.caching.vocabulary import CLASSES
from app.completion.caching.words import folded, is_known, lemma
from app.core.knowledge import Term

_NUMBER = r"\d{1,3}(?:[\u00a0\u202f\u2009 ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*"
_TOKEN = re.compile(rf"({_NUMBER})|[^\W\d_]+(?:'[^\W\d_]+)*")
_SPACES = re.compile(r"[\u00a0\u202f\u2009 ]")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?")
_RUSSIAN, _UKRAINIAN = frozenset("ыэъ"), frozenset("іїєґ")
_STEM_FROM = 6
"""Letters of a word that no dictionary has, from which its last two may be an ending."""
_QUERY_ONLY = frozenset(
    name
    for classes in CLASSES.values()
    for name in classes
    if name.startswith("ask") or name in ("small", "idle", "me", "you", "he", "she", "we", "they")
) | {"in", "to", "from", "with", "for", "or", "tell", "can", "if", "than"}


def tokens(text: str) -> list[str]:
    """Words in lower case without apostrophes, and numbers in one spelling: `1 234,50` is `1234.5`."""
    return [
        number_value(found[0]) if found[1] else found[0].replace("'", "").casefold()
        for found in _TOKEN.finditer(folded(text))
    ]


def numbers(text: str) -> list[str]:
    """Only the numbers."""
    return [number_value(found[0]) for found in _TOKEN.finditer(folded(text)) if found[1]]


@lru_cache(maxsize=20_000)
def number_value(written: str) -> str:
    """A number in one spelling, whatever separates its thousands and its fraction; dates and versions
    keep their points."""
    plain = _SPACES.sub("", written)
    if _THOUSANDS.fullmatch(plain):
        marks = [one for one in plain if one in ",."]
        fraction = marks[-1] if len(marks) == 1 or len(set(marks)) > 1 else ""
        whole, _, rest = plain.rpartition(fraction) if fraction else (plain, "", "")
        plain = re.sub("[,.]", "", whole) + (f".{rest}" if rest else "")
    elif plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    else:
        plain = plain.replace(",", ".")
    if plain.count(".") == 1:
        plain = plain.rstrip("0").rstrip(".")
    return plain.lstrip("0") or "0" if plain.isdigit() else plain


def language_of(text: str, otherwise: str = "ru") -> str:
    """`ru`, `uk` or `en`, by the letters that only one of them has."""
    letters = text.casefold()
    ukrainian = sum(letters.count(one) for one in _UKRAINIAN)
    russian = sum(letters.count(one) for one in _RUSSIAN)
    if ukrainian != russian:
        return "uk" if ukrainian > russian else "ru"
    return otherwise


def languages_of(text: str) -> frozenset[str]:
    """The languages that a text may be in, by its letters: of Cyrillic ones `ru` and `uk`, unless some stand in
    one of the two alone; of none at all, any."""
    letters = text.casefold()
    latin = sum("a" <= one <= "z" for one in letters)
    cyrillic = sum("а" <= one <= "ґ" for one in letters)
    if not (latin or cyrillic):
        return frozenset(["ru", "uk", "en"])
    if latin > cyrillic:
        return frozenset(["en"])
    known = language_of(text, otherwise="")
    return frozenset([known] if known else ["ru", "uk"])


def in_dictionary_form(word: str, language: str) -> str:
    """`word` as tokens give it; a number stays as it is."""
    if word[0].isdigit():
        return word
    form = lemma(word, "en" if word.isascii() else language)
    return form.replace("'", "")


def terms_of(text: str, language: str) -> str:
    """What is indexed of a passage."""
    return " ".join(in_dictionary_form(word, language) for word in tokens(text))


def query_terms(text: str) -> tuple[Term, ...]:
    """The words of a question that say something, each once; all of them where none does."""
    found: dict[str, Term] = {}
    words = tokens(text)
    telling = [word for word in words if is_telling(word)]
    for word in telling or words:
        if word[0].isdigit():
            found[word] = Term((word,))
            continue
        languages = ("en",) if word.isascii() else ("ru", "uk")
        forms = tuple(dict.fromkeys((*(in_dictionary_form(word, one) for one in languages), word)))
        unknown = not any(is_known(word, one) for one in languages)
        stem = word[:-2] if unknown and len(word) >= _STEM_FROM else ""
        found.setdefault(forms[0], Term(forms, stem))
    return tuple(found.values())


@lru_cache(maxsize=20_000)
def forms_of(word: str) -> frozenset[str]:
    """The word and its dictionary forms, in each language that it may be of."""
    languages = ("en",) if word.isascii() else ("ru", "uk")
    return frozenset((word, *(in_dictionary_form(word, one) for one in languages)))


def classes_of(word: str) -> Sequence[str]:
    """The closed classes of words that it belongs to, as tokens give it: `doesnt`."""
    return CLASSES.get(word, CLASSES.get(f"{word[:-1]}'t", ()) if word.endswith("nt") else ())


def is_telling(word: str) -> bool:
    """Whether a word says what a text is about: no article, no preposition, no word of asking."""
    return not any(name in _QUERY_ONLY for name in classes_of(word))
