"""The first screen where no model answers: what to do, turning green by itself when it is done."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.core.events import StepKind
from app.core.models import ServerState
from app.core.ports import Models
from app.core.turns import StepRecord, new_id, now
from app.view.model_labels import chat_models
from app.view.rendering import draw, element
from app.view.session import Browser

SUGGESTED_MODEL = "gemma2:2b"
POLL_SECONDS = 2.0


class Guide:
    """Shows the guide and keeps it true until a model answers, then calls `recovered`."""

    def __init__(self, models: Models, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._models = models
        self._poll_seconds = poll_seconds
        self._watching: dict[str, asyncio.Task[None]] = {}
        self.recovered: Callable[[Browser], Awaitable[None]] | None = None

    async def show(self, browser: Browser) -> None:
        """Draws the guide if there is no model to talk to; returns at once."""
        if chat_models(self._models.states()):
            return
        record = StepRecord(
            new_id(),
            browser.thread_id,
            "assistant_message",
            "Konsilium",
            StepKind.NOTICE,
            ended_at=now(),
        )
        await browser.emit("new_message", draw(record, browser.language).step)
        await self._draw(browser, record)
        session_id = browser.session.id
        self._watching[session_id] = asyncio.create_task(self._watch(browser, record))
        self._watching[session_id].add_done_callback(lambda _: self._watching.pop(session_id, None))

    def left(self, browser: Browser) -> None:
        """The browser is gone: nobody to guide."""
        if watching := self._watching.get(browser.session.id):
            watching.cancel()

    async def _watch(self, browser: Browser, record: StepRecord) -> None:
        shown: object = None
        while True:
            await asyncio.sleep(self._poll_seconds)
            states = await self._models.refresh()
            present = _props(states, browser)
            if present != shown:
                shown = present
                await self._draw(browser, record)
            if chat_models(states):
                if self.recovered is not None:
                    await self.recovered(browser)
                return

    async def _draw(self, browser: Browser, record: StepRecord) -> None:
        props = _props(self._models.states(), browser)
        await browser.emit("element", element(record.id, record.thread_id, "Guide", props))


def _props(states: Sequence[ServerState], browser: Browser) -> dict[str, Any]:
    return {
        "lang": browser.language,
        "ready": bool(chat_models(states)),
        "servers": [
            {
                "name": state.name,
                "kind": state.kind,
                "url": state.url,
                "ok": state.reachable,
                "models": len(state.models),
                "reason": state.error.code if state.error else None,
            }
            for state in states
        ],
        "suggested": SUGGESTED_MODEL,
    }
