"""What a summary must not lose or invent, found by pattern: numbers, dates, links, names, quotations.

They check a summariser in both directions: what it dropped is put back verbatim, and an entry
with a figure, a link or a name that nobody said is thrown out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.turns import HistoryMessage

_URL = re.compile(r"https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_NUMBER = re.compile(
    r"(?<![\w.,-])\d+(?:[ \u00a0\u202f,.:/-]\d+)*(?:-?[A-Za-zА-Яа-яЇїІіЄєҐґ%]{1,4}\b)?%?"
)
_IDENTIFIER = re.compile(
    r"`[^`\n]{2,60}`"
    r"|\b[A-Za-z]\w{0,60}_\w{1,60}\b"
    r"|\b[a-z]{1,30}(?:[A-Z][a-z0-9]{1,30}){1,8}\b"
    r"|\b[A-Z]{2,}+[A-Z0-9]*+-\d+\b"
    r"|(?<![\w/])(?:/[\w.-]{1,60}){2,12}"
    r"|\b\w{1,60}\.(?:py|js|ts|md|json|ya?ml|toml|sql|sh|go|rs|kt|java|txt|csv|env|cfg|ini)\b"
)
_QUOTED = re.compile(r"«[^»\n]{2,120}»|“[^”\n]{2,120}”|\"[^\"\n]{2,120}\"")
_NAME = re.compile(
    r"(?<![.!?…:\n*#>|-])(?<=[\w,;(«\"—–] )[A-ZА-ЯЁЇІЄҐ][\w'’-]+(?: [A-ZА-ЯЁЇІЄҐ][\w'’-]+)*"
)
_STARTS = (
    r"(?:^|[,.;:!?(—–-]\s*|\b(?:и|а|но|та|і|й|але|or|and|but|please|пожалуйста|будь ласка|прошу|только|лишь|больше|"
    r"більше|никогда|ніколи|вообще|взагалі|тут|там|мне|мені|ты|ти|just|also)\s+)"
)
PROHIBITION = re.compile(
    rf"{_STARTS}не\s+(?!очень\b|пять\b|шесть\b|семь\b|столь\b|весь\b|есть\b|теперь\b|лишь\b|дуже\b|тільки\b)"
    r"\w{2,30}(?:[аяуюеиії]й(?:те|ся|тесь|теся)?|(?<![аеоиыуяюі])и(?:те|сь|тесь|ся)?|іть(?:ся)?|[бвгджзлмнпрстфхчшщ]ь(?:те)?)\b"
    rf"|{_STARTS}(?:no|без)\s+\w"
    r"|\b(?:пиши|отвечай|делай|сделай|давай|обходись|обойдись|відповідай|роби|зроби|write|answer|reply|do)\b[^.!?\n]{0,40}\b(?:без|without|with no)\s"
    r"|\bчтобы?\s+(?:\w+\s+){0,3}?не\s|\bщоб\s+(?:\w+\s+){0,3}?не\s"
    r"|\b(?:ни\s+(?:в\s+коем|при\s+каких|разу|слова|каком\s+случае)|(?:ни|не)\s+(?:смей|вздумай)|никаких|никакого|никакой|"
    r"хватит|прекрати\w*|перестань\w*|жодн(?:их|ого|ої|им)|годі|досить|припини\w*|перестань)\b"
    r"|\b(?:under no circumstances|not ever|no more|stop\s+\w+ing|refrain|leave out|off[- ]limits|not allowed|"
    r"should(?:n['’]t| not)|can(?:not|['’]t)\s+(?:use|do|have|be|mention|say)|quit\s+\w+ing|skip the)\b"
    r"|\b(?:never|do not|don['’]t|dont|must not|mustn['’]t|may not|forbidden|avoid"
    r"|никогда|нельзя|не\s+(?:используй|надо|нужно|предлагай|пиши|трогай|меняй|добавляй|удаляй|делай|упоминай)\w*"
    r"|запре[щт]\w*|избега\w+"
    r"|ніколи|не\s+(?:можна|треба|потрібно|використовуй|пропонуй|пиши|чіпай|змінюй|додавай|видаляй|роби|згадуй)\w*"
    r"|заборон\w*|уника\w+)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|without|\w+n['’]t|не|ни|нет|без|никогда|нельзя|ні|немає|ніколи|жодн\w*|никак\w*)\b",
    re.IGNORECASE,
)
_PASTED = re.compile(
    r"```.*?(?:```|\Z)|^[ \t]*>[^\n]*$|«[^«»\n]{60,}»|“[^“”\n]{60,}”|\"[^\"\n]{60,}\"|^[ \t]*\|[^\n]*$"
    r"|^[ \t]*(?:from|subject|de|от кого|тема|від)\s*:[^\n]*$",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=[^\sa-zа-яёїієґ])|\n+")
_LIST_MARK = re.compile(r"^[ \t]*(?:\d+[.)]|[-–—*•#>|]+)[ \t]+", re.MULTILINE)
_WORD = re.compile(r"\w[\w@%+/.:-]*")
DENSE, DENSE_LOOKED_AT = 24, 20_000
"""Exact values in one message from which it is carried as it is; characters looked at."""
_OWN_WORDS = 2000
"""A user's message up to this length is their own words; a longer one is mostly pasted."""


