"""What a person can set about a consultation."""

from typing import Final

from app.conversation.modes.consultation.plan import MAX_SPECIALISTS
from app.core.options import Choice, Option, own_length
from app.core.text import Text

LENGTH: Final = own_length(
    "consultation_tokens",
    Text(
        ru="Длина ответа специалиста, токенов",
        uk="Довжина відповіді фахівця, токенів",
        en="A specialist's answer, tokens",
    ),
    1200,
)

OPTIONS: tuple[Option, ...] = (
    Option(
        id="consultation_members",
        kind="participants",
        label=Text(ru="Кого звать", uk="Кого кликати", en="Whom to call"),
        hint=Text(
            ru="От одного до четырёх: имя, модель, наставление. Они отвечают на каждый вопрос. Пусто — "
            "координатор подбирает специалистов сам",
            uk="Від одного до чотирьох: ім'я, модель, настанова. Вони відповідають на кожне запитання. Порожньо — "
            "координатор добирає фахівців сам",
            en="One to four: a name, a model, an instruction. They answer each question. Empty: the coordinator "
            "chooses specialists",
        ),
        default="",
        lines=6,
        group="mode",
    ),
    Option(
        id="consultation_gate",
        kind="select",
        label=Text(ru="Звать специалистов", uk="Кликати фахівців", en="Call specialists"),
        hint=Text(
            ru="Просьба в самом вопросе («позови юриста») исполняется всегда",
            uk="Прохання в самому запитанні («поклич юриста») виконується завжди",
            en='A request in the question itself ("ask a lawyer") is always honoured',
        ),
        default="auto",
        choices=(
            Choice(
                "auto",
                Text(
                    ru="Когда вопрос того требует",
                    uk="Коли запитання того потребує",
                    en="When the question needs it",
                ),
            ),
            Choice("always", Text(ru="Всегда", uk="Завжди", en="Always")),
        ),
        group="mode",
    ),
    Option(
        id="consultation_order",
        kind="select",
        label=Text(ru="Порядок ответов", uk="Порядок відповідей", en="Order of the specialists"),
        hint=Text(
            ru="Одновременно — независимые мнения; по очереди — каждый видит ответы предыдущих",
            uk="Одночасно — незалежні думки; по черзі — кожен бачить відповіді попередніх",
            en="At once gives independent opinions; in turn, each sees the earlier answers",
        ),
        default="parallel",
        choices=(
            Choice("parallel", Text(ru="Одновременно", uk="Одночасно", en="At once")),
            Choice("sequential", Text(ru="По очереди", uk="По черзі", en="In turn")),
        ),
        group="mode",
    ),
    Option(
        id="consultation_specialists",
        kind="number",
        label=Text(
            ru="Специалистов, не больше", uk="Фахівців, не більше", en="Specialists, at most"
        ),
        default=MAX_SPECIALISTS,
        minimum=1,
        maximum=MAX_SPECIALISTS,
        step=1,
        group="mode",
    ),
    Option(
        id="consultation_model",
        kind="model",
        label=Text(ru="Модель специалистов", uk="Модель фахівців", en="The specialists' model"),
        default=None,
        group="mode",
    ),
    Option(
        id="consultation_any_model",
        kind="switch",
        label=Text(
            ru="Координатор выбирает модели",
            uk="Координатор вибирає моделі",
            en="The coordinator chooses models",
        ),
        hint=Text(
            ru="Каждому специалисту — модель из числа доступных, на любом сервере",
            uk="Кожному фахівцеві — модель із доступних, на будь-якому сервері",
            en="Each specialist gets one of the available models, on any server",
        ),
        default=False,
        group="mode",
    ),
    LENGTH,
    Option(
        id="consultation_seconds",
        kind="number",
        label=Text(
            ru="Время на специалистов, секунд",
            uk="Час на фахівців, секунд",
            en="Time for the specialists, seconds",
        ),
        hint=Text(
            ru="Незаконченные мнения тоже учитываются; 0 — без ограничений",
            uk="Незакінчені думки теж враховуються; 0 — без обмежень",
            en="Unfinished opinions count too; 0 means no limit",
        ),
        default=600,
        minimum=0,
        maximum=86_400,
        step=1,
        group="mode",
    ),
)
