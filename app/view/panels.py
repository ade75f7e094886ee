"""The choices of one conversation: the settings panel, the composer's pickers, and what they lead to."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from app.conversation.mode import Mode
from app.conversation.modes import mode_named
from app.core.concurrency import BackgroundTasks
from app.core.errors import KonsiliumError
from app.core.models import Capability, ModelProfile, ModelRef, ServerState
from app.core.options import AS_IT_DOES, CHAT_OPTIONS, UNSET, ChatOptions, Option
from app.core.ports import KeyValueStore, Models
from app.core.text import Language, Text
from app.storage.history import Conversations
from app.view.chainlit.browser import Browser, every_browser, open_on
from app.view.chainlit.dicts import (
    InputWidget,
    NumberInput,
    Picker,
    PickerOption,
    Select,
    Slider,
    Switch,
    TextInput,
)
from app.view.model_labels import chat_models, model_label, troubles
from app.view.model_list import ModelList
from app.view.panel_facts import PanelFacts
from app.view.rendering import Drawing
from app.view.tool_lists import ToolLists

log = logging.getLogger(__name__)

PICK_MODEL = Text(ru="Модель", uk="Модель", en="Model")
PICK_MODE = Text(ru="Режим", uk="Режим", en="Mode")
AS_CONVERSATION = Text(ru="Как у разговора", uk="Як у розмови", en="As the conversation's")
NO_MODELS = Text(ru="Моделей пока нет", uk="Моделей поки немає", en="No models yet")


def widgets(
    values: Mapping[str, Any], mode: Mode, states: Sequence[ServerState], language: Language
) -> list[InputWidget]:
    """One widget an option, with the present values; the mode's own options come last. Participants have
    a form of their own in the conversation, `ToolLists` draws what is of tools and documents."""
    options = (*CHAT_OPTIONS, *mode.options)
    able = (_as_the_model_can(option, values, states) for option in options)
    return [
        _widget(option, values, states, language)
        for option in able
        if option is not None and option.kind != "participants" and option.group != "tools"
    ]


def _as_the_model_can(
    option: Option, values: Mapping[str, Any], states: Sequence[ServerState]
) -> Option | None:
    """Of thinking what the conversation's model can be told; None where it does not think."""
    if option.id != "thinking":
        return option
    known = (profile for profile in chat_models(states) if str(profile.ref) == values.get("model"))
    profile = next(known, None)
    if profile is None or not profile.can(Capability.THINKING):
        return None
    may = (AS_IT_DOES, "none", *profile.efforts)
    return replace(option, choices=tuple(one for one in option.choices if one.value in may))


