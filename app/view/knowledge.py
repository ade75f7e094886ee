"""/knowledge: one's knowledge bases, on a page without a script; and the passages that answers cite."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import IO, Annotated

from fastapi import APIRouter, File, Form, UploadFile
from fastapi import Path as PathParam
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response

from app.attachments import refusal_text, silent_text
from app.attachments.limits import MEGABYTE
from app.core.errors import AttachmentRefused, BadRequest, NotFound
from app.core.knowledge import Document, KnowledgeBase
from app.core.text import Language, Text
from app.knowledge.indexing import IndexingQueue, QueuedDocument
from app.storage.knowledge import MAX_NAME, Knowledge
from app.view.chainlit.identity import asking_id, reading_language
from app.view.files import AROUND_BYTES, Upload, file_headers
from app.view.own_pages import (
    NAME,
    REMOVE,
    SHARE,
    UNSHARE,
    asking,
    button,
    losing_button,
    missing,
    page_of,
)

PATH = "/knowledge"
UPLOAD_BYTES = 200 * MEGABYTE
"""Of all files that are chosen at once."""

TITLE = Text(ru="Базы знаний", uk="Бази знань", en="Knowledge bases")
HINT = Text(
    ru="База знаний — папка с документами. Выберите её в настройках разговора, и ответы будут опираться "
    "на неё и ссылаться на места в документах.",
    uk="База знань — тека з документами. Виберіть її в налаштуваннях розмови, і відповіді спиратимуться "
    "на неї та посилатимуться на місця в документах.",
    en="A knowledge base is a folder of documents. Choose it in the settings of a conversation, and answers "
    "will rest on it and cite their places in it.",
)
CREATE = Text(ru="Создать", uk="Створити", en="Create")
NO_NAME = Text(
    ru="Такая база у вас уже есть, или название не подходит.",
    uk="Така база у вас уже є, або назва не підходить.",
    en="You have such a base already, or the name will not do.",
)
COUNTS = Text(
    ru="документов: {documents}, фрагментов: {passages}",
    uk="документів: {documents}, фрагментів: {passages}",
    en="documents: {documents}, passages: {passages}",
)
OF_OWNER = Text(ru="общая, от {owner}", uk="спільна, від {owner}", en="shared by {owner}")
SHARED = Text(ru="общая", uk="спільна", en="shared")
ALL_BASES = Text(ru="Все базы", uk="Усі бази", en="All bases")
FILES = Text(
    ru="PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, текст, CSV; до 50 МБ каждый, до 200 МБ вместе. Файл с тем же именем заменяет прежний",
    uk="PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, текст, CSV; до 50 МБ кожен, до 200 МБ разом. Файл із тим самим іменем замінює попередній",
    en="PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, text, CSV; up to 50 MB each, 200 MB together. A file takes the place of one with its name",
)
TOO_LARGE = Text(
    ru="Файлы вместе больше {limit} МБ: ничего не добавлено. Добавьте их по частям.",
    uk="Файли разом більші за {limit} МБ: нічого не додано. Додайте їх частинами.",
    en="The files are larger than {limit} MB together: nothing was added. Add them in parts.",
).format(limit=UPLOAD_BYTES // MEGABYTE)
ADD = Text(ru="Добавить документы", uk="Додати документи", en="Add documents")
CHOOSE = Text(ru="Файлы", uk="Файли", en="Files")
EMPTY = Text(
    ru="Документов пока нет.", uk="Документів поки немає.", en="There are no documents yet."
)
ABOUT = Text(
    ru="страниц: {pages}, фрагментов: {passages}",
    uk="сторінок: {pages}, фрагментів: {passages}",
    en="pages: {pages}, passages: {passages}",
)
PASSAGES = Text(ru="фрагментов: {passages}", uk="фрагментів: {passages}", en="passages: {passages}")
READING = Text(ru="читается…", uk="читається…", en="being read…")
UNREAD = Text(ru="не прочитан", uk="не прочитано", en="not read")
REMOVE_BASE = Text(
    ru="Удалить базу со всеми документами",
    uk="Видалити базу з усіма документами",
    en="Delete the base with all documents",
)
SURE = Text(
    ru="Удалить документ «{name}»? Ответы больше ничего в нём не найдут.",
    uk="Видалити документ «{name}»? Відповіді більше нічого в ньому не знайдуть.",
    en="Delete the document “{name}”? Answers find nothing in it any more.",
)
SURE_BASE = Text(
    ru="Удалить базу «{name}» и все её документы?",
    uk="Видалити базу «{name}» й усі її документи?",
    en="Delete the base “{name}” and all its documents?",
)

_Id = Annotated[str, Form(pattern="^[0-9a-f-]{0,64}$")]
_Key = Annotated[str, PathParam(pattern="^[0-9a-f-]{1,64}$")]
_Number = Annotated[int, PathParam(ge=0, le=100_000_000)]
_REFRESH = '<meta http-equiv="refresh" content="2">'


def uploads(root: str = "") -> dict[str, Upload]:
    """Where documents are sent."""

    def too_large(language: Language) -> Response:
        back = f'<p><a href="{root}{PATH}">← {ALL_BASES[language]}</a></p>'
        body = f'<p role="alert"><strong>{TOO_LARGE[language]}</strong></p>{back}'
        return page_of(TITLE[language], body, language, root, 413)

    return {f"{root}{PATH}/upload": Upload(UPLOAD_BYTES + AROUND_BYTES, too_large)}


def knowledge_router(indexing: IndexingQueue, store: Knowledge, root: str = "") -> APIRouter:
    """The pages, their forms, and what opens a citation; 404 for a base that is not the reader's or
    shared, and for changes to any but one's own."""
    router = APIRouter(prefix=f"{root}{PATH}", include_in_schema=False)

    @router.get("")
    async def bases() -> Response:
        if (reader := asking_id()) is None:
            return RedirectResponse(f"{root}/login", 303)
        return await _bases_page(store, reader, root)

    @router.post("/create")
    async def create(name: Annotated[str, Form(max_length=2 * MAX_NAME)] = "") -> Response:
        """Makes a base and opens it."""
        user = asking()
        try:
            made = await store.create(user, name)
        except BadRequest:
            return await _bases_page(store, user, root, NO_NAME)
        return RedirectResponse(f"{root}{PATH}/{made.id}", 303)

    @router.get("/{base_id}")
    async def documents(base_id: _Key) -> Response:
        if (reader := asking_id()) is None:
            return RedirectResponse(f"{root}/login", 303)
        try:
            base = await store.base(base_id, reader)
            own = base.user_id == reader
            coming = (
                indexing.of(base_id) if own else ()
            )  # before: what has just come would be in neither
            held = await store.documents(base_id, reader)
            silent = await store.silent_pages(base_id, reader)
        except NotFound:
            raise missing() from None
        language = reading_language()
        told = {key: silent_text(pages)[language] for key, pages in silent.items()}
        body = _documents(base, held, told, coming, own, language, root)
        return page_of(escape(base.name), body, language, root)

    @router.post("/upload")
    async def upload(
        base: _Id, files: Annotated[list[UploadFile], File(max_length=1000)]
    ) -> Response:
        """Takes files in; they are read one after another."""
        user = asking()
        try:
            if (await store.base(base, user)).user_id != user:
                raise missing()
        except NotFound:
            raise missing() from None
        for file in files:
            name = Path((file.filename or "").replace("\\", "/")).name.strip()
            if name:
                path = await asyncio.to_thread(_kept, file.file)
                indexing.take(base, user, path, name[:MAX_NAME], file.content_type or "")
        return RedirectResponse(f"{root}{PATH}/{base}", 303)

    @router.post("/remove")
    async def remove(base: _Id, document: _Id = "") -> Response:
        """A document, or without one the whole base."""
        user = asking()
        try:
            if document:
                await store.remove_document(document, user)
                return RedirectResponse(f"{root}{PATH}/{base}", 303)
            await store.remove(base, user)
        except NotFound:
            raise missing() from None
        return RedirectResponse(f"{root}{PATH}", 303)

    @router.post("/share")
    async def share(base: _Id, shared: Annotated[bool, Form()] = False) -> Response:
        """Opens it to all who may sign in here, to be searched and read; or closes it."""
        try:
            await store.share(base, asking(), shared)
        except NotFound:
            raise missing() from None
        return RedirectResponse(f"{root}{PATH}/{base}", 303)

    @router.get("/documents/{document_id}", response_class=FileResponse)
    async def file(document_id: _Key) -> FileResponse:
        """A document as it was added."""
        try:
            document = await store.document(document_id, asking())
            path = store.path(document)
        except NotFound:
            raise missing() from None
        if not path.is_file():
            raise missing()
        return FileResponse(path, headers=file_headers(document.name, document.mime))

    @router.get("/documents/{document_id}/passages/{number}")
    async def passage(document_id: _Key, number: _Number) -> JSONResponse:
        """A passage with those around it."""
        reader = asking()
        try:
            document = await store.document(document_id, reader)
            near = await store.passages(document_id, reader, max(0, number - 1), number + 1)
        except NotFound:
            raise missing() from None
        this = next((one for one in near if one.number == number), None)
        if this is None:
            raise missing()
        told = {
            "name": document.name,
            "mime": document.mime,
            "page": this.page,
            "heading": this.heading,
            "before": "\n".join(one.text for one in near if one.number < number),
            "text": this.text,
            "after": "\n".join(one.text for one in near if one.number > number),
        }
        return JSONResponse(told, headers={"Cache-Control": "private, no-store"})

    return router


