"""What the pages without a script have in common: bases, assistants, the bin, the imports, the sign-ins."""

from html import escape

from fastapi import HTTPException
from fastapi.responses import HTMLResponse, Response

from app.core.text import Language, Text
from app.view.chainlit.identity import asking_id

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
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

BACK = Text(ru="К разговорам", uk="До розмов", en="To the conversations")
NAME = Text(ru="Название", uk="Назва", en="Name")
REMOVE = Text(ru="Удалить", uk="Видалити", en="Delete")
SHARE = Text(ru="Открыть для всех здесь", uk="Відкрити для всіх тут", en="Share with everyone here")
UNSHARE = Text(ru="Закрыть для других", uk="Закрити для інших", en="Close to others")


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


def asking() -> str:
    """Whose request it is; 401 for nobody's."""
    user = asking_id()
    if user is None:
        raise HTTPException(401, "Unauthorized")
    return user


def missing() -> HTTPException:
    """What is not there, or not the asking person's to see."""
    return HTTPException(404, "Not found")
