"""What the pages without a script have in common: bases, assistants, the bin, the imports, the sign-ins."""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from html import escape

from fastapi import HTTPException
from fastapi.responses import HTMLResponse, Response

from app.core.text import Language, Text
from app.core.theme import theme_css
from app.settings import PAGE
from app.view.chainlit.identity import asking_id

_PUBLIC = PAGE / "public"
_THEME = theme_css((_PUBLIC / "theme.json").read_text(encoding="utf-8"))
_SCRIPTS = tuple(
    (_PUBLIC / name).read_text(encoding="utf-8") for name in ("dashboard/theme.js", "moments.js")
)
"""The page in the theme that was chosen in the chat; its moments as the reader writes them."""
_HASHES = " ".join(
    f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in _SCRIPTS
)
_POLICY = (
    f"default-src 'none'; script-src {_HASHES}; style-src 'self' 'unsafe-inline'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

BACK = Text(ru="К разговорам", uk="До розмов", en="To the conversations")
NAME = Text(ru="Название", uk="Назва", en="Name")
CANCEL = Text(ru="Отмена", uk="Скасувати", en="Cancel")
REMOVE = Text(ru="Удалить", uk="Видалити", en="Delete")
SHARE = Text(ru="Открыть для всех здесь", uk="Відкрити для всіх тут", en="Share with everyone here")
UNSHARE = Text(ru="Закрыть для других", uk="Закрити для інших", en="Close to others")


def page_of(title: str, body: str, language: Language, root: str, status: int = 200) -> Response:
    """A page beside the chat, of forms and lists; its scripts are for the theme and for moments alone."""
    theme, moments = _SCRIPTS
    html = (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · Konsilium</title><link rel="icon" href="{root}/public/favicon.svg">'
        f'<style>{_THEME}</style><link rel="stylesheet" href="{root}/public/pages.css">'
        f'<script>{theme}</script><body><a href="{root}/">← {BACK[language]}</a><h1>{title}</h1>'
        f"{body}<script>{moments}</script></body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(html, status, headers)


def when(moment: datetime, *, day: bool = False) -> str:
    """A moment, or a day: the page writes it in the reader's language, by the reader's clock; in UTC without
    scripts."""
    moment = moment.astimezone(UTC)
    kind = " data-day" if day else ""
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}"{kind}>{moment:%Y-%m-%d %H:%M} UTC</time>'


def button(action: str, label: str, **fields: str) -> str:
    """A button that sends these fields to the address `action`."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    return (
        f'<form method="post" action="{action}" style="display:inline">'
        f"{hidden}<button>{label}</button></form>"
    )


def losing_button(
    action: str, label: str, question: Text, language: Language, **fields: str
) -> str:
    """The same for what cannot be taken back: asks first. `question` has no markup."""
    id = f"sure-{sha256(repr((action, fields)).encode()).hexdigest()[:12]}"
    return (
        f'<button type="button" class="loses" popovertarget="{id}">{label}</button>'
        f'<div popover id="{id}" role="alertdialog" aria-labelledby="{id}-asks">'
        f'<p id="{id}-asks">{escape(question[language])}</p>{button(action, label, **fields)} '
        f'<button type="button" autofocus popovertarget="{id}" popovertargetaction="hide">'
        f"{CANCEL[language]}</button></div>"
    )


def asking() -> str:
    """Whose request it is; 401 for nobody's."""
    user = asking_id()
    if user is None:
        raise HTTPException(401, "Unauthorized")
    return user


def missing() -> HTTPException:
    """What is not there, or not the asking person's to see."""
    return HTTPException(404, "Not found")