def _kept(file: IO[bytes]) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="konsilium-")
    with os.fdopen(descriptor, "wb") as kept:
        shutil.copyfileobj(file, kept)
    return Path(name)


async def _bases_page(
    store: Knowledge, reader: str, root: str, problem: Text | None = None
) -> Response:
    language = reading_language()
    rows = "".join(_base(b, reader, language, root) for b in await store.bases(reader))
    name = NAME[language]
    made = (
        f'<form method="post" action="{root}{PATH}/create"><input name="name" required '
        f'maxlength="{MAX_NAME}" aria-label="{name}" placeholder="{name}"> '
        f"<button>{CREATE[language]}</button></form>"
    )
    said = f'<p role="alert"><strong>{problem[language]}</strong></p>' if problem else ""
    body = f"<p>{HINT[language]}</p>{said}{made}<ul>{rows}</ul>"
    return page_of(TITLE[language], body, language, root, 400 if problem else 200)


def _base(base: KnowledgeBase, reader: str, language: Language, root: str) -> str:
    about = COUNTS.format(documents=base.documents, passages=base.passages)[language]
    if base.user_id != reader:
        about += f" · {OF_OWNER[language].format(owner=escape(base.owner))}"
    elif base.shared:
        about += f" · {SHARED[language]}"
    link = f'<a href="{root}{PATH}/{base.id}">{escape(base.name)}</a>'
    return f"<li><span><strong>{link}</strong><small>{about}</small></span></li>"


