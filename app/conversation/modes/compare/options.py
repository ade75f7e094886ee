"""What a person can set about a comparison."""

from app.core.options import Option
from app.core.text import Text

LEAST, MOST = 2, 4
"""Answers side by side."""

OPTIONS: tuple[Option, ...] = (
    Option(
        id="compare_models",
        kind="participants",
        label=Text(ru="Кого сравнить", uk="Кого порівняти", en="Whom to compare"),
        hint=Text(
            ru="От двух до четырёх: имя, модель, наставление. Пусто — модели подбираются сами",
            uk="Від двох до чотирьох: ім'я, модель, настанова. Порожньо — моделі добираються самі",
            en="Two to four: a name, a model, an instruction. Empty: models are picked for you",
        ),
        default="",
        lines=6,
        group="mode",
    ),
    Option(
        id="compare_count",
        kind="number",
        label=Text(ru="Сколько моделей", uk="Скільки моделей", en="How many models"),
        hint=Text(
            ru="Если они не названы: модель разговора и другие, сначала свои",
            uk="Якщо їх не названо: модель розмови та інші, спершу свої",
            en="Where none are named: the conversation's and others, your own first",
        ),
        default=2,
        minimum=LEAST,
        maximum=MOST,
        step=1,
        group="mode",
    ),
    Option(
        id="compare_hidden",
        kind="switch",
        label=Text(
            ru="Скрывать имена до голоса",
            uk="Приховувати імена до голосу",
            en="Hide the names until the vote",
        ),
        hint=Text(
            ru="Ответы идут под буквами, в случайном порядке: так судят честнее",
            uk="Відповіді йдуть під літерами, у випадковому порядку: так судять чесніше",
            en="Answers come under letters, in random order: that makes for fairer votes",
        ),
        default=False,
        group="mode",
    ),
)
