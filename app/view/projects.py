"""Projects in the side bar, and what of them is on their page: the conversations that are in one."""

from collections.abc import Sequence
from html import escape
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.core.errors import NotFound
from app.core.text import Language, Text
from app.core.threads import ThreadRecord
from app.storage.presets import Presets
from app.storage.threads import Threads
from app.view.chainlit.browser import PROJECT, every_browser, open_on
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
        found = await presets.project_of(thread) if open_on(thread) else None
        for page in open_on(thread):
            page.choose({PROJECT: [found.id, found.name] if found else None})
            await say_apart(page)
        await tell_of_projects(user)
        return RedirectResponse(f"{root}/thread/{thread}", 303)

    return router


async def tell_of_projects(user_id: str) -> None:
    """Every page of that user looks at the projects, and at its list of conversations, anew."""
    for page in every_browser():
        if page.connected and page.user_id == user_id:
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
