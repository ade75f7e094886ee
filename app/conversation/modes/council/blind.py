"""Answers as judges are shown them: by letters, without the names of models, and unable to command."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from app.conversation.modes.council.steering import without_steering

LETTERS = "ABCDEF"
MIN_QUOTED = 6
"""Letters and digits that a quotation must have to show anything."""

LONG_QUOTE = 30
"""Characters of a quotation whose last word may be cut."""

_LOOK_ALIKE = str.maketrans("АВСЕ", "ABCE")
"""Cyrillic letters that models write for Latin ones."""
_SENTENCE = re.compile(r"[^.!?…\n]+[.!?…]*\s*|\n+|[.!?…]+\s*")
_MODELS = r"(?:chat ?gpt|gpt-?\d|claude|gemini|llama|qwen|mistral|deepseek|gemma|grok|kimi|yandex ?gpt|gigachat|алис[аоуы])"
_INTRODUCTION = re.compile(
    rf"\b(?:as|being) an? (?:ai\b|artificial|large language|language)|\b(?:i am|i.m) (?:an? |the )?(?:ai\b|artificial|large language|language model|{_MODELS})|"
    rf"\b(?:my name is|this is|answer(?:ed)? (?:by|from)) {_MODELS}\b(?!\s\w)|\bas {_MODELS}\b(?:, | i\b)|"
    r"\b(?:как|являясь|будучи) (?:ии\b|искусственн\w+ интеллект|(?:больш\w+ )?языков\w+ модел|нейросет|модел\w+ от )[^.!?\n]{0,60}"
    r"\b(?:я|мне|меня|мо[йяёи]|не имею|не могу|скажу|отвечу|думаю|считаю)\b|"
    r"\bя(?:,? как|,? будучи| являюсь| всего лишь| —| -| же| лишь| просто)*,? (?:ии\b|искусственн\w+ интеллект|(?:больш\w+ )?языков\w+ модел|нейросет|"
    rf"чат-?бот|{_MODELS})|\b(?:меня зовут|мене звати|(?:ответ|відповідь) (?:от|від)) {_MODELS}|"
    r"\bяк (?:ші\b|штучн\w+ інтелект|(?:велик\w+ )?мовна модель|нейромереж)[^.!?\n]{0,60}\b(?:я|мені|мене|не маю|не можу)\b|"
    rf"\bя(?:,? як| є| —| -| лише| просто)*,? (?:ші\b|штучн\w+ інтелект|(?:велик\w+ )?мовн\w+ модел|нейромереж|чат-?бот|{_MODELS})",
    re.IGNORECASE,
)
"""A model says what it is."""
_MADE = re.compile(
    r"(?:\b(?:trained|created|developed|made|built) by|(?:обуч|созда|разработа|навч|створ|розроб)\w{0,12})(?: компан\w{1,6})? "
    r"(?:openai|anthropic|google|meta\b|alibaba|mistral|deepseek|xai\b|microsoft|яндекс|сбер)",
    re.IGNORECASE,
)
_ITSELF = re.compile(r"\b(?:i|me|я|меня|мене)\b|\ban ai\b", re.IGNORECASE)
_EMPHASIS = re.compile(r"[*_`]")


def neutral(text: str, question: str, names: Iterable[str]) -> str:
    """The answer for its judges: sentences by which a model introduces itself, and those that tell the
    judges what to do, are cut; `names` of models read "…", unless the question speaks of them."""
    said = without_steering(text)[0]
    kept = [one for one in _SENTENCE.findall(said) if not _introduces(one)]
    plain = "".join(kept).strip()
    for name in sorted({*names}, key=len, reverse=True):
        if len(name) > 2 and name.casefold() not in question.casefold():
            plain = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", plain, flags=re.IGNORECASE)
    return plain


def _introduces(sentence: str) -> bool:
    plain = _EMPHASIS.sub("", sentence)
    made = _MADE.search(plain) and _ITSELF.search(plain)
    return bool(made or _INTRODUCTION.search(plain))


def names_of(model: str) -> tuple[str, ...]:
    """What a model may call itself, by its name: `qwen3:8b` -> qwen3:8b, qwen3, qwen."""
    last = model.rpartition("/")[2]
    base = re.split(r"[:@]", last)[0]
    family = re.match(r"[A-Za-z]{4,}", base)
    return tuple(dict.fromkeys((last, base, *((family.group(),) if family else ()))))


def quoted(answers: Sequence[tuple[str, str]], most: int | None = None) -> str:
    """Answers by letter between tags they cannot close; each cut to `most` characters."""
    blocks = []
    for letter, text in answers:
        inert = re.sub(r"<(/?)\s*(answer|question)", r"‹\1\2", text, flags=re.IGNORECASE)
        if most is not None and len(inert) > most:
            inert = inert[:most] + " […]"
        blocks.append(f'<answer letter="{letter}">\n{inert}\n</answer>')
    return "\n\n".join(blocks)


def letter_in(value: object, letters: Sequence[str]) -> str:
    """The letter that a model names, "answer B" and a Cyrillic one too. Raises ValueError."""
    if isinstance(value, dict):
        value = next((value[k] for k in ("letter", "member", "answer") if k in value), "")
    text = str(value).strip().upper().translate(_LOOK_ALIKE)
    found = re.findall(r"(?<![^\W\d_])[A-F](?![^\W\d_])", text)
    if len(found) == 1 and found[0] in letters:
        return str(found[0])
    raise ValueError(f"{str(value)[:40]!r} is none of {', '.join(letters)}")


def find_quote(quote: str, text: str) -> str | None:
    """The words of `text` that `quote` repeats, as they stand there; None where it does not. Space,
    letters' case, kinds of quotation marks and dashes and Markdown's marks make no difference; half a word
    or half a number is another one, but the last word of a long quote may be cut, and is given whole. Of a
    quote with gaps ("… and …") every part must be there, and the longest is given."""
    parts = [_plain(part)[0].strip(' .,;:!?-"') for part in _GAP.split(quote)]
    least = min(MIN_QUOTED, sum(map(str.isalnum, text)) or 1)
    wanted = [part for part in parts if sum(map(str.isalnum, part)) >= least]
    plain, places = _read(text)
    found = [(_whole(part, plain), len(part)) for part in wanted]
    if not found or any(at < 0 for at, _ in found):
        return None
    at, length = max(found, key=lambda one: one[1])
    end = places[at + length - 1] + 1
    while end < len(text) and (
        text[end] in ".!?…" or (text[end].isalpha() and text[end - 1].isalpha())
    ):
        end += 1  # the sentence's own end, or that of a word
    return text[places[at] : end]


_GAP = re.compile(r"\[?(?:\.\.\.|…)\]?")
_BEFORE = re.compile(r"\w\Z|\d[.,]\Z|(?:\A|\s)-\Z")
_AFTER = re.compile(r"\w|[.,]\d")


@lru_cache(maxsize=8)
def _read(text: str) -> tuple[str, list[int]]:
    """`_plain` of an answer, in which many quotes are looked for."""
    return _plain(text)


def _whole(wanted: str, plain: str) -> int:
    """Where the words stand as words and the numbers as numbers, in `plain`; -1 where they do not."""
    at = plain.find(wanted)
    while at >= 0:
        before, after = plain[max(0, at - 2) : at], plain[at + len(wanted) : at + len(wanted) + 2]
        begins, ends = wanted[0], wanted[-1]
        cut_before = begins.isalnum() and _BEFORE.search(before)
        if cut_before and not before[-1].isalnum() and not begins.isdigit():
            cut_before = None  # a stop or a dash before a word is no part of it
        cut_after = ends.isalnum() and _AFTER.match(after)
        if cut_after and not after[0].isalnum() and not ends.isdigit():
            cut_after = None
        if cut_after and ends.isalpha() and len(wanted) >= LONG_QUOTE:
            cut_after = None
        if not cut_before and not cut_after:
            return at
        at = plain.find(wanted, at + 1)
    return -1


_SAME = str.maketrans(
    {
        **dict.fromkeys("«»“”„‟″’‘‚‹›ʼ`´'", '"'),
        **dict.fromkeys("—–−‑‐―", "-"),
        "ё": "е",
    }
)
_MARKS = frozenset("*_#>|")
_LINK = re.compile(r"!?\[([^\[\]\n]{1,200})\]\([^()\s]{1,500}\)")
_CODE_MARK = re.compile(r"(?<![^\W\d_])`+|`+(?![^\W\d_])")


def _plain(text: str) -> tuple[str, list[int]]:
    """The text with what makes no difference made alike, and where each of its characters stood."""
    left_out = {place for mark in _CODE_MARK.finditer(text) for place in range(*mark.span())}
    for link in _LINK.finditer(text):
        left_out |= {*range(link.start(), link.start(1)), *range(link.end(1), link.end())}
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if place in left_out or character in _MARKS or unicodedata.category(character) == "Cf":
            continue
        if plain and unicodedata.combining(character):
            joined = unicodedata.normalize("NFC", plain[-1] + character)
            if len(joined) == 1:
                plain[-1] = joined.translate(_SAME)
                continue
        same = " " if character.isspace() else character.lower().translate(_SAME)
        if same == " " and (not plain or plain[-1] == " "):
            continue
        for each in same:
            plain.append(each)
            places.append(place)
    return "".join(plain), places
