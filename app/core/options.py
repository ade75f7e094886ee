"""What a person can choose for a conversation.

One row of `CHAT_OPTIONS` (or of a mode's own `options`) is all a new setting takes: the panel, the
thread's stored choices, the API and docs/settings.md are made from it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.core.text import Text

Scalar = str | int | float | bool | None
UNSET = "-"
"""What a list of the panel says where nothing is chosen: the browser's lists take no empty value."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a `select` option."""

    value: str
    label: Text


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: its id, how it is shown, what it may be."""

    id: str
    kind: Literal[
        "switch", "slider", "number", "select", "text", "model", "participants", "tools", "bases"
    ]
    """`model` is a select over the catalogue; `text` with `lines` > 1 is an area; `participants` is
    the JSON text that `conversation/modes/dialogue` describes, edited in a form; `tools` are ids of tools, comma-separated, which the panel shows as lists; `bases` those of knowledge bases."""
    label: Text
    default: Scalar
    hint: Text | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[Choice, ...] = ()
    lines: int = 1
    needs: str | None = None
    """Id of a switch that must be on for this option to be enabled."""
    unset: Text | None = None
    """What a `model` option says where none is chosen, if not that it is the conversation's own."""
    group: Literal["model", "mode", "context", "cache", "tools"] = "model"

    def clean(self, value: object) -> Scalar:
        """`value` made to fit, or the default where it cannot be: stored choices outlive versions."""
        if value is None or (value == "" and self.kind in ("number", "slider")):
            return self.default
        match self.kind:
            case "switch":
                return value if isinstance(value, bool) else self.default
            case "slider" | "number":
                try:
                    number = float(str(value))
                except ValueError:
                    return self.default
                if self.minimum is not None:
                    number = max(self.minimum, number)
                if self.maximum is not None:
                    number = min(self.maximum, number)
                whole = self.step is not None and float(self.step).is_integer()
                return int(number) if whole else number
            case "select":
                known = {choice.value for choice in self.choices}
                return value if isinstance(value, str) and value in known else self.default
            case "model":
                return value if isinstance(value, str) and value != UNSET else self.default
            case "text":
                return value if isinstance(value, str) else self.default
            case "participants":
                listed = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
                return listed if isinstance(listed, str) else self.default
            case "tools" | "bases":
                names = value.split(",") if isinstance(value, str) else value
                if not isinstance(names, list):
                    return self.default
                stripped = (name.strip() for name in names if isinstance(name, str))
                return ", ".join(dict.fromkeys(filter(None, stripped)))


AS_IT_DOES = "auto"
"""Of thinking: nothing is said about it. The other choices are words of OpenAI's `reasoning_effort`, and `max`."""
TEMPERATURE = 0.7
"""Where the slider stands untouched: then none is sent, and the model keeps its own."""