def pickers(
    options: ChatOptions,
    modes: Sequence[Mode],
    states: Sequence[ServerState],
    language: Language,
) -> list[Picker]:
    """The composer's pickers: the mode (where there is a choice) and the model."""
    profiles = chat_models(states)
    names = _distinct_names(profiles)
    chosen = options.text("model")
    models = [
        PickerOption(
            id=str(profile.ref),
            name=names[profile.ref],
            icon="cpu" if profile.local else "cloud",
            default=str(profile.ref) == chosen,
        )
        for profile in profiles
    ]
    if away := _away(chosen, profiles, states):
        kept = PickerOption(id=chosen, name=away.name, icon="unplug", default=True)
        models = [kept, *models]
    if not models:
        models = [PickerOption(id=UNSET, name=NO_MODELS[language], icon="unplug", default=True)]
    ways = [
        PickerOption(
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


def _away(
    chosen: str, profiles: Sequence[ModelProfile], states: Sequence[ServerState]
) -> ModelRef | None:
    """The chosen model, while its server does not answer: it stays chosen until it does."""
    try:
        model = ModelRef.parse(chosen)
    except ValueError:
        return None
    listed = any(profile.ref == model for profile in profiles)
    down = any(state.name == model.server and state.error is not None for state in states)
    return model if down and not listed else None


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
                initial=_number(option, value),
                min=option.minimum or 0,
                max=option.maximum if option.maximum is not None else 1,
                step=option.step or 1,
            )
        case "number":
            return NumberInput(**common, initial=_number(option, value))
        case "text" | "participants" | "tools" | "bases":
            return TextInput(**common, initial=str(value or ""), multiline=option.lines > 1)
        case "select":
            items = {choice.label[language]: choice.value for choice in option.choices}
            return Select(**common, items=items, initial_value=str(value))
        case "model":
            return _model_select(common, value, states, language, option.unset)


def _number(option: Option, value: object) -> float:
    """As it is being typed; the default where it is none."""
    try:
        return float(str(value or 0))
    except ValueError:
        return float(option.default or 0)


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
    if isinstance(value, str) and value not in ("", UNSET) and value not in known:
        items = {value: value, **items}
    if common["id"] != "model":  # only the conversation's own model is never left unset
        items = {(unset or AS_CONVERSATION)[language]: UNSET, **items}
    if not items:
        items = {NO_MODELS[language]: UNSET}
    description = troubles(states, language) or common["description"]
    return Select(
        **common | {"description": description}, items=items, initial_value=str(value or UNSET)
    )


DEFAULTS = "chat-defaults"
"""Scope of the key-value store: each user's choices for new chats."""

Form = Callable[[Browser, bool], Awaitable[Drawing]]
"""Draws what a mode is set up with: form(browser, unfolded)."""


class Panel:
    """Shows what can be chosen, takes what is chosen, and keeps it with the thread."""

    def __init__(
        self,
        models: Models,
        modes: Sequence[Mode],
        conversations: Conversations,
        values: KeyValueStore,
        facts: PanelFacts,
        forms: Mapping[str, Form],
        tools: ToolLists,
        passing: Collection[str] = (),
    ) -> None:
        """`forms`: by mode, for those that need more than the panel has: a form comes when a person
        chooses the mode, goes when they leave it, and waits folded in a thread opened again; those of the
        modes `passing` wait only where somebody is named in them."""
        self._models = models
        self._modes = modes
        self._conversations = conversations
        self._values = values
        self._facts = facts
        self._forms = forms
        self._passing = passing
        self._tools = tools
        self._list = ModelList(models, values)
        self._drafts: WeakKeyDictionary[object, Mapping[str, Any]] = WeakKeyDictionary()
        """What is being changed in open panels and not confirmed yet."""
        self._sent: WeakKeyDictionary[object, list[dict[str, Any]]] = WeakKeyDictionary()
        """The panel as each page has it."""
        self._background = BackgroundTasks()
        self._changed = False

    def models_changed(self, _states: Sequence[ServerState]) -> None:
        """A model came or went: the pickers of every open page follow."""
        self._changed = True
        if not self._background.find("pickers"):
            self._background.start(self._show_everywhere(), "pickers")

    async def _show_everywhere(self) -> None:
        while self._changed:  # several changes of one moment are told once
            self._changed = False
            for page in every_browser():
                await self.show_pickers(page)

    async def take_defaults(self, browser: Browser) -> None:
        """A new chat begins with what the user chose last; what is chosen while that is read stays."""
        defaults = await self._values.get(DEFAULTS, browser.user_id) or {}
        browser.choose({**defaults, **browser.choices})

    async def form(self, browser: Browser) -> Drawing | None:
        """The form of the present mode, folded; None where it has none that waits."""
        mode = mode_named(browser.options.mode)
        form = self._forms.get(mode.id)
        lists = (o.id for o in mode.options if o.kind == "participants")
        waits = mode.id not in self._passing or any(map(browser.options.text, lists))
        return await form(browser, False) if form is not None and waits else None

    async def mode_chosen(self, browser: Browser, before: str) -> None:
        """The mode may be another than `before`: forms come and go."""
        mode = browser.options.mode
        if mode == before:
            return
        if form := self._forms.get(before):
            await browser.emit("delete_message", {"id": (await form(browser, False)).step["id"]})
        if not before and mode in self._passing:
            if drawing := await self.form(browser):
                await browser.show(drawing)
        elif form := self._forms.get(mode):
            await browser.show(await form(browser, True))

    def choose_a_model(self, browser: Browser) -> None:
        """A thread has a model from the first: the one chosen, else the default."""
        if browser.options.text("model"):
            return
        self._choose_default(browser)

    async def recovered(self, browser: Browser) -> None:
        """There are other models now: a chat that has not begun leaves the one of last resort."""
        if self._is_last_resort(browser) and not browser.has_thread:
            self._choose_default(browser)
        await self.opened(browser)

    def _is_last_resort(self, browser: Browser) -> bool:
        chosen = browser.options.text("model")
        known = [m for state in self._models.states() for m in state.models]
        return any(m.last_resort for m in known if str(m.ref) == chosen)

    def _choose_default(self, browser: Browser) -> None:
        try:
            browser.choose({"model": str(self._models.resolve(""))})
        except KonsiliumError:
            log.debug("no model to choose yet")

    async def show(self, browser: Browser) -> None:
        """Sends the settings panel and the composer's pickers with the present choices."""
        await self._send_widgets(browser)
        await self.show_pickers(browser)

    async def show_pickers(self, browser: Browser) -> None:
        """Sends the composer's pickers. Of the models only the chosen one: the list of all of them is
        sent when it is opened."""
        options, states = browser.options, self._models.states()
        mode, model = pickers(options, self._modes, states, browser.language)
        model.options = [next((o for o in model.options if o.default), model.options[0])]
        await browser.emit("set_modes", [mode.to_dict(), model.to_dict()])

    async def list_opened(self, browser: Browser) -> None:
        """The person opened the list of models: what is known is sent at once, and then what the servers
        say now."""
        await self._send_list(browser)
        await self.opened(browser)
        await self._send_list(browser)

    async def names_wanted(self, browser: Browser) -> None:
        """The list of models is open in the panel or in a form: the same, and what the person is changing
        there stays."""
        await self._send_list(browser)
        await self._models.refresh()
        await self._send_list(browser)

    async def favoured(self, browser: Browser, model: str, *, on: bool) -> None:
        """The person starred a model of the list, or no longer."""
        if any(str(one.ref) == model for one in chat_models(self._models.states())):
            await self._list.favour(browser, model, on=on)
            await self._send_list(browser)

    async def _send_list(self, browser: Browser) -> None:
        states = self._models.states()
        profiles = chat_models(states)
        away = _away(browser.options.text("model"), profiles, states)
        await self._list.send(browser, _distinct_names(profiles), away)

    async def opened(self, browser: Browser) -> None:
        """The person opened the panel or a picker: its list is made fresh, under what they may have
        changed in it meanwhile (a server that is down is waited for)."""
        self._drafts.pop(browser.session, None)
        await self._models.refresh()
        self.choose_a_model(browser)
        await self._send_widgets(browser)
        await self.show_pickers(browser)

    async def resumed(self, browser: Browser) -> None:
        """The page was sent its thread, and took the thread's choices for all that the panel has."""
        self._sent.pop(browser.session, None)
        await self.opened(browser)

    async def _send_widgets(self, browser: Browser) -> None:
        """Sends the panel with the present choices, and with what is being changed in it. What the page
        shows already is not sent again: it would drop what the person is changing just now."""
        draft: Mapping[str, Any] | None = None
        fields: list[dict[str, Any]] = []
        while draft != (now := self._drafts.get(browser.session, {})):
            draft, values = now, {**browser.options.values, **now}
            mode, states = mode_named(browser.options.mode), self._models.states()
            options = widgets(values, mode, states, browser.language)
            panel = await self._facts.put_into(options, browser, values)
            panel += await self._tools.widgets(browser, values)
            fields = [widget.to_dict() for widget in panel]
        if fields != self._sent.get(browser.session):
            self._sent[browser.session] = fields
            await browser.emit("chat_settings", fields)

    async def chosen(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person confirmed the panel: for this thread, and as the default of new ones."""
        self._drafts.pop(browser.session, None)
        await self._facts.chosen(browser, choices)
        browser.choose(self._tools.taken(browser.options, choices))
        await self.show(browser)
        await self.keep(browser)

    async def chosen_here(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """A button of this thread chose for it alone: new chats keep their defaults."""
        browser.choose(choices)
        await self.show(browser)
        await self._keep_here(browser)

    async def picked(self, browser: Browser, picker: str, name: str) -> None:
        """The person chose in the composer: it holds at once, for an edit and a retry too."""
        composer = pickers(browser.options, self._modes, self._models.states(), browser.language)
        options = [o for p in composer if p.id == picker for o in p.options if o.name == name]
        before = browser.options.mode
        if not options:
            return
        changed = browser.choose({picker: options[0].id})
        await self.show_pickers(browser)  # one sent meanwhile may have put the old choice back
        if changed:
            self._drafts.pop(browser.session, None)  # of a panel that was closed
            await self._send_widgets(browser)
            await self.keep(browser)
            if picker == "model" and not browser.temporary:
                await self._list.used(browser, options[0].id)
            await self.mode_chosen(browser, before)

    async def editing(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person is changing the panel: options that need a switch follow it at once."""
        self._drafts[browser.session] = choices
        await self._send_widgets(browser)

    async def keep(self, browser: Browser) -> None:
        """Keeps the present choices, with the thread and as the user's defaults."""
        choices = self._choices(browser)
        if self._is_last_resort(
            browser
        ):  # used for want of another, it is nobody's choice for later
            del choices["model"]
        del choices["tools_always"]  # allowed in this thread alone
        if not browser.set_apart:
            await self._values.put(DEFAULTS, browser.user_id, choices)
        await self._keep_here(browser)

    async def _keep_here(self, browser: Browser) -> None:
        """Keeps them with the thread; its other tabs show them too."""
        choices = self._choices(browser)
        await self._conversations.keep_settings(browser.user_id, browser.thread_id, choices)
        for page in open_on(browser.thread_id):
            if page.session is not browser.session and page.choose(choices):
                await self._send_widgets(page)
                await self.show_pickers(page)

    def _choices(self, browser: Browser) -> dict[str, Any]:
        """Those of the present mode, and what was chosen for others."""
        options = browser.options
        every = [option for mode in self._modes for option in mode.options]
        others = {o.id: o.clean(browser.choices[o.id]) for o in every if o.id in browser.choices}
        return {"mode": options.mode, **others, **options.values}
