"""The choices of one conversation: the settings panel, the composer's pickers, what they lead to."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from chainlit.session import WebsocketSession

from app.conversation.mode import Mode
from app.conversation.modes import mode_named
from app.core.errors import KonsiliumError
from app.core.ports import Conversations, KeyValueStore, Models
from app.view.panel_facts import PanelFacts
from app.view.rendering import Drawing
from app.view.session import Browser, open_on
from app.view.settings_panel import pickers, widgets

log = logging.getLogger(__name__)

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
    ) -> None:
        self._models = models
        self._modes = modes
        self._conversations = conversations
        self._values = values
        self._facts = facts
        self._forms: dict[str, Form] = {}
        self._drafts: WeakKeyDictionary[WebsocketSession, Mapping[str, Any]] = WeakKeyDictionary()
        """What is being changed in open panels and not confirmed yet."""

    async def take_defaults(self, browser: Browser) -> None:
        """A new chat begins with what the user chose last."""
        browser.choose(await self._values.get(DEFAULTS, browser.user_id) or {})

    def has_form(self, mode_id: str, form: Form) -> None:
        """A mode that needs more than the panel has: its form comes when a person chooses it, goes
        when they leave it, and waits folded in a thread opened again."""
        self._forms[mode_id] = form

    async def form(self, browser: Browser) -> Drawing | None:
        """The form of the present mode, folded; None where it has none."""
        form = self._forms.get(browser.options.mode)
        return await form(browser, False) if form is not None else None

    async def mode_chosen(self, browser: Browser, before: str) -> None:
        """The mode may be another than `before`: forms come and go."""
        mode = browser.options.mode
        if mode == before:
            return
        if form := self._forms.get(before):
            await browser.emit("delete_message", {"id": (await form(browser, False)).step["id"]})
        if form := self._forms.get(mode):
            await browser.show(await form(browser, True))

    def choose_a_model(self, browser: Browser) -> None:
        """A thread has a model from the first: the one chosen, else the default."""
        if browser.options.text("model"):
            return
        try:
            browser.choose({"model": str(self._models.resolve(""))})
        except KonsiliumError:
            log.debug("no model to choose yet")

    async def show(self, browser: Browser) -> None:
        """Sends the settings panel and the composer's pickers with the present choices."""
        await self._send_widgets(browser, browser.options.values)
        await self.show_pickers(browser)

    async def show_pickers(self, browser: Browser) -> None:
        """Sends the composer's pickers."""
        options, states = browser.options, self._models.states()
        composer = pickers(options, self._modes, states, browser.language)
        await browser.emit("set_modes", [picker.to_dict() for picker in composer])

    async def opened(self, browser: Browser) -> None:
        """The person opened the panel or a picker: its list is made fresh, under what they may have
        changed in it meanwhile (a server that is down is waited for)."""
        self._drafts.pop(browser.session, None)
        await self._models.refresh()
        self.choose_a_model(browser)
        draft = self._drafts.get(browser.session, {})
        await self._send_widgets(browser, {**browser.options.values, **draft})
        await self.show_pickers(browser)

    async def _send_widgets(self, browser: Browser, values: Mapping[str, Any]) -> None:
        mode, states = mode_named(browser.options.mode), self._models.states()
        options = widgets(values, mode, states, browser.language)
        panel = await self._facts.put_into(options, browser, values)
        await browser.emit("chat_settings", [widget.to_dict() for widget in panel])

    async def chosen(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person confirmed the panel: for this thread, and as the default of new ones."""
        self._drafts.pop(browser.session, None)
        await self._facts.chosen(browser, choices)
        browser.choose(choices)
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
            await self._send_widgets(browser, browser.options.values)
            await self.keep(browser)
            await self.mode_chosen(browser, before)

    async def editing(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person is changing the panel: options that need a switch follow it at once."""
        self._drafts[browser.session] = choices
        await self._send_widgets(browser, {**browser.options.values, **choices})

    async def keep(self, browser: Browser) -> None:
        """Keeps the present choices, with the thread and as the user's defaults."""
        await self._values.put(DEFAULTS, browser.user_id, self._choices(browser))
        await self._keep_here(browser)

    async def _keep_here(self, browser: Browser) -> None:
        """Keeps them with the thread; its other tabs show them too."""
        choices = self._choices(browser)
        await self._conversations.keep_settings(browser.user_id, browser.thread_id, choices)
        for page in open_on(browser.thread_id):
            if page.session is not browser.session and page.choose(choices):
                draft = self._drafts.get(page.session, {})
                await self._send_widgets(page, {**page.options.values, **draft})
                await self.show_pickers(page)

    def _choices(self, browser: Browser) -> dict[str, Any]:
        """Those of the present mode, and what was chosen for others."""
        options = browser.options
        every = [option for mode in self._modes for option in mode.options]
        others = {o.id: o.clean(browser.choices[o.id]) for o in every if o.id in browser.choices}
        return {"mode": options.mode, **others, **options.values}
