"""The settings panel and the composer's pickers, made from the options and the catalogue."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chainlit.input_widget import InputWidget, NumberInput, Select, Slider, Switch, TextInput
from chainlit.mode import Mode as Picker
from chainlit.mode import ModeOption

from app.conversation.mode import Mode
from app.core.models import ModelProfile, ModelRef, ServerState
from app.core.options import CHAT_OPTIONS, UNSET, ChatOptions, Option
from app.core.text import Language, Text
from app.view.model_labels import chat_models, model_label, troubles

PICK_MODEL = Text(ru="Модель", uk="Модель", en="Model")
PICK_MODE = Text(ru="Режим", uk="Режим", en="Mode")
AS_CONVERSATION = Text(ru="как у беседы", uk="як у розмови", en="as the conversation's")
NO_MODELS = Text(ru="моделей пока нет", uk="моделей поки немає", en="no models yet")


def widgets(
    values: Mapping[str, Any], mode: Mode, states: Sequence[ServerState], language: Language
) -> list[InputWidget]:
    """One widget an option, with the present values; the mode's own options come last. Participants
    have a form of their own in the conversation."""
    options = (*CHAT_OPTIONS, *mode.options)
    return [
        _widget(option, values, states, language)
        for option in options
        if option.kind != "participants"
    ]


def pickers(
    options: ChatOptions,
    modes: Sequence[Mode],
    states: Sequence[ServerState],
    language: Language,
) -> list[Picker]:
    """The composer's pickers: the mode (where there is a choice) and the model."""
    profiles = chat_models(states)
    several = len({profile.ref.server for profile in profiles}) > 1
    names = _distinct_names(profiles)
    chosen = options.text("model")
    models = [
        ModeOption(
            id=str(profile.ref),
            name=names[profile.ref],
            description=model_label(profile, language, with_server=several),
            icon="cpu" if profile.local else "cloud",
            default=str(profile.ref) == chosen,
        )
        for profile in profiles
    ]
    if not models:
        models = [ModeOption(id=UNSET, name=NO_MODELS[language], icon="unplug", default=True)]
    ways = [
        ModeOption(
            id=way.id,
            name=way.name[language],
            description=way.description[language],
            icon=way.icon,
            default=way.id == options.mode,
        )
        for way in modes
    ]
    return [
        Picker(id="mode", name=PICK_MODE[language], options=ways),
        Picker(id="model", name=PICK_MODEL[language], options=models),
    ]


def _distinct_names(profiles: Sequence[ModelProfile]) -> dict[ModelRef, str]:
    """Short names; a model that several servers have is named with its server."""
    count = Counter(profile.ref.name for profile in profiles)
    refs = [profile.ref for profile in profiles]
    return {ref: ref.name if count[ref.name] == 1 else f"{ref.name} · {ref.server}" for ref in refs}


def _widget(
    option: Option, values: Mapping[str, Any], states: Sequence[ServerState], language: Language
) -> InputWidget:
    common: dict[str, Any] = {
        "id": option.id,
        "label": option.label[language],
        "description": option.hint[language] if option.hint else None,
        "disabled": option.needs is not None and values.get(option.needs) is not True,
    }
    value = values.get(option.id, option.default)
    match option.kind:
        case "switch":
            return Switch(**common, initial=bool(value))
        case "slider":
            return Slider(
                **common,
                initial=float(value or 0),
                min=option.minimum or 0,
                max=option.maximum if option.maximum is not None else 1,
                step=option.step or 1,
            )
        case "number":
            return NumberInput(**common, initial=float(value or 0))
        case "text" | "participants":
            return TextInput(**common, initial=str(value or ""), multiline=option.lines > 1)
        case "select":
            items = {choice.label[language]: choice.value for choice in option.choices}
            return Select(**common, items=items, initial_value=str(value))
        case "model":
            return _model_select(common, value, states, language, option.unset)


def _model_select(
    common: dict[str, Any],
    value: object,
    states: Sequence[ServerState],
    language: Language,
    unset: Text | None,
) -> InputWidget:
    profiles = chat_models(states)
    several = len({profile.ref.server for profile in profiles}) > 1
    items = {
        model_label(profile, language, with_server=several): str(profile.ref)
        for profile in profiles
    }
    known = set(items.values())
    if isinstance(value, str) and value and value not in known:
        items = {value: value, **items}
    if common["id"] != "model":  # only the conversation's own model is never left unset
        items = {(unset or AS_CONVERSATION)[language]: UNSET, **items}
    if not items:
        items = {NO_MODELS[language]: UNSET}
    description = troubles(states, language) or common["description"]
    return Select(
        **common | {"description": description}, items=items, initial_value=str(value or UNSET)
    )
