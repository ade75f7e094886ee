"""/bin: the conversations that one has deleted, for as long as they are kept, to be taken back or to be
deleted for good."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from app.core.errors import NotFound
from app.core.text import Language, Text
from app.core.threads import ThreadRecord
from app.storage.threads import BIN_DAYS, Threads
from app.view.chainlit.identity import asking_id, reading_language
from app.view.sessions import page_of

PATH = "/bin"

TITLE = Text(ru="Корзина", uk="Кошик", en="Bin")
HINT = Text(
    ru="Удалённые разговоры лежат здесь {days} дней, потом удаляются навсегда, вместе с файлами.",
    uk="Видалені розмови лежать тут {days} днів, потім видаляються назавжди, разом із файлами.",
    en="Deleted conversations are kept here for {days} days, then deleted for good, files and all.",
)
EMPTY = Text(ru="Здесь пусто.", uk="Тут порожньо.", en="Nothing is here.")
UNTIL = Text(
    ru="удалён {deleted}, хранится до {until} (UTC)",
    uk="видалено {deleted}, зберігається до {until} (UTC)",
    en="deleted {deleted}, kept until {until} (UTC)",
)
RESTORE = Text(ru="Вернуть", uk="Повернути", en="Restore")
PURGE = Text(ru="Удалить навсегда", uk="Видалити назавжди", en="Delete for good")
PURGE_ALL = Text(ru="Очистить корзину", uk="Очистити кошик", en="Empty the bin")
UNNAMED = Text(ru="Разговор", uk="Розмова", en="Conversation")


def bin_router(threads: Threads, root: str = "") -> APIRouter:
    """The page, without a script, and its buttons' forms; `root` is the path that the app is served
    under. Forms of other sites are refused with all their requests (`origins.py`)."""
    router = APIRouter(prefix=f"{root}{PATH}", include_in_schema=False)

    def asking() -> str:
        user_id = asking_id()
        if user_id is None:
            raise HTTPException(401, "Unauthorized")
        return user_id

    @router.get("")
    async def page() -> Response:
        if (user_id := asking_id()) is None:
            return RedirectResponse(f"{root}/login", 303)
        language = reading_language()
        return page_of(
            TITLE[language], _body(await threads.bin(user_id), language, root), language, root
        )

    @router.post("/restore")
    async def restore(thread: Annotated[str, Form(max_length=100)]) -> Response:
        """Takes it back, and opens it."""
        try:
            await threads.restore(thread, asking())
        except NotFound:
            raise HTTPException(404, "Not found") from None
        return RedirectResponse(f"{root}/thread/{thread}", 303)

    @router.post("/purge")
    async def purge(thread: Annotated[str, Form(max_length=100)] = "") -> Response:
        """Deletes it for good, or without one all that is there."""
        if not await threads.purge(user_id=asking(), thread_id=thread or None) and thread:
            raise HTTPException(404, "Not found")
        return RedirectResponse(f"{root}{PATH}", 303)

    return router


def _body(deleted: Sequence[ThreadRecord], language: Language, root: str) -> str:
    rows = "".join(_row(thread, language, root) for thread in deleted)
    everything = _form("purge", "", PURGE_ALL[language], root) if deleted else ""
    hint = HINT.format(days=BIN_DAYS)[language]
    return f"<p>{hint}</p><ul>{rows}</ul>{everything or f'<p>{EMPTY[language]}</p>'}"


def _row(thread: ThreadRecord, language: Language, root: str) -> str:
    deleted = thread.deleted_at or thread.active_at
    until = deleted + timedelta(days=BIN_DAYS)
    when = UNTIL.format(deleted=f"{deleted:%Y-%m-%d %H:%M}", until=f"{until:%Y-%m-%d}")[language]
    title = escape(thread.title or UNNAMED[language])
    restore = _form("restore", thread.id, RESTORE[language], root)
    purge = _form("purge", thread.id, PURGE[language], root)
    return f"<li><span><strong>{title}</strong><small>{when}</small></span><span>{restore} {purge}</span></li>"


def _form(action: str, thread: str, label: str, root: str) -> str:
    return (
        f'<form method="post" action="{root}{PATH}/{action}" style="display:inline">'
        f'<input type="hidden" name="thread" value="{escape(thread)}"><button>{label}</button></form>'
    )
