"""The page of the dashboard: its texts in the reader's language, its colours from the theme."""

import json
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

from app.conversation.modes import MODES
from app.core.text import Language
from app.gateway.dashboard.texts import TEXTS


@cache
def dashboard_page(public: Path, language: Language, admin: bool) -> str:
    """The HTML, made once for each language; `public` is the folder that is served as /public."""
    folder = public / "dashboard"
    page = (folder / "index.html").read_text(encoding="utf-8")
    texts = {name: text[language] for name, text in TEXTS.items()}
    modes = {mode.id: mode.name[language] for mode in MODES}
    facts = {"language": language, "admin": admin, "texts": texts, "modes": modes}
    values = {
        "language": language,
        "version": _version(folder),
        "title": escape(texts["title"]),
        "theme": _theme(public / "theme.json"),
        "facts": json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c"),
    }
    for name, value in values.items():
        page = page.replace(f"{{{{{name}}}}}", value)
    return page


def _version(folder: Path) -> str:
    """Changes with the page's files, so that no browser mixes old ones with new."""
    contents = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return sha256(contents).hexdigest()[:12]


def _theme(path: Path) -> str:
    """The chat's colours, so that both pages are of one house."""
    variables = json.loads(path.read_text(encoding="utf-8"))["variables"]

    def rules(theme: str) -> str:
        return "".join(f"{name}:{value};" for name, value in variables[theme].items())

    return f":root{{{rules('light')}}}.dark{{{rules('dark')}}}"
