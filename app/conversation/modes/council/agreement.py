"""Whether answers come to the same: short ones, whose number, choice or yes tells all there is."""

import re
from collections.abc import Sequence

from app.conversation.language import words_of, yes_or_no

SHORT = 160
"""Characters up to which an answer is short."""
FEW_WORDS = 14
_FINAL = re.compile(
    r"(?:####|(?:итоговый |окончательный |final )?(?:ответ|answer)\s*(?:is)?\s*:|(?:остаточна )?відповідь\s*:)\s*(.{1,60}?)\s*\Z",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{([^{}]{1,40})\}")
_NUMBER = re.compile(
    r"(?<![\w.,])-?\d{1,3}(?:[ \u00a0,]\d{3})+(?:[.,]\d+)?(?![\d])|-?\d+(?:[.,]\d+)?"
)
_CHOICE = re.compile(
    r"(?:(?:ответ|вариант|відповідь|варіант|answer|option)\s*:?\s*)?\(?([a-fа-е])[).]?",
    re.IGNORECASE,
)
_SURE = frozenset(
    {
        "конечно",
        "разумеется",
        "безусловно",
        "звісно",
        "безумовно",
        "звичайно",
        "indeed",
        "certainly",
    }
)
_LOOK_ALIKE = str.maketrans("авсе", "abce")


def conclusion(text: str) -> str | None:
    """What a short answer comes to, in a form that is alike for those that say the same; None where
    the answer is too long to be compared."""
    plain = re.sub(r"[*_`$]", "", text).strip()
    last = plain.splitlines()[-1].strip() if plain else ""
    if len(plain) > SHORT or "\n" in plain:
        found = _FINAL.search(last) or _BOXED.search(text)
        if found is None:
            return None
        plain = found.group(1).strip()
    elif found := _FINAL.fullmatch(plain):
        plain = found.group(1).strip()
    if not plain:
        return None
    return _choice(plain) or _word(plain) or _number(plain) or _wording(plain)


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
        and all(map(str.isalpha, units))
        and len(units) == 1
    )


def _choice(text: str) -> str | None:
    found = _CHOICE.fullmatch(text.rstrip("."))
    return f"choice {found.group(1).lower().translate(_LOOK_ALIKE)}" if found else None


def _word(text: str) -> str | None:
    words = [word for word in words_of(text) if word not in _SURE]
    if len(words) != 1 or any(map(str.isdigit, text)):
        return None
    return {True: "yes", False: "no", None: None}[yes_or_no(words[0])]


def _number(text: str) -> str | None:
    """A number alone, or with its unit."""
    found = _NUMBER.findall(text)
    if len(found) != 1 or len(words_of(text)) > 1:
        return None
    figure = re.sub(r"[\s\u00a0,](?=\d{3}(?:\D|\Z))", "", found[0]).replace(",", ".")
    if "." in figure:
        figure = figure.rstrip("0").rstrip(".")
    unit = next(iter(words_of(text)), "")
    sign = next((sign for sign in "%°€£₽" if sign in text), "")
    return f"number {figure} {unit[:3]}{sign}".rstrip()


def _wording(text: str) -> str | None:
    tokens = re.findall(r"\w+", text.casefold())
    return f"words {' '.join(tokens)}" if 0 < len(tokens) <= FEW_WORDS else None
