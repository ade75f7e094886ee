"""Projects in the side bar, and what of them is on their page: the conversations that are in one."""

from collections.abc import Sequence
from html import escape
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.core.concurrency import BackgroundTasks
from app.core.errors import NotFound
from app.core.project_news import ProjectNews
from app.core.text import Language, Text
from app.core.threads import ThreadRecord
from app.storage.presets import Presets
from app.storage.threads import Threads
from app.view.chainlit.browser import PROJECT, Browser, every_browser
from app.view.own_pages import asking, missing
from app.view.temporary import say_apart

LISTED = 100
"""Conversations of a project on its page, the latest; a search finds the others."""
INSIDE = Text(ru="Разговоры", uk="Розмови", en="Conversations")
FIND = Text(ru="Найти", uk="Знайти", en="Search")
NOTHING = Text(ru="Ничего нет.", uk="Нічого немає.", en="There is nothing.")
UNNAMED = Text(ru="Разговор", uk="Розмова", en="Conversation")

_Thread = Annotated[str, Form(pattern="^[0-9a-f-]{1,64}$")]
_Project = Annotated[str, Form(pattern="^[0-9a-f-]{0,64}$")]


def projects_router(presets: Presets, threads: Threads, root: str = "") -> APIRouter:
    """`GET /projects`: one's own, by name. `POST /projects/move`: a conversation into one of them, or out
    of all; 404 where either is another's."""
    router = APIRouter(prefix=f"{root}/projects", include_in_schema=False)

    @router.get("")
    async def listed() -> JSONResponse:
        own = await presets.all("projects", asking())
        told = {"projects": [{"id": one.id, "name": one.name} for one in own]}
        return JSONResponse(told, headers={"Cache-Control": "private, no-store"})

    @router.post("/move")
    async def move(thread: _Thread, project: _Project = "") -> Response:
        user = asking()
        try:
            await threads.move(thread, user, project or None)
        except NotFound:
            raise missing() from None
        return RedirectResponse(f"{root}/thread/{thread}", 303)

    return router


class ProjectPages:
    """What pages are told when projects change, in this process or another."""

    def __init__(self, presets: Presets, news: ProjectNews) -> None:
        self._presets = presets
        self._background = BackgroundTasks()
        news.subscribe(self._tell)

    def _tell(self, user_id: str, thread_id: str) -> None:
        pages = [p for p in every_browser() if p.connected and p.user_id == user_id]
        if pages:
            self._background.start(self._show(pages, thread_id))

    async def _show(self, pages: Sequence[Browser], thread_id: str) -> None:
        """Every page looks at the projects, and at its list of conversations, anew; those that show the
        thread which was moved, or one of a project, are told where it is now."""
        for page in pages:
            here = page.thread_id
            if here == thread_id or page.choices.get(PROJECT):
                found = await self._presets.project_of(here)
                if page.thread_id == here:  # another that it shows by now has told where it is
                    page.choose({PROJECT: [found.id, found.name] if found else None})
                    await say_apart(page)
            await page.emit("window_message", {"konsilium_projects": True})


def conversations(
    held: Sequence[ThreadRecord], looked_for: str, here: str, language: Language, root: str
) -> str:
    """A project's conversations on its page, which is at `here`, and the form that searches them. What was
    found in another branch opens there."""

    def address(thread: ThreadRecord) -> str:
        branch = f"?branch={quote(thread.found_id)}" if thread.found_id else ""
        return f"{root}/thread/{thread.id}{branch}"

    rows = "".join(
        f'<li><span><a href="{address(thread)}">{escape(thread.title or UNNAMED[language])}</a>'
        f"<small>{escape(thread.excerpt or '')}</small></span></li>"
        for thread in held
    )
    find = (
        f'<form action="{here}" role="search"><input name="q" aria-label="{FIND[language]}" '
        f'value="{escape(looked_for)}"> <button>{FIND[language]}</button></form>'
    )
    shown = f"<ul>{rows}</ul>" if rows else f"<p>{NOTHING[language]}</p>"
    return f"<h2>{INSIDE[language]}</h2>{find}{shown}"
