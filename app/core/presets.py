"""What conversations may begin with: assistants, prompts to be filled in, and projects. Each belongs to a
person, who may share assistants and prompts with all who sign in here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.core.errors import KonsiliumError
from app.core.options import ChatOptions
from app.core.ports import Models
from app.core.text import Text
from app.core.turns import TurnRequest

Kind = Literal["projects", "assistants", "prompts"]
KINDS: tuple[Kind, ...] = ("projects", "assistants", "prompts")
MAX_NAME = 80
"""Characters of a name."""


@dataclass(frozen=True, slots=True)
class PresetField:
    """One thing that a preset says: its id, how a form asks for it."""

    id: str
    kind: Literal["line", "text", "model", "mode", "tools", "bases"]
    label: Text
    hint: Text | None = None
    most: int = 8_000
    """Characters."""


_INSTRUCTIONS = PresetField(
    "system_prompt",
    "text",
    Text(ru="Наставление", uk="Настанова", en="Instructions"),
    Text(
        ru="Кто это и как отвечает. Кому помощник открыт, тот может это прочесть",
        uk="Хто це і як відповідає. Кому помічник відкритий, той може це прочитати",
        en="Who this is and how it answers. Whom you share it with can read this",
    ),
)
_MODEL = PresetField(
    "model",
    "model",
    Text(ru="Модель", uk="Модель", en="Model"),
    Text(
        ru="Нет её в эту минуту — ответит выбранная по умолчанию",
        uk="Немає її цієї миті — відповість вибрана за замовчуванням",
        en="Where it is not there, the default one answers",
    ),
)
_TOOLS = PresetField("tools", "tools", Text(ru="Инструменты", uk="Інструменти", en="Tools"))
_BASES = PresetField(
    "knowledge",
    "bases",
    Text(ru="Базы знаний", uk="Бази знань", en="Knowledge bases"),
    Text(
        ru="Другие найдут что-то только в тех, которые вы открыли и им",
        uk="Інші знайдуть щось лише в тих, які ви відкрили і їм",
        en="Others find something only in those that you have shared with them too",
    ),
)
FIELDS: Mapping[Kind, tuple[PresetField, ...]] = {
    "projects": (
        PresetField(
            "system_prompt",
            "text",
            Text(ru="Наставление", uk="Настанова", en="Instructions"),
            Text(
                ru="С него начинается наставление каждого разговора здесь, во всех режимах",
                uk="З неї починається настанова кожної розмови тут, в усіх режимах",
                en="Each conversation here begins its instructions with them, in every mode",
            ),
        ),
        PresetField(
            "facts",
            "text",
            Text(ru="Закреплённые факты", uk="Закріплені факти", en="Pinned facts"),
            Text(
                ru="По одному в строке. Модель получает их с каждым вопросом",
                uk="По одному в рядку. Модель отримує їх із кожним запитанням",
                en="One a line. The model is told them with every question",
            ),
        ),
        PresetField(
            "model",
            "model",
            Text(ru="Модель", uk="Модель", en="Model"),
            Text(
                ru="С ней начинаются новые разговоры; в каждом можно выбрать другую",
                uk="З нею починаються нові розмови; у кожній можна вибрати іншу",
                en="New conversations begin with it; any of them may choose another",
            ),
        ),
        PresetField("mode", "mode", Text(ru="Режим", uk="Режим", en="Mode")),
        PresetField(
            "knowledge",
            "bases",
            Text(ru="Базы знаний", uk="Бази знань", en="Knowledge bases"),
            Text(
                ru="Ответы опираются на их документы и ссылаются на них",
                uk="Відповіді спираються на їхні документи й посилаються на них",
                en="Answers rest on their documents and cite them",
            ),
        ),
    ),
    "assistants": (
        PresetField(
            "face",
            "line",
            Text(
                ru="Лицо: эмодзи или буква",
                uk="Обличчя: емодзі чи літера",
                en="Face: an emoji or letter",
            ),
            most=8,
        ),
        PresetField("about", "line", Text(ru="О нём", uk="Про нього", en="About it"), most=200),
        _INSTRUCTIONS,
        _MODEL,
        _TOOLS,
        _BASES,
    ),
    "prompts": (
        PresetField(
            "text",
            "text",
            Text(ru="Текст", uk="Текст", en="Text"),
            Text(
                ru="Поля — в двойных фигурных скобках: «Переведи на {{язык}}: {{текст}}»",
                uk="Поля — у подвійних фігурних дужках: «Переклади {{мова}}: {{текст}}»",
                en="Fields stand in double braces: “Translate into {{language}}: {{text}}”",
            ),
            most=20_000,
        ),
    ),
}
"""What each kind says; the first field of prompts must not be empty."""

_PLACE = re.compile(r"\{\{\s*([^{}\n]{1,60}?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Preset:
    """One of them; `owner` is whose it is as they are called on screen."""

    id: str
    kind: Kind
    user_id: str
    owner: str
    name: str
    content: Mapping[str, str] = field(default_factory=dict)
    """By the ids of its fields; lists are separated by commas."""
    shared: bool = False

    def text(self, id: str) -> str:
        """What it says there, empty where it says nothing."""
        return self.content.get(id, "")

    @property
    def facts(self) -> tuple[str, ...]:
        """The pinned facts of a project, each once."""
        lines = (" ".join(line.split()) for line in self.text("facts").split("\n"))
        return tuple(dict.fromkeys(filter(None, lines)))

    @property
    def slug(self) -> str:
        """Its name as part of a model's name: lower case, without blanks and signs."""
        return re.sub(r"[\W_]+", "-", self.name.casefold()).strip("-") or self.id

    @property
    def title(self) -> str:
        """Its name with its face."""
        return f"{self.text('face')} {self.name}".strip()


def within(request: TurnRequest, project: Preset) -> TurnRequest:
    """The turn as one of that project: its instructions stand before the conversation's own, its facts are
    told, its knowledge bases searched. A key opens models alone: what it asks is not looked up there."""
    options = request.options
    spoken = (project.text("system_prompt"), options.text("system_prompt").strip())
    values = {**options.values, "system_prompt": "\n\n".join(filter(None, spoken))}
    if request.key_id is None:
        bases = (project.text("knowledge"), options.text("knowledge"))
        values["knowledge"] = ", ".join(filter(None, bases))
    facts = (*project.facts, *request.facts)
    return replace(request, options=ChatOptions(options.mode, values), facts=facts)


def beginning(project: Preset, models: Models) -> dict[str, str]:
    """What a conversation of that project begins with: its mode, and its model where that is there."""
    model = project.text("model")
    try:
        models.resolve(model)
    except KonsiliumError:
        model = ""
    chosen = {"mode": project.text("mode"), "model": model}
    return {id: value for id, value in chosen.items() if value}


def cleaned(kind: Kind, given: Mapping[str, Any]) -> dict[str, str]:
    """What of `given` a preset of that kind may say, made to fit."""
    said: dict[str, str] = {}
    for one in FIELDS[kind]:
        value = given.get(one.id)
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if isinstance(text, str) and (text := text.strip()):
            said[one.id] = (" ".join(text.split()) if one.kind == "line" else text)[: one.most]
    return said


def places(text: str) -> tuple[str, ...]:
    """The fields of a prompt, in order, each once."""
    return tuple(dict.fromkeys(_PLACE.findall(text)))


def filled(text: str, values: Mapping[str, str]) -> str:
    """The prompt with its fields filled in; what a value says in braces is no field."""
    return _PLACE.sub(lambda place: values.get(place[1], ""), text)
