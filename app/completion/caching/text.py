"""The exact form of a question, and the language it is in."""

import re
import unicodedata
from functools import lru_cache

import simplemma

from app.completion.caching.lexicon import LEXICONS
from app.core.text import Language

_CODE = re.compile(r"[`{}\[\]<>=\\|^~$]|\w\(|::|->|\d\s*[+*/÷×-]\s*[\d(]|^\s*[#/]", re.MULTILINE)
"""Where folding case or punctuation could change the meaning: code, formulas, markup."""
_EDGES = re.compile(r"(?<!\w)[-'.,:](?!\d)|(?<=\w)[-'.,:](?!\w)|[;!?…\"«»“”„()]|(?<=\s)[–—](?=\s)")
_SUPERSCRIPTS = str.maketrans({raised: f"^{unicodedata.digit(raised)}" for raised in "⁰¹²³⁴⁵⁶⁷⁸⁹"})
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ`´‘ʹ", "'"))
_CYRILLIC = re.compile(r"[а-яёіїєґ']*[а-яёіїєґ][а-яёіїєґ']*", re.IGNORECASE)
_LATIN = re.compile(r"[a-z']*[a-z][a-z']*", re.IGNORECASE)
KNOWN_SHARE = 0.6
"""Of a question's words, the least that must be of a language for it to be in that language."""


def normalise(text: str) -> str:
    """The exact form: NFKC, casefold, spaces and punctuation folded; digits and code kept.

    Text that holds code or a formula keeps every character but the spaces around it.
    """
    if _CODE.search(text):
        return unicodedata.normalize("NFC", text).strip()
    return " ".join(_EDGES.sub(" ", folded(text).casefold()).split())


def folded(text: str) -> str:
    """NFKC with exponents kept apart from digits, one apostrophe, `ё` as `е`; case stays."""
    text = unicodedata.normalize("NFKC", text.translate(_SUPERSCRIPTS)).translate(_APOSTROPHES)
    return text.replace("ё", "е").replace("Ё", "Е")


@lru_cache(maxsize=200_000)
def lemma(word: str, language: Language) -> str:
    """The dictionary form. Names come back capitalised where the dictionary knows them."""
    return str(simplemma.lemmatize(word, lang=language, low_memory=True)).replace("ё", "е")


@lru_cache(maxsize=200_000)
def is_known(word: str, language: Language) -> bool:
    """Whether the dictionary has that form."""
    return bool(simplemma.is_known(word, lang=language, low_memory=True))


_read: set[Language] = set()


def ready(text: str) -> bool:
    """Whether the dictionaries for the text are in memory."""
    return _needed(text) <= _read


def read_dictionaries(text: str) -> None:
    """Reads them: 0.1 to 0.6 s of work and 3 to 20 MB of memory for each language."""
    for language in _needed(text) - _read:
        simplemma.lemmatize("a", lang=language, low_memory=True)
        _read.add(language)


def _needed(text: str) -> set[Language]:
    text = text.casefold()
    if not _CYRILLIC.search(text):
        return {"en"}
    if re.search("[іїєґ]", text):
        return {"uk"}
    return {"ru"} if re.search("[ыэъё]", text) else {"ru", "uk"}


@lru_cache(maxsize=4096)
def question_language(text: str) -> Language | None:
    """Which of our languages a question is in; None where it is none of them, or unclear."""
    text = folded(text).casefold()
    cyrillic = _CYRILLIC.findall(text)
    if not cyrillic:
        latin = _LATIN.findall(text)
        english = not LEXICONS["en"].functional.isdisjoint(latin) and _belongs(latin, "en")
        return "en" if english else None
    if re.search("[іїєґ]", text):
        return "uk" if _belongs(cyrillic, "uk") else None
    if re.search("[ыэъ]", text):
        return "ru" if _belongs(cyrillic, "ru") else None
    russian, ukrainian = _known(cyrillic, "ru"), _known(cyrillic, "uk")
    if russian == ukrainian:
        return None
    best: Language = "uk" if ukrainian > russian else "ru"
    return best if _belongs(cyrillic, best) else None


def _belongs(words: list[str], language: Language) -> bool:
    functional = LEXICONS[language].functional
    most = sum(3 if word in functional else 1 for word in words)
    return bool(words) and _known(words, language) >= KNOWN_SHARE * most


def _known(words: list[str], language: Language) -> int:
    """How many words are of the language; a function word counts as three."""
    functional = LEXICONS[language].functional
    return sum(3 if word in functional else int(is_known(word, language)) for word in words)
