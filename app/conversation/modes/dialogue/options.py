"""What a person can set about a dialogue."""

from typing import Final

from app.core.options import Option
from app.core.text import Text

MAX_TURNS = 40

LENGTH: Final = Option(
    id="dialogue_tokens",
    kind="number",
    label=Text(
        ru="Длина реплики, токенов",
        uk="Довжина репліки, токенів",
        en="Length of a turn, tokens",
    ),
    hint=Text(
        ru="Пока не изменено, действует и общая длина ответа; 0 — без ограничений",
        uk="Поки не змінено, діє й загальна довжина відповіді; 0 — без обмежень",
        en="While untouched, the length of any answer holds, too; 0 means no limit",
    ),
    default=500,
    minimum=0,
    maximum=100_000,
    step=1,
    group="mode",
)

OPTIONS: tuple[Option, ...] = (
    Option(
        id="dialogue_participants",
        kind="participants",
        label=Text(ru="Участники", uk="Учасники", en="Participants"),
        hint=Text(
            ru="От двух до четырёх: имя, модель, системный промпт",
            uk="Від двох до чотирьох: ім'я, модель, системний промпт",
            en="Two to four: a name, a model, a system prompt",
        ),
        default="",
        lines=6,
        group="mode",
    ),
    Option(
        id="dialogue_turns",
        kind="number",
        label=Text(ru="Число реплик", uk="Кількість реплік", en="Number of turns"),
        hint=Text(
            ru="Всего, на всех участников",
            uk="Усього, на всіх учасників",
            en="In all, of everybody",
        ),
        default=6,
        minimum=1,
        maximum=MAX_TURNS,
        step=1,
        group="mode",
    ),
    LENGTH,
    Option(
        id="dialogue_seconds",
        kind="number",
        label=Text(
            ru="Время на беседу, секунд", uk="Час на бесіду, секунд", en="Time in all, seconds"
        ),
        hint=Text(ru="0 — без ограничений", uk="0 — без обмежень", en="0 means no limit"),
        default=1800,
        minimum=0,
        maximum=86_400,
        step=1,
        group="mode",
    ),
)
