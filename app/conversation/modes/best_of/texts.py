"""What the person reads about a contest."""

from collections.abc import Mapping, Sequence

from app.conversation.modes.best_of.selection import Score
from app.core.text import Language, Text

GROUP = Text(ru="Варианты ответа", uk="Варіанти відповіді", en="Candidates")
COMPARING = Text(ru="Сравниваю варианты…", uk="Порівнюю варіанти…", en="Comparing the candidates…")
CHOSEN: Mapping[str, Text] = {
    "careful": Text(
        ru="Выбран вариант {n}: написан аккуратнее других или, среди таких же, больше всех похож на остальные.",
        uk="Обрано варіант {n}: написаний охайніше за інші або, серед таких самих, найбільше схожий на решту.",
        en="Candidate {n} was chosen: the most carefully written or, among equals, the most like the others.",
    ),
    "medoid": Text(
        ru="Выбран вариант {n}: в нём больше всего общего с остальными.",
        uk="Обрано варіант {n}: у ньому найбільше спільного з рештою.",
        en="Candidate {n} was chosen: it has the most in common with the others.",
    ),
    "heuristic": Text(
        ru="Выбран вариант {n}: лучший по длине, словам вопроса и строению.",
        uk="Обрано варіант {n}: найкращий за довжиною, словами запитання та будовою.",
        en="Candidate {n} was chosen: best by length, the question's words and structure.",
    ),
    "judge": Text(
        ru="Выбран вариант {n}: так рассудила модель-судья.",
        uk="Обрано варіант {n}: так розсудила модель-суддя.",
        en="Candidate {n} was chosen by the judge model.",
    ),
    "listwise": Text(
        ru="Выбран вариант {n}: модель-судья поставила его первым.",
        uk="Обрано варіант {n}: модель-суддя поставила його першим.",
        en="Candidate {n} was chosen: the judge model ranked it first.",
    ),
    "undecided": Text(
        ru="Судья не отдал предпочтения; выбран вариант {n}, самый похожий на остальные.",
        uk="Суддя не віддав переваги; обрано варіант {n}, найбільш схожий на решту.",
        en="The judge preferred none; candidate {n} was chosen, the most like the others.",
    ),
}
ONLY_ONE = Text(
    ru="Выбран вариант {n}: остальные отклонены.",
    uk="Обрано варіант {n}: решту відхилено.",
    en="Candidate {n} was chosen: the others were ruled out.",
)
NONE_CLEAN = Text(
    ru="Ни один вариант не прошёл проверку; выбран вариант {n}, наименее плохой.",
    uk="Жоден варіант не пройшов перевірку; обрано варіант {n}, найменш поганий.",
    en="No candidate passed the checks; candidate {n} is the least bad one.",
)
RULED_OUT = Text(ru="Вариант {n}: {why}", uk="Варіант {n}: {why}", en="Candidate {n}: {why}")
VETOES: Mapping[str, Text] = {
    "failed": Text(ru="ошибка", uk="помилка", en="failed"),
    "empty": Text(ru="пустой", uk="порожній", en="empty"),
    "cut": Text(ru="оборван", uk="обірваний", en="cut off"),
    "language": Text(ru="не на том языке", uk="не тією мовою", en="in another language"),
    "forbidden": Text(ru="запрещённые слова", uk="заборонені слова", en="forbidden words"),
    "structure": Text(ru="сломана разметка", uk="зламана розмітка", en="broken structure"),
}


def outcome(scores: Sequence[Score], best: Score, by: str, reason: str, language: Language) -> str:
    """Who won and why, and what ruled out the others. Scores say nothing to a reader: they compare
    candidates of one contest alone."""
    unruled = [s for s in scores if not s.vetoes]
    if len(scores) > 1 and unruled == [best]:
        words = ONLY_ONE
    else:
        words = CHOSEN[by] if unruled else NONE_CLEAN
    first = words[language].format(n=best.candidate.number)
    if reason and words is CHOSEN[by]:
        first += f" {reason}"
    rows = [
        "- " + RULED_OUT[language].format(n=s.candidate.number, why=_why(s, language))
        for s in sorted(scores, key=lambda s: s.candidate.number)
        if s.vetoes
    ]
    return "\n\n".join([first, *(["\n".join(rows)] if rows else [])])


def _why(score: Score, language: Language) -> str:
    return ", ".join(VETOES[veto][language] for veto in score.vetoes)
