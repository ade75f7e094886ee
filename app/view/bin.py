"""/bin: the conversations that one has deleted, for as long as they are kept, to be taken back or to be
deleted for good; /archive: those that one has put away from the list."""

from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from fastapi.responses import RedirectResponse, Response

from app.core.errors import NotFound
from app.core.text import Language, Text
from app.core.threads import Page, ThreadRecord
from app.storage.threads import BIN_DAYS, Threads
from app.view.chainlit.identity import asking_id, reading_language
from app.view.own_pages import asking, button, losing_button, missing, page_of, when

Shelf = Literal["bin", "archive"]
OF_PAGE = 100
"""Conversations of the archive on one page."""


@dataclass(frozen=True, slots=True)
class _Texts:
    title: Text
    hint: Text
    when: Text
    restore: Text


_TEXTS: dict[Shelf, _Texts] = {
    "bin": _Texts(
        Text(ru="Корзина", uk="Кошик", en="Bin"),
        Text(
            ru=f"Удалённые разговоры лежат здесь {BIN_DAYS} дней, потом удаляются навсегда, вместе с файлами.",
            uk=f"Видалені розмови лежать тут {BIN_DAYS} днів, потім видаляються назавжди, разом із файлами.",
            en=f"Deleted conversations are kept here for {BIN_DAYS} days, then deleted for good, files and all.",
        ),
        Text(
            ru="удалён {since}, хранится до {until}",
            uk="видалено {since}, зберігається до {until}",
            en="deleted {since}, kept until {until}",
        ),
        Text(ru="Вернуть", uk="Повернути", en="Restore"),
    ),
    "archive": _Texts(
        Text(ru="Архив", uk="Архів", en="Archive"),
        Text(
            ru="Разговоры, убранные из списка. Поиск их находит; новый вопрос возвращает разговор в список.",
            uk="Розмови, прибрані зі списку. Пошук їх знаходить; нове запитання повертає розмову до списку.",
            en="Conversations put away from the list. Search still finds them; a new question brings one back.",
        ),
        Text(
            ru="в архиве с {since}",
            uk="в архіві з {since}",
            en="here since {since}",
        ),
        Text(ru="Вернуть в список", uk="Повернути до списку", en="Back to the list"),
    ),
}
EMPTY = Text(ru="Здесь пусто.", uk="Тут порожньо.", en="Nothing is here.")
PURGE = Text(ru="Удалить навсегда", uk="Видалити назавжди", en="Delete for good")
PURGE_ALL = Text(ru="Очистить корзину", uk="Очистити кошик", en="Empty the bin")
SURE = Text(
    ru="Удалить «{name}» навсегда? Вернуть этот разговор будет нельзя.",
    uk="Видалити «{name}» назавжди? Повернути цю розмову буде неможливо.",
    en="Delete “{name}” for good? This conversation cannot be brought back.",
)
SURE_ALL = Text(
    ru="Удалить навсегда всё, что в корзине? Вернуть эти разговоры будет нельзя.",
    uk="Видалити назавжди все, що в кошику? Повернути ці розмови буде неможливо.",
    en="Delete all that is in the bin for good? These conversations cannot be brought back.",
)
MORE = Text(ru="Дальше", uk="Далі", en="More")
UNNAMED = Text(ru="Разговор", uk="Розмова", en="Conversation")


def bin_router(threads: Threads, shelf: Shelf, root: str = "") -> APIRouter:
    """The page and its buttons' forms; `root` is the path that the app is served
    under. Forms of other sites are refused with all their requests (`origins.py`)."""
    router = APIRouter(prefix=f"{root}/{shelf}", include_in_schema=False)

    @router.get("")
    async def page(cursor: Annotated[str | None, Query(max_length=200)] = None) -> Response:
        if (user_id := asking_id()) is None:
            return RedirectResponse(f"{root}/login", 303)
        language = reading_language()
        if shelf == "bin":
            held = Page(await threads.bin(user_id))
        else:
            held = await threads.page(user_id, limit=OF_PAGE, cursor=cursor, archived=True)
        body = _body(held, shelf, language, root)
        return page_of(_TEXTS[shelf].title[language], body, language, root)

    @router.post("/restore")
    async def restore(thread: Annotated[str, Form(max_length=100)]) -> Response:
        """Takes it back, and opens it."""
        try:
            if shelf == "bin":
                await threads.restore(thread, asking())
            else:
                await threads.archive(thread, asking(), False)
        except NotFound:
            raise missing() from None
        return RedirectResponse(f"{root}/thread/{thread}", 303)

    if shelf == "archive":

        @router.post("/add")
        async def add(thread: Annotated[str, Form(max_length=100)]) -> Response:
            """Puts it away."""
            try:
                await threads.archive(thread, asking(), True)
            except NotFound:
                raise missing() from None
            return RedirectResponse(f"{root}/archive", 303)

        return router

    @router.post("/purge")
    async def purge(thread: Annotated[str, Form(max_length=100)] = "") -> Response:
        """Deletes it for good, or without one all that is there."""
        if not await threads.purge(user_id=asking(), thread_id=thread or None) and thread:
            raise missing()
        return RedirectResponse(f"{root}/bin", 303)

    return router


def _body(held: Page[ThreadRecord], shelf: Shelf, language: Language, root: str) -> str:
    rows = "".join(_row(thread, shelf, language, root) for thread in held.items)
    below = f"<p>{EMPTY[language]}</p>"
    if held.next:
        query = escape(f"{root}/archive?cursor={quote(held.next)}")
        below = f'<p><a href="{query}">{MORE[language]}</a></p>'
    elif held.items:
        below = ""
        if shelf == "bin":
            below = losing_button(f"{root}/bin/purge", PURGE_ALL[language], SURE_ALL, language)
    return f"<p>{_TEXTS[shelf].hint[language]}</p><ul>{rows}</ul>{below}"


def _row(thread: ThreadRecord, shelf: Shelf, language: Language, root: str) -> str:
    texts, since = _TEXTS[shelf], thread.deleted_at or thread.archived_at or thread.active_at
    until = since + timedelta(days=BIN_DAYS)
    about = texts.when.format(since=when(since), until=when(until, day=True))[language]
    name = thread.title or UNNAMED[language]
    title = escape(name)
    buttons = button(f"{root}/{shelf}/restore", texts.restore[language], thread=thread.id)
    if shelf == "bin":
        asks, address = SURE.format(name=name), f"{root}/bin/purge"
        purge = losing_button(address, PURGE[language], asks, language, thread=thread.id)
        buttons += f" {purge}"
    else:
        title = f'<a href="{root}/thread/{thread.id}">{title}</a>'
    return f"<li><span><strong>{title}</strong><small>{about}</small></span><span>{buttons}</span></li>"
