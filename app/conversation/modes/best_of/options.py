"""What a person can set about a contest."""

from app.core.options import Choice, Option
from app.core.text import Text

OPTIONS: tuple[Option, ...] = (
    Option(
        id="best_of_n",
        kind="number",
        label=Text(ru="Число вариантов", uk="Кількість варіантів", en="Number of candidates"),
        default=3,
        minimum=2,
        maximum=5,
        step=1,
        group="mode",
    ),
    Option(
        id="best_of_selector",
        kind="select",
        label=Text(
            ru="Как выбирать лучший", uk="Як обирати найкращий", en="How to choose the best"
        ),
        default="medoid",
        choices=(
            Choice(
                "medoid",
                Text(
                    ru="ближайший к остальным (без вызовов модели)",
                    uk="найближчий до решти (без викликів моделі)",
                    en="closest to the others (no model calls)",
                ),
            ),
            Choice(
                "heuristic",
                Text(
                    ru="по длине, словам вопроса и строению",
                    uk="за довжиною, словами запитання та будовою",
                    en="by length, the question's words and structure",
                ),
            ),
            Choice(
                "judge",
                Text(
                    ru="модель-судья (два вызова на пару)",
                    uk="модель-суддя (два виклики на пару)",
                    en="a judge model (two calls a pair)",
                ),
            ),
        ),
        group="mode",
    ),
    Option(
        id="best_of_judge",
        kind="model",
        label=Text(ru="Модель-судья", uk="Модель-суддя", en="Judge model"),
        hint=Text(
            ru="Не выбрана — другая локальная модель, если она есть",
            uk="Не вибрано — інша локальна модель, якщо вона є",
            en="Unset, it is another local model where there is one",
        ),
        default=None,
        group="mode",
    ),
    Option(
        id="best_of_forbidden",
        kind="text",
        label=Text(ru="Запрещённые слова", uk="Заборонені слова", en="Forbidden words"),
        hint=Text(
            ru="Через запятую; «слово*» — с любым окончанием",
            uk="Через кому; «слово*» — з будь-яким закінченням",
            en='Separated by commas; "word*" is any ending',
        ),
        default="",
        group="mode",
    ),
    Option(
        id="best_of_seconds",
        kind="number",
        label=Text(
            ru="Время на варианты, секунд",
            uk="Час на варіанти, секунд",
            en="Time for the candidates, seconds",
        ),
        hint=Text(ru="0 — без ограничений", uk="0 — без обмежень", en="0 means no limit"),
        default=600,
        minimum=0,
        maximum=86_400,
        step=1,
        group="mode",
    ),
)