CHAT_OPTIONS: tuple[Option, ...] = (
    Option(
        id="model",
        kind="model",
        label=Text(ru="Модель", uk="Модель", en="Model"),
        default=None,
    ),
    Option(
        id="temperature",
        kind="slider",
        label=Text(ru="Температура", uk="Температура", en="Temperature"),
        hint=Text(
            ru="Ниже — точнее и суше, выше — свободнее; 0,7 — как у самой модели",
            uk="Нижче — точніше й сухіше, вище — вільніше; 0,7 — як у самої моделі",
            en="Lower is more exact, higher is freer; 0.7 leaves it to the model",
        ),
        default=TEMPERATURE,
        minimum=0.0,
        maximum=2.0,
        step=0.1,
    ),
    Option(
        id="max_tokens",
        kind="number",
        label=Text(
            ru="Длина ответа, токенов", uk="Довжина відповіді, токенів", en="Answer length, tokens"
        ),
        hint=Text(
            ru="0 — сколько модель сочтёт нужным",
            uk="0 — скільки модель вважатиме за потрібне",
            en="0 leaves it to the model",
        ),
        default=0,
        minimum=0,
        maximum=200_000,
        step=1,
    ),
    Option(
        id="thinking",
        kind="select",
        label=Text(ru="Размышления", uk="Роздуми", en="Thinking"),
        hint=Text(
            ru="Сколько модель размышляет до ответа",
            uk="Скільки модель розмірковує до відповіді",
            en="How much the model thinks before it answers",
        ),
        default=AS_IT_DOES,
        choices=(
            Choice(
                AS_IT_DOES, Text(ru="Как сама модель", uk="Як сама модель", en="As the model does")
            ),
            Choice("none", Text(ru="Без размышлений", uk="Без роздумів", en="None")),
            Choice("low", Text(ru="Мало", uk="Мало", en="Low")),
            Choice("medium", Text(ru="Средне", uk="Середньо", en="Medium")),
            Choice("high", Text(ru="Много", uk="Багато", en="High")),
            Choice("max", Text(ru="Как можно больше", uk="Якнайбільше", en="As much as it can")),
        ),
    ),
    Option(
        id="top_p",
        kind="slider",
        label=Text(ru="top_p", uk="top_p", en="top_p"),
        hint=Text(
            ru="Меньше — только самые вероятные слова; 1 — как у самой модели",
            uk="Менше — лише найімовірніші слова; 1 — як у самої моделі",
            en="Less keeps to the likeliest words; 1 leaves it to the model",
        ),
        default=1.0,
        minimum=0.05,
        maximum=1.0,
        step=0.05,
    ),
    Option(
        id="seed",
        kind="number",
        label=Text(ru="Зерно случайности", uk="Зерно випадковості", en="Seed"),
        hint=Text(
            ru="С одним и тем же числом ответ повторяется, где сервер это умеет; 0 — без него",
            uk="З тим самим числом відповідь повторюється, де сервер це вміє; 0 — без нього",
            en="The same number repeats an answer, where the server can; 0 is none",
        ),
        default=0,
        minimum=0,
        maximum=2_147_483_647,
        step=1,
    ),
    Option(
        id="system_prompt",
        kind="text",
        label=Text(ru="Системный промпт", uk="Системний промпт", en="System prompt"),
        default="",
        lines=5,
    ),
    Option(
        id="structured",
        kind="switch",
        label=Text(ru="Ответ с заголовком", uk="Відповідь із заголовком", en="Answer with a title"),
        hint=Text(
            ru="Модель отвечает заголовком и текстом по схеме JSON",
            uk="Модель відповідає заголовком і текстом за схемою JSON",
            en="The model answers with a title and a text, by a JSON schema",
        ),
        default=False,
    ),
    Option(
        id="compress_context",
        kind="switch",
        label=Text(ru="Сжимать контекст", uk="Стискати контекст", en="Compress the context"),
        hint=Text(
            ru="Старые сообщения заменяются для модели кратким изложением; вы видите все",
            uk="Старі повідомлення для моделі замінює стислий виклад; ви бачите всі",
            en="Older messages go to the model as a summary; you still see them all",
        ),
        default=False,
        group="context",
    ),
    Option(
        id="compress_every",
        kind="number",
        label=Text(
            ru="Сжимать каждые N сообщений",
            uk="Стискати кожні N повідомлень",
            en="Compress every N messages",
        ),
        hint=Text(ru="Не чаще чем каждые 4", uk="Не частіше ніж кожні 4", en="No fewer than 4"),
        default=10,
        minimum=4,
        maximum=200,
        step=1,
        needs="compress_context",
        group="context",
    ),
    Option(
        id="compress_system_prompt",
        kind="switch",
        label=Text(
            ru="Сжимать системный промпт",
            uk="Стискати системний промпт",
            en="Compress the system prompt",
        ),
        default=False,
        needs="compress_context",
        group="context",
    ),
    Option(
        id="summary_model",
        kind="model",
        label=Text(ru="Модель для сжатия", uk="Модель для стиснення", en="Model for compression"),
        hint=Text(
            ru="Подойдёт и небольшая, недорогая; не выбрана — та же, что отвечает",
            uk="Підійде й невелика, недорога; не вибрано — та сама, що відповідає",
            en="A small, cheap one will do; if none is chosen, the model that answers",
        ),
        default=None,
        needs="compress_context",
        group="context",
    ),
    Option(
        id="window",
        kind="number",
        label=Text(
            ru="Контекстное окно, токенов",
            uk="Контекстне вікно, токенів",
            en="Context window, tokens",
        ),
        hint=Text(
            ru="0 — как сообщает сервер; Ollama загрузит модель с вашим числом",
            uk="0 — як повідомляє сервер; Ollama завантажить модель з вашим числом",
            en="0 takes what the server says; Ollama loads the model with a number of yours",
        ),
        default=0,
        minimum=0,
        maximum=10_000_000,
        step=1,
        group="context",
    ),
    Option(
        id="overflow",
        kind="select",
        label=Text(
            ru="Если разговор не помещается в окно",
            uk="Якщо розмова не вміщується у вікно",
            en="When the conversation does not fit the window",
        ),
        default="ask",
        choices=(
            Choice("ask", Text(ru="Спросить меня", uk="Запитати мене", en="Ask me")),
            Choice(
                "drop",
                Text(
                    ru="Не отправлять самые старые сообщения",
                    uk="Не надсилати найстаріші повідомлення",
                    en="Leave out the oldest messages",
                ),
            ),
        ),
        group="context",
    ),
    Option(
        id="answer_cache",
        kind="select",
        label=Text(ru="Кеш ответов", uk="Кеш відповідей", en="Answer cache"),
        hint=Text(
            ru="Повторный вопрос получает прежний ответ сразу",
            uk="Повторне запитання одразу отримує попередню відповідь",
            en="A question asked before gets its answer at once",
        ),
        default="off",
        choices=(
            Choice("off", Text(ru="Выключен", uk="Вимкнено", en="Off")),
            Choice(
                "exact", Text(ru="Тот же вопрос", uk="Те саме запитання", en="The same question")
            ),
            Choice(
                "near",
                Text(
                    ru="Тот же, а на похожий — предложить ответ",
                    uk="Те саме, а на схоже — запропонувати відповідь",
                    en="The same, and offer the answer to a similar one",
                ),
            ),
        ),
        group="cache",
    ),
    Option(
        id="knowledge",
        kind="bases",
        label=Text(ru="Базы знаний", uk="Бази знань", en="Knowledge bases"),
        hint=Text(
            ru="Ответы опираются на документы этих баз и ссылаются на них",
            uk="Відповіді спираються на документи цих баз і посилаються на них",
            en="Answers rest on the documents of these bases and cite them",
        ),
        default="",
        group="tools",
    ),
    Option(
        id="check_citations",
        kind="switch",
        label=Text(
            ru="Сверять ссылки моделью",
            uk="Звіряти посилання моделлю",
            en="Have a model check citations",
        ),
        hint=Text(
            ru="Слова и числа сверяются всегда. Модель ещё раз прочтёт процитированное и решит там, где слов мало: "
            "в облаке это стоит примерно столько же, сколько сам ответ, на своей машине — только время",
            uk="Слова й числа звіряються завжди. Модель ще раз прочитає процитоване й вирішить там, де слів замало: "
            "у хмарі це коштує приблизно стільки ж, скільки сама відповідь, на своїй машині — лише час",
            en="Words and numbers are always compared. A model reads what is cited once more and decides where words "
            "cannot: in a cloud for about the price of the answer, on a machine of your own for time alone",
        ),
        default=False,
        group="tools",
    ),
    Option(
        id="tools",
        kind="tools",
        label=Text(ru="Инструменты", uk="Інструменти", en="Tools"),
        hint=Text(
            ru="Что модель может вызывать в этом разговоре; имя сервера включает все его инструменты",
            uk="Що модель може викликати в цій розмові; ім'я сервера вмикає всі його інструменти",
            en="What the model may call in this conversation; a server's name turns on all of its tools",
        ),
        default="",
        group="tools",
    ),
    Option(
        id="tools_always",
        kind="tools",
        label=Text(
            ru="Запускать, не спрашивая", uk="Запускати, не питаючи", en="Run without asking"
        ),
        hint=Text(
            ru="Инструменты, которым вы разрешили это в разговоре кнопкой «Всегда здесь»",
            uk="Інструменти, яким ви дозволили це в розмові кнопкою «Завжди тут»",
            en="Tools that you allowed it in this conversation by “Always here”",
        ),
        default="",
        group="tools",
    ),
)


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """The choices in force for one turn, clean: every id of `CHAT_OPTIONS` and of the mode is there."""

    mode: str = "chat"
    values: Mapping[str, Scalar] = field(default_factory=dict)

    @classmethod
    def clean(
        cls, raw: Mapping[str, Any], mode: str, mode_options: tuple[Option, ...] = ()
    ) -> "ChatOptions":
        """From what a panel, a thread or an API call says; unknown ids are dropped."""
        options = (*CHAT_OPTIONS, *mode_options)
        return cls(mode, {option.id: option.clean(raw.get(option.id)) for option in options})

    def text(self, id: str) -> str:
        """A text, select or model option; empty where unset."""
        value = self.values.get(id)
        return value if isinstance(value, str) else ""

    def number(self, id: str) -> float:
        """A slider or number option; 0 where unset."""
        value = self.values.get(id)
        return (
            float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
        )

    def names(self, id: str) -> tuple[str, ...]:
        """A list of tools or knowledge bases, each once."""
        given = (name.strip() for name in self.text(id).split(","))
        return tuple(dict.fromkeys(filter(None, given)))

    def on(self, id: str) -> bool:
        """A switch."""
        return self.values.get(id) is True


def own_length(id: str, label: Text, default: int) -> Option:
    """A mode's own limit of tokens for the answers it is made of, beside the one for any answer."""
    return Option(
        id=id,
        kind="number",
        label=label,
        hint=Text(
            ru="Пока не изменено, действует и общая длина ответа; 0 — без ограничений",
            uk="Поки не змінено, діє й загальна довжина відповіді; 0 — без обмежень",
            en="While untouched, the length of any answer holds, too; 0 means no limit",
        ),
        default=default,
        minimum=0,
        maximum=100_000,
        step=1,
        group="mode",
    )
