"""Whether a claim denies what its passage says: the same word with and without a negation, or the word's
opposite. What stands in another clause is not held against it, and where either text makes conditions or
exceptions nothing is decided: words alone do not tell then."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from app.knowledge.figures import figures
from app.knowledge.terms import classes_of, forms_of, is_telling, tokens

_CLAUSE = re.compile(r"[.;:!?\n|()]+(?!\d)|,(?!\d)|\s[—–-]\s|\s(?:а|но|але|but|while|whereas)\s")
_SENTENCE = re.compile(r"[.!?\n|]+(?!\d)")
_UP_BY = re.compile(r"\b(up|down)(?=\s+(?:by\s+|from\s+)?[$€£]?\d)", re.IGNORECASE)
_MORE = re.compile(
    r"\b(?!rather|other|either|whether|later|earlier|lower|higher|fewer)(?=\w{3,16}er\b[^.,;\n]{0,20}\bthan\b)"
)
_AT_MOST = re.compile(r"\bat (least|most)\b", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")
_REFLEXIVE = re.compile(r"(?<=[тьчи])(?:ся|сь)$")
_WORDS_OF_NO = (
    "не ни ні нет нема немає без вместо замість not no never without cannot cant non instead"
)
_NOT = frozenset(_WORDS_OF_NO.split())
_CONDITIONS = """если иначе кроме только лишь исключение якщо інакше крім тільки лише хіба разве прекратить перестать отменить отмена отсутствовать припинити скасувати
if unless otherwise except only exception stop cease cancel lack"""
_HEDGES = frozenset(_CONDITIONS.split())
"""Words of conditions and exceptions."""
_OPPOSITES = """
увеличить увеличиться увеличивать увеличиваться увеличение вырасти расти возрасти возрастать рост повысить повыситься повышать повышаться повышение поднять подняться подниматься подорожать зрости зростати зростання збільшити збільшитися збільшувати збільшуватися збільшення підвищити підвищитися підвищувати підвищуватися підвищення rise rose risen grow grew grown growth increase increased up : уменьшить уменьшиться уменьшать уменьшаться уменьшение снизить снизиться снижать снижаться снижение понизить понизиться сократить сократиться сокращаться сокращение упасть падать падение подешеветь зменшити зменшитися зменшувати зменшуватися зменшення знизити знизитися знижувати знижуватися зниження скоротити скоротитися скорочення впасти fall fell fallen drop dropped decrease decreased decline declined reduce reduced shrink shrank down
разрешить разрешать разрешаться разрешено разрешен можно позволить позволять допускаться дозволити дозволяти дозволено дозволений можна allow allowed permit permitted may can : запретить запрещать запрещаться запрещено запрещен нельзя заборонити забороняти заборонено заборонений prohibit prohibited forbid forbidden ban banned cannot
открыть открыт открыто открытый открываться відкрити відкрито відкритий open opened : закрыть закрыт закрыто закрытый закрываться закрити закрито закритий close closed
включить включен включено включенный увімкнути увімкнено увімкнений ввімкнути enable enabled : выключить выключен выключено отключить отключено отключен отключенный вимкнути вимкнено вимкнений disable disabled
выше вище above higher : ниже нижче below lower
более больше більше більш more least minimum минимум мінімум щонайменше : менее меньше менше менш less fewer most maximum максимум щонайбільше
раньше ранее раніше before earlier : позже позднее пізніше after later
бесплатно бесплатный безкоштовно безкоштовний free : платно платный платний paid
победить выиграть обыграть победа перемогти виграти перемога win won victory beat defeat : проиграть поражение програти поразка lose lost
одобрить утвердить принять схвалити ухвалити затвердити approve approved accept accepted : отклонить отвергнуть відхилити reject rejected refuse refused
положительный позитивний positive : отрицательный негативний negative
обязательно обязательный обов'язково обов'язковий mandatory compulsory : необязательно необязательный необов'язковий добровольный добровільний optional voluntary
теплый тепло теплее теплий тепліший теплішим найтепліший найтеплішим warm warmer warmest hot : холодный холод холоднее холодний холодніший холоднішим найхолодніший найхолоднішим cold colder coldest
быстрый быстро быстрее швидкий швидко швидше fast faster quick quicker : медленный медленно медленнее повільний повільно повільніше slow slower
добавить добавлять добавлен додати додавати додано add added : удалить удалять удален убрать видалити видаляти видалено remove removed
работать работает працювати work works : сломаться отказать зламатися fail fails failed
мужской чоловічий male men : женский жіночий female women
правый правий : левый лівий
покупать купить купувати купити buy bought : продать продавать продати продавати sell sold
public публичный публічний : private частный приватний
первый перший first : последний останній last
восток восточный схід східний east eastern : запад западный захід західний west western : север северный північ північний north northern : юг южный південь південний south southern
весна весенний весняний spring : лето летний літо літній summer : осень осенний осінь осінній autumn : зима зимний зимовий winter
ежедневно ежедневный щодня щоденно щоденний daily : еженедельно еженедельный щотижня щотижневий weekly : ежемесячно ежемесячный щомісяця щомісячний monthly : ежеквартально ежеквартальный щокварталу щоквартальний quarterly : ежегодно ежегодный щороку щорічний yearly annually
"""
_SIDES = {
    word.replace("'", ""): (axis, side)
    for axis, line in enumerate(_OPPOSITES.strip().splitlines())
    for side, words in zip((1, -1, 2, 3, 4), line.split(":"), strict=False)
    for word in words.split()
}
_MANY = {axis for axis, side in _SIDES.values() if side > 1}
_PREFIXES = ("не", "un", "non")
_MIN_ROOT = 5


_PERMISSION = _SIDES["allowed"][0]


@dataclass(slots=True)
class Clause:
    """What one clause says."""

    words: list[frozenset[str]] = field(default_factory=list)
    """Each in all its forms, but for those that have an opposite."""
    figures: set[str] = field(default_factory=set)
    forms: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    """Those of the forms that a negation stands before."""
    sides: dict[int, set[int]] = field(default_factory=dict)
    """Of each pair of opposites: which one it says, 1 or -1; the other where that is denied."""
    negative: bool = False
    hedged: bool = False
    sentence: object = None
    """The one that it belongs to, whatever stands for it."""

    def says(self, axis: int, side: int) -> None:
        """One of two opposites."""
        self.sides.setdefault(axis, set()).add(side)
        self.negative |= axis == _PERMISSION and side < 0

    def shares(self, other: "Clause") -> float:
        """How much the two speak of the same."""
        alike = sum(not self.forms.isdisjoint(forms) for forms in other.words)
        return alike + sum(1 if _YEAR.fullmatch(one) else 2 for one in self.figures & other.figures)


def axis_of(word: str) -> int | None:
    """Which pair of opposites the word is one of."""
    return next((_SIDES[form][0] for form in _forms(word) if form in _SIDES), None)


def denies(word: str) -> bool:
    """Whether it is a word of negation, as tokens give it."""
    return word in _NOT or "not" in classes_of(word)


@lru_cache(maxsize=20_000)
def _forms(word: str) -> frozenset[str]:
    return frozenset(_REFLEXIVE.sub("", form) for form in forms_of(word))


def clauses_of(text: str) -> list[Clause]:
    """The clauses of a text, with what each affirms and denies."""
    text = _AT_MOST.sub(lambda at: "minimum" if at[1].casefold() == "least" else "maximum", text)
    text = _UP_BY.sub(lambda at: "rise" if at[1].casefold() == "up" else "fall", text)
    text = _MORE.sub("more ", text)
    return [
        _read(part, whole)
        for sentence in _SENTENCE.split(text)
        for whole in (object(),)
        for part in _CLAUSE.split(sentence)
        if part.strip()
    ]


def _read(text: str, sentence: object) -> Clause:
    clause = Clause(sentence=sentence)
    for figure in figures(text):
        clause.figures |= figure.values
    denying = False
    for word in tokens(text):
        if word[0].isdigit():
            continue
        forms = _forms(word)
        clause.hedged |= not _HEDGES.isdisjoint(forms)
        axis, side = next((_SIDES[form] for form in forms if form in _SIDES), (0, 0))
        if denies(word):
            clause.negative = denying = True
            if side or "can" in classes_of(word):  # in one word: `cannot`, `нельзя`
                clause.says(_PERMISSION, -1)
        elif side:
            if not (denying and axis in _MANY):  # not the one, but which of the others?
                clause.says(axis, -side if denying else side)
            denying = denying and not is_telling(word)
        elif is_telling(word):
            clause.words.append(forms)
            clause.forms |= forms
            clause.denied |= forms if denying else frozenset()
            denying = False
    return clause


def contradicts(claim: str, passage: Sequence[Clause]) -> bool:
    """Whether a clause of the claim says the opposite of that clause of the passage which speaks of the
    same."""
    return any(_denied(one, passage) for one in clauses_of(claim) if not one.hedged)


def _denied(claim: Clause, passage: Sequence[Clause]) -> bool:
    near = [claim.shares(clause) for clause in passage]
    best = max(near, default=0.0)
    if not best:
        return False
    nearest = [clause for clause, one in zip(passage, near, strict=True) if one == best]
    sentences = {clause.sentence for clause in nearest}
    told = set[str]().union(*(claim.figures & clause.figures for clause in nearest))
    beside = [
        clause
        for clause, one in zip(passage, near, strict=True)
        if one == best or (clause.sentence in sentences and told <= clause.figures)
    ]
    verdicts: dict[object, bool] = {}
    for some in (nearest, [clause for clause in beside if clause not in nearest]):
        found: dict[object, bool] = {}
        for clause in some:
            for thing, agree in _compared(claim, clause, beside):
                found[thing] = found.get(thing, False) or agree
        verdicts = found | verdicts  # what the nearest say counts
    return not all(verdicts.values())


def _compared(
    claim: Clause, passage: Clause, beside: Sequence[Clause]
) -> Iterator[tuple[object, bool]]:
    """Each thing that both affirm or deny, and whether they agree."""
    for axis, sides in claim.sides.items():
        if theirs := passage.sides.get(axis):
            yield axis, bool(sides & theirs)
    if passage.hedged:
        return
    denied = claim.denied.union(*(clause.denied for clause in beside))
    for form in claim.forms & passage.forms & denied:
        mine, its = form in claim.denied, form in passage.denied
        yield form, mine == its or (claim if its else passage).negative
    if claim.negative or passage.negative:
        return
    for form in claim.forms ^ passage.forms:
        roots = (form.removeprefix(prefix) for prefix in _PREFIXES if form.startswith(prefix))
        if any(len(r) >= _MIN_ROOT and r in claim.forms ^ passage.forms for r in roots):
            yield form, False
