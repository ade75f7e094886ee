"""What a person can set about a dialogue."""

from typing import Final

from app.core.options import Option, own_length
from app.core.text import Text

MAX_TURNS = 40

LENGTH: Final = own_length(
    "dialogue_tokens",
    Text(
        ru="Длина реплики, токенов",
        uk="Довжина репліки, токенів",
        en="Length of a turn, tokens",
    ),
    500,
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
            ru="Время на диалог, секунд", uk="Час на діалог, секунд", en="Time in all, seconds"
        ),
        hint=Text(ru="0 — без ограничений", uk="0 — без обмежень", en="0 means no limit"),
        default=1800,
        minimum=0,
        maximum=86_400,
        step=1,
        group="mode",
    ),
)