@dataclass(frozen=True, slots=True)
class Detail:
    """Something exact that was said."""

    value: str
    sentence: str
    """Where it stands: what is put back, since a bare figure means nothing."""
    binding: bool
    """Said by the user in their own words, so that it may not be lost."""
    whole: bool = False
    """A prohibition: the sentence itself is the value."""


def details_of(messages: Iterable[HistoryMessage]) -> tuple[Detail, ...]:
    """The exact details of those messages, in order, each value once."""
    found: dict[tuple[str, ...], Detail] = {}
    for message in messages:
        own = message.role == "user" and len(message.text) <= _OWN_WORDS
        demands = frozenset(sentences(own_words(message.text))) if own else frozenset()
        for sentence in sentences(message.text):
            if sentence in demands and PROHIBITION.search(sentence):
                found.setdefault(words(sentence), Detail(sentence, sentence, True, whole=True))
                continue
            for value in values(sentence):
                if not own and len(value) == 1:
                    continue  # "3 ways to do it" in an answer
                key = words(value)
                known = found.get(key)
                if known is None or (own and not known.binding):
                    found[key] = Detail(value, sentence, own)
    return tuple(found.values())


def is_dense(message: HistoryMessage) -> bool:
    """Whether a user's message is so full of exact things (a table, a timetable, a list of settings)
    that notes could not hold it."""
    return message.role == "user" and len(set(figures(message.text[:DENSE_LOOKED_AT]))) > DENSE


def sentences(text: str) -> list[str]:
    """The sentences of a text, without list marks."""
    parts = _SENTENCE.split(_LIST_MARK.sub("", text))
    return [part.strip() for part in parts if part.strip()]


def figures(text: str) -> list[str]:
    """The numbers, dates, links, addresses and identifiers in a text."""
    found: list[str] = []
    for pattern in (_URL, _EMAIL, _IDENTIFIER, _NUMBER):
        found += (match.group().strip("`") for match in pattern.finditer(text))
        text = pattern.sub(" ", text)
    return found


def names(text: str) -> list[str]:
    """Capitalised words inside a sentence: people, products, places."""
    found = (match.group() for match in _NAME.finditer(text))
    return [name for name in found if len(name) > 3 or not name.isupper()]  # EUR, API


def values(text: str) -> list[str]:
    """All exact details of a text."""
    quoted = [match.group()[1:-1] for match in _QUOTED.finditer(text)]
    rest = _QUOTED.sub(" ", text)
    return [*quoted, *figures(rest), *names(rest)]


def words(text: str) -> tuple[str, ...]:
    """A text as comparable words: case, inflection and the spaces in long numbers folded away."""
    folded = re.sub(r"(?<=\d)[ \u00a0\u202f,](?=\d{3}\b)", "", text.casefold())
    return tuple(_stem(word.rstrip("@+/.:-")) for word in _WORD.findall(folded))


def _stem(word: str) -> str:
    if any(char.isdigit() for char in word) or not word.isalpha() or len(word) < 5:
        return word
    return word[: max(4, len(word) - 2)]


_PLAIN = frozenset(
    words(
        "please never must shall always that this with will пожалуйста никогда нельзя чтобы этого этом"
        " будь ласка ніколи можна щоб цього цьому"
    )
)


def missing(expected: Iterable[Detail], lines: Sequence[str]) -> list[Detail]:
    """What stands in none of the lines. A prohibition is there when its negation and all its key words
    are, in one line."""
    said = [(line, frozenset(words(line))) for line in lines]

    def there(item: Detail) -> bool:
        if item.whole:
            return any(carries(line, item.value) for line, _ in said)
        wanted = set(words(item.value))
        return any(wanted <= found for _, found in said)

    return [item for item in expected if not there(item)]


def carries(line: str, demand: str) -> bool:
    """Whether a line says what a demand says: with its negation, if it has one, and its key words."""
    return negated(line) == negated(demand) and key_words(demand) <= frozenset(words(line))


def negated(text: str) -> bool:
    """Whether it forbids, or denies."""
    return bool(PROHIBITION.search(text) or _NEGATION.search(text))


def key_words(text: str) -> frozenset[str]:
    """The words that carry a sentence: all but short and common ones."""
    return frozenset(
        word for word in words(text) if (len(word) > 3 or not word.isalpha()) and word not in _PLAIN
    )


def own_words(text: str) -> str:
    """A message without what was pasted into it: code, quoted lines, long quotations."""
    return _PASTED.sub(" ", text)


def unfounded(line: str, source: frozenset[str]) -> list[str]:
    """The figures and full names in a line that nobody said; `source` is `vocabulary` of the span."""
    claims = [*figures(line), *(name for name in names(line) if " " in name)]
    return [claim for claim in claims if not set(words(claim)) <= source]


def vocabulary(messages: Iterable[HistoryMessage]) -> frozenset[str]:
    """Every word of those messages, as `words` folds them."""
    return frozenset(word for message in messages for word in words(message.text))
