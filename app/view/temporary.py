"""Conversations that leave nothing: no list shows them, nothing finds, shares or caches them, and they go
with the page that shows them. What their calls took is counted like that of others."""

import contextlib

from fastapi import APIRouter, HTTPException
from fastapi.responses import RedirectResponse, Response

from app.conversation.turn import Turns
from app.core.errors import NotFound
from app.storage.threads import Threads
from app.view.chainlit.browser import PRESET, PROJECT, TEMPORARY, Browser, open_on
from app.view.chainlit.identity import asking_id

PATH = "/temporary"


async def say_apart(page: Browser) -> None:
    """Tells the page whether its thread is one, what it was begun with, and the project that it is in."""
    shown = page.thread_id if page.temporary else None
    begun = [page.thread_id, page.choices.get(PRESET) or ""]
    inside = [page.thread_id, *(page.choices.get(PROJECT) or ("", ""))]
    told = {"konsilium_temporary": shown, "konsilium_preset": begun, "konsilium_project": inside}
    await page.emit("window_message", told)


class TemporaryChats:
    """What becomes of them."""

    def __init__(self, threads: Threads, turns: Turns) -> None:
        self._threads = threads
        self._turns = turns

    async def left(self, page: Browser) -> None:
        """The page is gone for good; a temporary thread that no other page shows goes with it."""
        thread_id, user_id = page.thread_id, page.user_id
        if not page.temporary or open_on(thread_id):
            return
        with contextlib.suppress(NotFound):  # deleted already
            if await self._threads.is_temporary(thread_id):
                await self._turns.abandon(thread_id)
                await self._threads.delete(thread_id, user_id)

    async def keep(self, page: Browser) -> None:
        """The thread is one like the others from now on, on every page that shows it."""
        await self._threads.keep(page.thread_id, page.user_id)
        for each in open_on(page.thread_id):
            each.choose({TEMPORARY: False})
            await say_apart(each)
            await each.list_anew(each.thread_id)


def temporary_router(threads: Threads, root: str = "") -> APIRouter:
    """`POST /temporary`: a new one, and its page."""
    router = APIRouter(prefix=root, include_in_schema=False)

    @router.post(PATH)
    async def begin() -> Response:
        if (user_id := asking_id()) is None:
            raise HTTPException(401, "Unauthorized")
        made = await threads.begin(user_id, temporary=True)
        return RedirectResponse(f"{root}/thread/{made}", 303)

    return router
