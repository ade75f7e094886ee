"""/sessions: where one is signed in, and the buttons that end it."""

from collections.abc import Sequence
from html import escape
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from app.access.sessions import Session, Sessions, id_of
from app.core.errors import NotFound
from app.core.text import Language, Text
from app.view.chainlit.identity import identity, reading_language
from app.view.own_pages import asking, button, missing, page_of, when

PATH = "/sessions"

TITLE = Text(ru="Где выполнен вход", uk="Де виконано вхід", en="Where you are signed in")
HINT = Text(
    ru="Незнакомый вход завершите и смените пароль. Завершённый вход закрывается сразу, на всех страницах.",
    uk="Незнайомий вхід завершіть і змініть пароль. Завершений вхід закривається одразу, на всіх сторінках.",
    en="End a sign-in that you do not know, and change your password. It closes at once, on every page.",
)
THIS = Text(ru="Этот вход", uk="Цей вхід", en="This one")
SINCE = Text(ru="с\u00a0{moment}", uk="з\u00a0{moment}", en="since\u00a0{moment}")
END = Text(ru="Завершить", uk="Завершити", en="End")
END_OTHERS = Text(ru="Завершить все остальные", uk="Завершити всі інші", en="End all the others")
UNKNOWN = Text(ru="Другая программа", uk="Інша програма", en="Another program")

_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "YaBrowser": "Yandex Browser", "Firefox": "Firefox"}
_BROWSERS |= {"Chrome": "Chrome", "Safari": "Safari"}
"""By a word of the User-Agent; the first that is in it counts, for most claim to be the last, too."""
_SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows"}
_SYSTEMS |= {"Mac OS X": "macOS", "CrOS": "ChromeOS", "Linux": "Linux"}


def sessions_router(sessions: Sessions, root: str = "") -> APIRouter:
    """The page, without a script, and its buttons' forms. `root` is the path that the app is served
    under; forms of other sites are refused with all their requests (`origins.py`)."""
    router = APIRouter(prefix=f"{root}{PATH}", include_in_schema=False)

    @router.get("")
    async def page() -> Response:
        who = identity.get()
        if who.user_id is None:
            return RedirectResponse(f"{root}/login", 303)
        language = reading_language()
        body = _body(await sessions.of(who.user_id), _own(), language, root)
        return page_of(TITLE[language], body, language, root)

    @router.post("/end")
    async def end(session: Annotated[str, Form(max_length=64)] = "") -> Response:
        """Ends that sign-in, or without one all but that which asks."""
        user = asking()
        others = [one.id for one in await sessions.of(user) if one.id != _own()]
        for id in [session] if session else others:
            try:
                await sessions.end_listed(user, id)
            except NotFound:
                raise missing() from None
        return RedirectResponse(f"{root}{PATH}", 303)

    return router


def _own() -> str:
    return id_of(identity.get().token)


def _body(sessions: Sequence[Session], own: str, language: Language, root: str) -> str:
    rows = "".join(_row(one, one.id == own, language, root) for one in sessions)
    others = any(one.id != own for one in sessions)
    everything = button(f"{root}{PATH}/end", END_OTHERS[language]) if others else ""
    return f"<p>{HINT[language]}</p><ul>{rows}</ul>{everything}"


def _row(session: Session, own: bool, language: Language, root: str) -> str:
    since = SINCE.format(moment=when(session.since))[language]
    about = " · ".join(part for part in (escape(session.address), since) if part)
    agent = escape(agent_name(session.agent) or UNKNOWN[language])
    end = (
        f"<em>{THIS[language]}</em>"
        if own
        else button(f"{root}{PATH}/end", END[language], session=session.id)
    )
    return f"<li><span><strong>{agent}</strong><small>{about}</small></span>{end}</li>"


def agent_name(agent: str) -> str:
    """A browser and its system in a few words, by its User-Agent; empty for other programs."""
    browser = next((name for word, name in _BROWSERS.items() if f"{word}/" in agent), "")
    system = next((name for word, name in _SYSTEMS.items() if word in agent), "")
    return ", ".join(part for part in (browser, system) if part)