def _documents(
    base: KnowledgeBase,
    held: Sequence[Document],
    silent: Mapping[str, str],
    coming: Sequence[QueuedDocument],
    own: bool,
    language: Language,
    root: str,
) -> str:
    def form(action: str, label: str, **fields: str) -> str:
        return button(f"{root}{PATH}/{action}", label, base=base.id, **fields)

    def removal(label: str, asks: Text, **fields: str) -> str:
        return losing_button(f"{root}{PATH}/remove", label, asks, language, base=base.id, **fields)

    back = f'<p><a href="{root}{PATH}">← {ALL_BASES[language]}</a></p>'
    reading = any(one.refused is None for one in coming)
    rows = "".join(_coming(one, language) for one in coming)
    for one in held:
        counted = {"pages": one.pages, "passages": one.passages}
        about = (PASSAGES if one.pages is None else ABOUT).format(**counted)[language]
        about += f"<br>{silent[one.id]}" if one.id in silent else ""
        link = f'<a href="{root}{PATH}/documents/{one.id}">{escape(one.name)}</a>'
        asks = SURE.format(name=one.name)
        remove = removal(REMOVE[language], asks, document=one.id) if own else ""
        rows += f"<li><span><strong>{link}</strong><small>{about}</small></span>{remove}</li>"
    if not own:
        return f"{back}<ul>{rows}</ul>"
    add = (
        f'<form method="post" action="{root}{PATH}/upload" enctype="multipart/form-data">'
        f'<input type="hidden" name="base" value="{base.id}"><input type="file" name="files" multiple '
        f'required aria-label="{CHOOSE[language]}"> <button>{ADD[language]}</button>'
        f"<small>{FILES[language]}</small></form>"
    )
    share = (
        form("share", UNSHARE[language])
        if base.shared
        else form("share", SHARE[language], shared="true")
    )
    nothing = "" if rows else f"<p>{EMPTY[language]}</p>"
    remove = removal(REMOVE_BASE[language], SURE_BASE.format(name=base.name))
    refresh = _REFRESH if reading else ""
    return f"{refresh}{back}{add}<ul>{rows}</ul>{nothing}<div>{share} {remove}</div>"


def _coming(one: QueuedDocument, language: Language) -> str:
    if one.refused is None:
        about = READING[language]
    elif isinstance(one.refused, AttachmentRefused):
        about = (
            f"{UNREAD[language]}: {refusal_text(one.refused.reason, one.refused.facts)[language]}"
        )
    else:
        about = UNREAD[language]
    return (
        f"<li><span><strong>{escape(one.name)}</strong><small>{escape(about)}</small></span></li>"
    )
