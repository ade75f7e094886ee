"""/import: a file with the conversations of another program is looked through, and then brought in.

The file is read by the command line's own `import`, in a process of its own: what it takes of memory and
time is nobody else's, and there is one way in.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, UploadFile
from fastapi.responses import RedirectResponse, Response

from app.attachments.limits import MEGABYTE
from app.conversation.import_candidates import MISSING, STATES, ImportCandidate, refused, summed
from app.core.errors import StorageUnavailable
from app.core.text import Language, Text
from app.core.turns import new_id
from app.view.chainlit.identity import identity, reading_language
from app.view.files import AROUND_BYTES, Upload
from app.view.own_pages import page_of, when

PATH = "/import"
MAX_BYTES = 100 * MEGABYTE
"""Of a file, and of the JSON in it; the command line takes more."""
MAX_MEMORY = 2_000 * MEGABYTE
"""Of the process that reads it."""
SECONDS = 600.0
KEPT_SECONDS = 3600.0
"""Between looking a file through and bringing it in."""
_SHOWN = 500
_ROOT = Path(__file__).resolve().parents[2]

TITLE = Text(ru="Импорт разговоров", uk="Імпорт розмов", en="Import conversations")
HINT = Text(
    ru="Подойдут экспорт ChatGPT (ZIP или conversations.json), Open WebUI, LibreChat и JSON из Konsilium, до {limit} МБ. Сначала файл только проверят и покажут, что в нём есть. Один и тот же разговор дважды не появится.",
    uk="Підійдуть експорт ChatGPT (ZIP або conversations.json), Open WebUI, LibreChat і JSON із Konsilium, до {limit} МБ. Спочатку файл лише перевірять і покажуть, що в ньому є. Та сама розмова двічі не з'явиться.",
    en="Takes the exports of ChatGPT (the ZIP or conversations.json), Open WebUI, LibreChat and the JSON of Konsilium, up to {limit} MB. The file is only looked through at first, and you are shown what is in it. No conversation comes twice.",
)
FILE = Text(ru="Файл", uk="Файл", en="File")
CHECK = Text(ru="Проверить", uk="Перевірити", en="Check the file")
BRING = Text(ru="Импортировать", uk="Імпортувати", en="Import")
DRY = Text(
    ru="Пока ничего не сохранено.", uk="Поки нічого не збережено.", en="Nothing is stored yet."
)
DONE = Text(ru="Готово.", uk="Готово.", en="Done.")
MORE = Text(ru="и ещё {count}", uk="і ще {count}", en="and {count} more")
_TOO_LARGE = Text(
    ru="Файл больше {limit} МБ. Такой импортирует администратор командой konsilium import.",
    uk="Файл більший за {limit} МБ. Такий імпортує адміністратор командою konsilium import.",
    en="The file is larger than {limit} MB. An administrator can import it by konsilium import.",
).format(limit=MAX_BYTES // MEGABYTE)
GONE = Text(
    ru="Файла уже нет: прошло больше часа. Выберите его ещё раз.",
    uk="Файлу вже немає: минуло більше години. Виберіть його ще раз.",
    en="The file is gone: more than an hour has passed. Choose it once more.",
)
FAILED = Text(
    ru="Импортировать не удалось: файл слишком велик, или база данных не отвечает. Подробности — в журнале.",
    uk="Імпортувати не вдалося: файл завеликий, або база даних не відповідає. Подробиці — у журналі.",
    en="The import failed: the file is too much, or the database does not answer. The log says more.",
)
UNNAMED = Text(ru="Разговор", uk="Розмова", en="Conversation")


def uploads(root: str = "") -> dict[str, Upload]:
    """Where the file is sent."""

    def too_large(language: Language) -> Response:
        body = _refusal(_TOO_LARGE, language) + _form(language, root)
        return page_of(TITLE[language], body, language, root, 413)

    return {f"{root}{PATH}": Upload(MAX_BYTES + AROUND_BYTES, too_large)}


class ImportRefused(Exception):
    """What a person is told instead of a list."""

    def __init__(self, words: Text) -> None:
        super().__init__(words.en)
        self.words = words


class Imports:
    """Files on their way in: one a person, for an hour, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = asyncio.Semaphore(
            1
        )  # each takes as much memory as it needs for its whole file

    async def take(self, user_id: str, upload: UploadFile) -> str:
        """Keeps the file, in place of one before; returns its id. Raises ImportRefused, StorageUnavailable."""
        if (upload.size or 0) > MAX_BYTES:
            raise ImportRefused(_TOO_LARGE)
        self._forget_old()
        id = new_id()

        def write() -> None:
            own = self._folder / user_id
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir(parents=True)
            with (own / id).open("wb") as file:
                shutil.copyfileobj(upload.file, file)

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            raise StorageUnavailable(f"an upload: {error}") from error
        return id

    async def bring(
        self, user_id: str, identifier: str, id: str, *, dry: bool
    ) -> list[ImportCandidate]:
        """What becomes of its conversations; the file goes when they are stored. Raises ImportRefused."""
        path = self._folder / user_id / id
        self._forget_old()
        if not path.is_file():
            raise ImportRefused(GONE)
        arguments = ["import", str(path), "--user", identifier, "--json"]
        arguments += ["--most", str(MAX_BYTES), "--memory", str(MAX_MEMORY)]
        async with self._free:
            told = await _konsilium(*arguments, *(("--dry-run",) if dry else ()))
        if "refused" in told:
            raise ImportRefused(refused(told["refused"], told["place"]))
        if "conversations" not in told:
            raise ImportRefused(FAILED)
        if not dry:
            shutil.rmtree(path.parent, ignore_errors=True)
        return [
            ImportCandidate(**{**one, "models": tuple(one["models"])})
            for one in told["conversations"]
        ]

    def _forget_old(self) -> None:
        for own in self._folder.glob("*"):
            with contextlib.suppress(OSError):  # another process has just done it
                if own.stat().st_mtime < time.time() - KEPT_SECONDS:
                    shutil.rmtree(own, ignore_errors=True)


