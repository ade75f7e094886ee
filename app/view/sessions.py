"""/sessions: where one is signed in, and the buttons that end it."""

from collections.abc import Sequence
from html import escape
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.access.sessions import Session, Sessions, id_of
from app.core.errors import NotFound
from app.core.text import Language, Text
from app.view.chainlit.identity import identity, reading_language

PATH = "/sessions"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)

TITLE = Text(ru="Где выполнен вход", uk="Де виконано вхід", en="Where you are signed in")
BACK = Text(ru="К разговорам", uk="До розмов", en="To the conversations")
HINT = Text(
    ru="Незнакомый вход завершите и смените пароль. Завершённый вход закрывается сразу, на всех страницах.",
    uk="Незнайомий вхід завершіть і змініть пароль. Завершений вхід закривається одразу, на всіх сторінках.",
    en="End a sign-in that you do not know, and change your password. It closes at once, on every page.",
)
THIS = Text(ru="Этот вход", uk="Цей вхід", en="This one")
SINCE = Text(ru="с {moment} (UTC)", uk="з {moment} (UTC)", en="since {moment} (UTC)")
END = Text(ru="Завершить", uk="Завершити", en="End")
END_OTHERS = Text(ru="Завершить все остальные", uk="Завершити всі інші", en="End all the others")
UNKNOWN = Text(ru="Другая программа", uk="Інша програма", en="Another program")

_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "YaBrowser": "Yandex Browser", "Firefox": "Firefox"}
_BROWSERS |= {"Chrome": "Chrome", "Safari": "Safari"}
"""By a word of the User-Agent; the first that is in it counts, for most claim to be the last, too."""
_SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows"}
_SYSTEMS |= {"Mac OS X": "macOS", "CrOS": "ChromeOS", "Linux": "Linux"}

_STYLE = """
:root { color-scheme: light dark; --paper: hsl(43 38% 97%); --card: hsl(45 50% 99%); --ink: hsl(30 14% 13%);
  --faint: hsl(32 9% 36%); --line: hsl(40 18% 80%); --accent: hsl(173 58% 24%);
  background: var(--paper); color: var(--ink); accent-color: var(--accent); font: 16px/1.5 system-ui, sans-serif }
@media (prefers-color-scheme: dark) { :root { --paper: hsl(180 6% 10%); --card: hsl(180 5% 14%);
  --ink: hsl(42 22% 89%); --faint: hsl(42 9% 67%); --line: hsl(180 5% 30%); --accent: hsl(169 44% 62%) } }
body { max-width: 42rem; margin: 0 auto; padding: 1.5rem }
a { color: var(--accent) }
ul { list-style: none; padding: 0 }
li { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between;
  padding: .9rem 0; border-top: 1px solid var(--line) }
input, textarea, select { font: inherit; max-width: 100%; padding: .3rem .5rem }
input:not([type=file]), textarea, select { background: var(--card); color: inherit; border: 1px solid var(--line);
  border-radius: .5rem }
fieldset { border: 1px solid var(--line); border-radius: .5rem }
small { display: block; color: var(--faint); overflow-wrap: anywhere }
button, ::file-selector-button { font: inherit; padding: .4rem 1rem; border-radius: .75rem; cursor: pointer;
  border: 1px solid var(--line); background: var(--card); color: inherit }
button:hover, ::file-selector-button:hover { border-color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
"""
"""The chat's own colours (public/theme.json)."""


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
        who = identity.get()
        if who.user_id is None:
            raise HTTPException(401, "Unauthorized")
        others = [one.id for one in await sessions.of(who.user_id) if one.id != _own()]
        for id in [session] if session else others:
            try:
                await sessions.end_listed(who.user_id, id)
            except NotFound:
                raise HTTPException(404, "Not found") from None
        return RedirectResponse(f"{root}{PATH}", 303)

    return router


def _own() -> str:
    return id_of(identity.get().token)


def _body(sessions: Sequence[Session], own: str, language: Language, root: str) -> str:
    rows = "".join(_row(one, one.id == own, language, root) for one in sessions)
    others = any(one.id != own for one in sessions)
    everything = _form("", END_OTHERS[language], root) if others else ""
    return f"<p>{HINT[language]}</p><ul>{rows}</ul>{everything}"


def page_of(title: str, body: str, language: Language, root: str, status: int = 200) -> Response:
    """A page without a script, beside the chat: of forms and lists."""
    html = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · Konsilium</title><link rel="icon" href="{root}/public/favicon.svg">'
        f'<style>{_STYLE}</style><body><a href="{root}/">← {BACK[language]}</a><h1>{title}</h1>'
        f"{body}</body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(html, status, headers)


def _row(session: Session, own: bool, language: Language, root: str) -> str:
    since = SINCE.format(moment=f"{session.since:%Y-%m-%d %H:%M}")[language]
    about = " · ".join(part for part in (escape(session.address), since) if part)
    agent = escape(agent_name(session.agent) or UNKNOWN[language])
    end = f"<em>{THIS[language]}</em>" if own else _form(session.id, END[language], root)
    return f"<li><span><strong>{agent}</strong><small>{about}</small></span>{end}</li>"


def _form(session: str, label: str, root: str) -> str:
    return (
        f'<form method="post" action="{root}{PATH}/end">'
        f'<input type="hidden" name="session" value="{escape(session)}"><button>{label}</button></form>'
    )


def agent_name(agent: str) -> str:
    """A browser and its system in a few words, by its User-Agent; empty for other programs."""
    browser = next((name for word, name in _BROWSERS.items() if f"{word}/" in agent), "")
    system = next((name for word, name in _SYSTEMS.items() if word in agent), "")
    return ", ".join(part for part in (browser, system) if part)
