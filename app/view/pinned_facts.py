"""The facts a person pins, as a field of the settings panel: a line each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from chainlit.input_widget import TextInput
from chainlit.session import WebsocketSession

from app.conversation.compression.thread import ThreadNotes
from app.core.text import Text
from app.view.session import Browser

PINNED = "pinned_facts"
LABEL = Text(ru="Закреплённые факты", uk="Закріплені факти", en="Pinned facts")
HINT = Text(
    ru="По одному в строке. Модель получает их с каждым вопросом, что бы ни сжималось",
    uk="По одному в рядку. Модель отримує їх із кожним запитанням, хоч би що стискалося",
    en="One a line. The model is told them with every question, whatever is compressed",
)

Ensure = Callable[[str, str], Awaitable[None]]
"""Makes a user's thread where there is none: ensure(thread_id, user_id). Raises NotFound for another's."""


class PinnedFacts:
    """Shows what is pinned in a conversation, and takes what the person made of it."""

    def __init__(self, notes: ThreadNotes, ensure: Ensure) -> None:
        self._notes = notes
        self._ensure = ensure
        self._shown: WeakKeyDictionary[WebsocketSession, tuple[str, ...]] = WeakKeyDictionary()
        """What each page was sent last: only what the person changed in it counts, since a fact may
        have been pinned elsewhere meanwhile."""

    async def field(self, browser: Browser, values: Mapping[str, Any]) -> TextInput:
        """The field, with what is being written in it where that is among the values."""
        pinned = [fact.text for fact in await self._notes.pinned(browser.thread_id)]
        draft = values.get(PINNED)
        if draft is None:
            self._shown[browser.session] = tuple(pinned)
        return TextInput(
            id=PINNED,
            label=LABEL[browser.language],
            description=HINT[browser.language],
            initial="\n".join(pinned) if draft is None else str(draft),
            multiline=True,
        )

    async def chosen(self, browser: Browser, text: str) -> None:
        """The person confirmed the panel. Raises NotFound for another's thread."""
        before = self._shown.get(browser.session, ())
        after = tuple(dict.fromkeys(filter(None, (" ".join(x.split()) for x in text.split("\n")))))
        added = [line for line in after if line not in before]
        gone = {line for line in before if line not in after}
        if not (added or gone):
            return
        await self._ensure(browser.thread_id, browser.user_id)
        for fact in await self._notes.pinned(browser.thread_id):
            if fact.text in gone:
                await self._notes.unpin(browser.thread_id, fact.id)
        for line in added:
            await self._notes.pin(browser.thread_id, line)