async def _konsilium(*arguments: str) -> dict[str, Any]:
    """Runs a command of ours that answers in JSON; nothing where it failed, which it says in our log."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        return {}
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found: dict[str, Any] = json.loads(output) if output.strip() else {}
    return found


def imports_router(imports: Imports, root: str = "") -> APIRouter:
    """The page and its two forms; `root` is the path that the app is served under.
    Forms of other sites are refused with all their requests (`origins.py`)."""
    router = APIRouter(prefix=f"{root}{PATH}", include_in_schema=False)

    def asking() -> tuple[str, str]:
        who = identity.get()
        if who.user_id is None or who.identifier is None:
            raise HTTPException(401, "Unauthorized")
        return who.user_id, who.identifier

    def page(body: str, status: int = 200) -> Response:
        language = reading_language()
        return page_of(TITLE[language], body, language, root, status)

    @router.get("")
    async def form() -> Response:
        if identity.get().user_id is None:
            return RedirectResponse(f"{root}/login", 303)
        return page(_form(reading_language(), root))

    @router.post("")
    async def look(file: UploadFile) -> Response:
        """Says what would come."""
        user_id, identifier = asking()
        language = reading_language()
        try:
            id = await imports.take(user_id, file)
            found = await imports.bring(user_id, identifier, id, dry=True)
        except ImportRefused as refused:
            return page(_refusal(refused.words, language) + _form(language, root), 422)
        bring = (
            f'<form method="post" action="{root}{PATH}/run"><input type="hidden" name="id" value="{id}">'
            f"<button>{BRING[language]}</button></form>"
        )
        comes = any(one.state in ("new", "grown") for one in found)
        return page(_list(found, DRY, language) + (bring if comes else _form(language, root)))

    @router.post("/run")
    async def run(id: Annotated[UUID, Form()]) -> Response:
        """Brings them in."""
        user_id, identifier = asking()
        language = reading_language()
        try:
            found = await imports.bring(user_id, identifier, str(id), dry=False)
        except ImportRefused as refused:
            return page(_refusal(refused.words, language) + _form(language, root), 422)
        return page(_list(found, DONE, language) + _form(language, root))

    return router


def _form(language: Language, root: str) -> str:
    return (
        f"<p>{escape(HINT.format(limit=MAX_BYTES // MEGABYTE)[language])}</p>"
        f'<form method="post" action="{root}{PATH}" enctype="multipart/form-data">'
        f"<p><label>{FILE[language]}: "
        '<input type="file" name="file" accept=".json,.zip,application/json,application/zip" required>'
        f"</label></p><button>{CHECK[language]}</button></form>"
    )


def _refusal(words: Text, language: Language) -> str:
    return f'<p role="alert"><strong>{escape(words[language])}</strong></p>'


def _list(found: Sequence[ImportCandidate], state: Text, language: Language) -> str:
    rows = "".join(_row(one, language) for one in found[:_SHOWN])
    more = len(found) - _SHOWN
    rest = f"<p>{MORE.format(count=more)[language]}</p>" if more > 0 else ""
    missing = sum(one.missing for one in found)
    lost = f"<p>{MISSING.format(count=missing)[language]}</p>" if missing else ""
    total = f'<p role="status"><strong>{summed(found)[language]} {state[language]}</strong></p>'
    return f"{total}{lost}<ul>{rows}</ul>{rest}"


def _row(one: ImportCandidate, language: Language) -> str:
    title = escape(one.title or UNNAMED[language])
    day = when(datetime.fromisoformat(f"{one.day}T12:00Z"), day=True)  # by no clock the day before
    about = f"{day} · {escape(one.about[language])}"
    mark = STATES[one.state][language]
    named = f"<span><strong>{title}</strong><small>{about}</small></span>"
    return f'<li style="flex-wrap: nowrap">{named}<em>{mark}</em></li>'
