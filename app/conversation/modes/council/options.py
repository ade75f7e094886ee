"""What a person can set about a peer council."""

from typing import Final

from app.core.options import Option, own_length
from app.core.text import Text

LEAST, MOST = 2, 6
"""Members of a council."""

LENGTH: Final = own_length(
    "council_tokens",
    Text(
        ru="Длина ответа участника, токенов",
        uk="Довжина відповіді учасника, токенів",
        en="A member's answer, tokens",
    ),
    2000,
)

OPTIONS: tuple[Option, ...] = (
    Option(
        id="council_members",
        kind="participants",
        label=Text(ru="Участники совета", uk="Учасники ради", en="Members"),
        hint=Text(
            ru="От двух до шести: имя, модель, наставление. Пусто — подбираются сами",
            uk="Від двох до шести: ім'я, модель, настанова. Порожньо — добираються самі",
            en="Two to six: a name, a model, an instruction. Empty: they are picked for you",
        ),
        default="",
        lines=6,
        group="mode",
    ),
    Option(
        id="council_size",
        kind="number",
        label=Text(ru="Сколько участников", uk="Скільки учасників", en="How many members"),
        hint=Text(
            ru="Если они не названы: разные модели, сначала свои; одна модель отвечает несколько раз",
            uk="Якщо їх не названо: різні моделі, спершу свої; одна модель відповідає кілька разів",
            en="Where none are named: different models, your own first; one model answers several times",
        ),
        default=3,
        minimum=LEAST,
        maximum=MOST,
        step=1,
        group="mode",
    ),
    Option(
        id="council_chairman",
        kind="model",
        label=Text(ru="Председатель", uk="Голова", en="Chairman"),
        hint=Text(
            ru="Составляет отчёт и пишет ответ",
            uk="Складає звіт і пише відповідь",
            en="Makes the report and writes the answer",
        ),
        default=None,
        unset=Text(
            ru="Кого участники поставят выше",
            uk="Кого учасники поставлять вище",
            en="Whom the members rank first",
        ),
        group="mode",
    ),
    Option(
        id="council_calls",
        kind="number",
        label=Text(
            ru="Вызовов модели, не больше",
            uk="Викликів моделі, не більше",
            en="Model calls, at most",
        ),
        hint=Text(
            ru="Ответы и итог — всегда; хватает — оценка, отчёт, проверка и вторая оценка в другом порядке",
            uk="Відповіді й підсумок — завжди; вистачає — оцінка, звіт, перевірка і друга оцінка в іншому порядку",
            en="Answers and the summary always; as far as it goes ranking, report, check, and a second "
            "ranking in another order",
        ),
        default=16,
        minimum=3,
        maximum=40,
        step=1,
        group="mode",
    ),
    LENGTH,
    Option(
        id="council_seconds",
        kind="number",
        label=Text(
            ru="Время на ответы и оценки, секунд",
            uk="Час на відповіді й оцінки, секунд",
            en="Time for answers and rankings, seconds",
        ),
        hint=Text(
            ru="Незаконченные ответы тоже учитываются; 0 — без ограничений",
            uk="Незакінчені відповіді теж враховуються; 0 — без обмежень",
            en="Unfinished answers count too; 0 means no limit",
        ),
        default=900,
        minimum=0,
        maximum=86_400,
        step=1,
        group="mode",
    ),
)
