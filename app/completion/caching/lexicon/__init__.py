"""What the matcher knows of each language: question words, opposites, synonyms, numbers."""

from app.completion.caching.lexicon.english import ENGLISH
from app.completion.caching.lexicon.russian import RUSSIAN
from app.completion.caching.lexicon.shape import Lexicon
from app.completion.caching.lexicon.ukrainian import UKRAINIAN
from app.core.text import Language

LEXICONS: dict[Language, Lexicon] = {"ru": RUSSIAN, "uk": UKRAINIAN, "en": ENGLISH}

__all__ = ["LEXICONS", "Lexicon"]
