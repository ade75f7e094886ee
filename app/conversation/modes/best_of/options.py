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
        hint=Text(
            ru="По местам — ещё один вызов модели; судья сравнивает пары, каждую дважды: два вызова на пару",
            uk="За місцями — ще один виклик моделі; суддя порівнює пари, кожну двічі: два виклики на пару",
            en="Ranking is one more model call; a judge compares pairs, each twice: two calls a pair",
        ),
        default="careful",
        choices=(
            Choice(
                "careful",
                Text(
                    ru="По аккуратности письма и сходству",
                    uk="За охайністю письма і схожістю",
                    en="By care of writing and likeness",
                ),
            ),
            Choice(
                "medoid",
                Text(
                    ru="По сходству с остальными",
                    uk="За схожістю з рештою",
                    en="By likeness to the others",
                ),
            ),
            Choice(
                "heuristic",
                Text(
                    ru="По длине и словам вопроса",
                    uk="За довжиною і словами запитання",
                    en="By length and the question's words",
                ),
            ),
            Choice(
                "listwise",
                Text(
                    ru="Модель ставит по местам",
                    uk="Модель ставить за місцями",
                    en="A model ranks them",
                ),
            ),
            Choice(
                "judge",
                Text(
                    ru="Судит модель",
                    uk="Судить модель",
                    en="A model judges",
                ),
            ),
        ),
        group="mode",
    ),
    Option(
        id="best_of_judge",
        kind="model",
        label=Text(ru="Модель-судья", uk="Модель-суддя", en="Judge model"),
        default=None,
        unset=Text(
            ru="Другая локальная, если есть",
            uk="Інша локальна, якщо є",
            en="Another local one, if any",
        ),
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
