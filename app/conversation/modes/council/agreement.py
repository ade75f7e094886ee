"""Whether answers come to the same: short ones, whose number, choice or yes tells all there is.

Answers that are taken for the same by mistake end a council early and wrongly, so what cannot be read
for certain differs.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from app.completion.caching.vocabulary import UNITS
from app.conversation.language import words_of, yes_or_no
from app.core.normal_forms import normalized

SHORT = 160
"""Characters up to which an answer is short."""
FEW_WORDS = 14
_FINAL = re.compile(
    r"(?:####|(?:итоговый |окончательный |final )?(?:ответ|answer)\s*(?:is)?\s*:|(?:остаточна )?відповідь\s*:)\s*(.{1,60}?)\s*\Z",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{([^{}]{1,40})\}")
_FORMULA = re.compile(r"\$([^$\n]{1,80})\$")
_MARKS = re.compile(r"[*`]|(?<!\w)_|_(?!\w)")
NUMBER = re.compile(
    r"[-+]?(?:[1-9]\d{0,2}(?:[ \u00a0\u2009\u202f,'’]\d{3})+(?!\d)|\d+)(?:[.,]\d+)?"
)
_NAMED = re.compile(r"[^\W\d_]\s*=")
_SCALE = re.compile(
    r"(?:(тыс|тысяч\w{0,2}|тис|тисяч\w{0,2}|thousand)|(млн|миллион\w{0,2}|мільйон\w{0,2}|million)|"
    r"(млрд|миллиард\w{0,2}|мільярд\w{0,2}|billion)|(трлн|триллион\w{0,2}|трильйон\w{0,2}|trillion))\.?",
    re.IGNORECASE,
)
_ENDING = re.compile(r"(?<=\w{2})(?:ов|ев|ів|їв|ами|ям|ам|ах|ей|[аеиоуыэюяьїієй]{1,3}|e?s)\Z")
_CHOICE = re.compile(
    r"(?:(?:ответ|вариант|відповідь|варіант|answer|option)\s*:?\s*)?\(?([a-fа-е])[).]?",
    re.IGNORECASE,
)
_YES = {"верно", "правильно", "вірно", "correct", "right"}
_NO = {"неверно", "неправильно", "невірно", "incorrect", "wrong"}
_SURE = frozenset(
    [
        "конечно",
        "разумеется",
        "безусловно",
        "определённо",
        "определенно",
        "точно",
        "именно",
        "звісно",
        "безумовно",
        "звичайно",
        "безперечно",
        "саме",
        "indeed",
        "certainly",
        "definitely",
        "absolutely",
        "sure",
    ]
)
_CURRENCIES = "$€£"  # others are words in the table of units
_LOOK_ALIKE = str.maketrans("авсе", "abce")
_QUIET = re.compile(r"[\s.,;:!?…\"'«»“”„’()\[\]]+")


def conclusion(text: str) -> str | None:
    """What a short answer comes to, in a form that is alike for those that say the same; None where
    the answer is too long to be compared."""
    plain = normalized("NFC", _MARKS.sub("", _FORMULA.sub(r"\1", text))).strip()
    last = plain.splitlines()[-1].strip() if plain else ""
    if len(plain) > SHORT or "\n" in plain:
        found = _FINAL.search(last) or _BOXED.search(text)
        if found is None:
            return None
        plain = found.group(1).strip()
    elif found := _FINAL.fullmatch(plain) or _BOXED.fullmatch(plain.rstrip(".")):
        plain = found.group(1).strip()
    if not plain:
        return None
    return _choice(plain) or _yes_or_no(plain) or _number(plain) or _wording(plain)


def agreed(answers: Sequence[str]) -> bool:
    """Whether two or more answers all come to the same; "42" and "42 km" do, "42 km" and "42 m" do not."""
    conclusions = {conclusion(answer) for answer in answers}
    if len(answers) < 2 or None in conclusions:
        return False
    figures = {str(one).removeprefix("number ").partition(" ")[::2] for one in conclusions}
    units = {unit for _, unit in figures if unit}
    return len(conclusions) == 1 or (
        all(str(one).startswith("number ") for one in conclusions)
        and len({figure for figure, _ in figures}) == 1
        and all(unit.isalpha() or unit in _CURRENCIES for unit in units)
        and len(units) == 1
    )


def _choice(text: str) -> str | None:
    found = _CHOICE.fullmatch(text.rstrip("."))
    return f"choice {found.group(1).lower().translate(_LOOK_ALIKE)}" if found else None


def _yes_or_no(text: str) -> str | None:
    """Where every word says yes, or every word no, whatever says how surely."""
    words = [word for word in words_of(text) if word not in _SURE]
    if any(map(str.isdigit, text)):
        return None
    said = {True if w in _YES else False if w in _NO else yes_or_no(w) for w in words}
    return "yes" if said == {True} else "no" if said == {False} else None


def _number(text: str) -> str | None:
    """A number alone, or with its unit behind it or its currency before it."""
    text = text.replace("−", "-")
    found = [*NUMBER.finditer(text)]
    if len(found) != 1:
        return None
    before = _NAMED.sub("", text[: found[0].start()].strip(" «\"'(≈~")).strip()
    after = text[found[0].end() :].strip(" »\"').,;!?").split()
    figure = figure_of(found[0].group())
    if after and (scale := _SCALE.fullmatch(after[0])):
        figure = figure_of(f"{Decimal(figure) * 1000 ** (scale.lastindex or 0):f}")
        del after[0]
    if len(after) + bool(before) > 1 or (before and before not in UNITS):
        return None
    unit = UNITS.get(before) or _unit(after[0] if after else "")
    return f"number {figure} {unit}".rstrip()


def figure_of(written: str) -> str:
    """The number as it is compared: no spaces, a point, nothing that adds nothing. What begins with a nought
    is a code as well as a number, and stays."""
    figure = re.sub(r"[\s'’,](?=\d{3}(?:\D|\Z))", "", written.lstrip("+"))
    if written.lstrip("+-").startswith("0"):  # no thousands begin so: the comma is a decimal one
        figure = written.lstrip("+")
    figure = figure.replace(",", ".")
    return figure.rstrip("0").rstrip(".") if "." in figure else figure


def _unit(word: str) -> str:
    """One spelling for the forms of a word: the table's, or its stem."""
    small = word.casefold().strip(".")
    return UNITS.get(small) or UNITS.get(_ENDING.sub("", small)) or _ENDING.sub("", small)


def _wording(text: str) -> str | None:
    tokens = _QUIET.sub(" ", text.casefold().replace("ё", "е")).split()
    if any(map(str.isdigit, text)):  # what stands between digits makes another number of them
        tokens = text.casefold().rstrip(".!").split()
    said = any(map(str.isalnum, "".join(tokens)))
    return f"words {' '.join(tokens)}" if said and len(tokens) <= FEW_WORDS else None
