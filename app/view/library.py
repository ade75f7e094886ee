"""/library: one's projects, assistants and prompts, and what of these others share, on pages without a
script; and what begins a conversation with an assistant or in a project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.conversation.modes import MODES
from app.core.errors import BadRequest, KonsiliumError, NotFound
from app.core.knowledge import KnowledgeStore
from app.core.ports import KeyValueStore, Models
from app.core.presets import FIELDS, KINDS, MAX_NAME, Kind, Preset, PresetField, beginning, places
from app.core.text import Language, Text
from app.core.tools import ToolBox
from app.storage.presets import Presets
from app.storage.threads import Threads
from app.view.chainlit.identity import asking_id, reading_language
from app.view.model_labels import chat_models
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
from app.view.panels import DEFAULTS
from app.view.projects import LISTED, conversations

PATH = "/library"

TITLES: Mapping[Kind, Text] = {
    "projects": Text(ru="Проекты", uk="Проєкти", en="Projects"),
    "assistants": Text(ru="Помощники", uk="Помічники", en="Assistants"),
    "prompts": Text(ru="Промпты", uk="Промпти", en="Prompts"),
}
HINTS: Mapping[Kind, Text] = {
    "projects": Text(
        ru="Проект — папка разговоров с общими наставлением, фактами и базами знаний, с моделью и режимом для "
        "новых разговоров. Видите его только вы. Удалите проект — разговоры останутся в общем списке.",
        uk="Проєкт — тека розмов зі спільними настановою, фактами й базами знань, з моделлю та режимом для "
        "нових розмов. Бачите його лише ви. Видалите проєкт — розмови залишаться в загальному списку.",
        en="A project is a folder of conversations with instructions, facts and knowledge bases of its own, and a "
        "model and a mode for new ones. Only you see it. Delete it, and its conversations stay in the list.",
    ),
    "assistants": Text(
        ru="Помощник — имя, наставление, модель, инструменты и базы знаний, с которыми начинается разговор. "
        "Его можно посадить в совет и в диалог, а программы зовут его моделью konsilium/assistants/имя.",
        uk="Помічник — ім'я, настанова, модель, інструменти та бази знань, з якими починається розмова. "
        "Його можна посадити в раду й у діалог, а програми звуть його моделлю konsilium/assistants/ім'я.",
        en="An assistant is a name, instructions, a model, tools and knowledge bases that a conversation begins "
        "with. It may sit in a council and a dialogue; programs ask it as the model konsilium/assistants/name.",
    ),
    "prompts": Text(
        ru="Наберите в поле вопроса «/» и выберите промпт; его поля вы заполните там же.",
        uk="Наберіть у полі запитання «/» і виберіть промпт; його поля ви заповните там само.",
        en="Type “/” where you ask, and choose a prompt; its fields are filled in there.",
    ),
}
SURE: Mapping[Kind, Text] = {
    "projects": Text(
        ru="Удалить проект «{name}»? Его наставление и факты пропадут, а разговоры останутся в общем списке.",
        uk="Видалити проєкт «{name}»? Його настанова й факти зникнуть, а розмови залишаться в загальному списку.",
        en="Delete the project “{name}”? Its instructions and facts go; its conversations stay in the list.",
    ),
    "assistants": Text(
        ru="Удалить помощника «{name}»? Разговоры с ним останутся.",
        uk="Видалити помічника «{name}»? Розмови з ним залишаться.",
        en="Delete the assistant “{name}”? Conversations with it stay.",
    ),
    "prompts": Text(
        ru="Удалить промпт «{name}»?",
        uk="Видалити промпт «{name}»?",
        en="Delete the prompt “{name}”?",
    ),
}
NEW = Text(ru="Создать", uk="Створити", en="Create")
EDIT = Text(ru="Изменить", uk="Змінити", en="Edit")
SAVE = Text(ru="Сохранить", uk="Зберегти", en="Save")
BEGIN = Text(ru="Начать разговор", uk="Почати розмову", en="Begin a conversation")
OF_OWNER = Text(ru="от {owner}", uk="від {owner}", en="by {owner}")
SHARED = Text(ru="открыт для всех", uk="відкритий для всіх", en="shared")
GONE = Text(
    ru="модели {model} сейчас нет: ответит выбранная по умолчанию",
    uk="моделі {model} зараз немає: відповість вибрана за замовчуванням",
    en="the model {model} is not there now: the default one answers",
)
AS_LAST = Text(ru="Как в последний раз", uk="Як востаннє", en="As chosen last")
DEFAULT = Text(ru="По умолчанию", uk="За замовчуванням", en="The default one")
FILL_IN = Text(ru="поля: {places}", uk="поля: {places}", en="fields: {places}")
REFUSED = Text(
    ru="Такое название у вас уже есть, или оно не подходит, или нет текста.",
    uk="Така назва у вас уже є, або вона не підходить, або немає тексту.",
    en="You have this name already, or it will not do, or there is no text.",
)

_Id = Annotated[str, Form(pattern="^[0-9a-f-]{1,64}$")]
_Words = Annotated[str, Query(max_length=200)]
_Key = Annotated[str, PathParam(pattern="^[0-9a-f-]{1,64}$")]
_ROWS = 8


@dataclass(frozen=True, slots=True)
class LibraryServices:
    """What the pages are made with."""

    presets: Presets
    threads: Threads
    values: KeyValueStore
    models: Models
    tools: ToolBox
    knowledge: KnowledgeStore


def library_router(shelves: LibraryServices, root: str = "") -> APIRouter:
    """The pages and their forms; 404 for what is neither the reader's nor shared, and for changes to any
    but one's own."""
    router = APIRouter(prefix=f"{root}{PATH}", include_in_schema=False)
    presets = shelves.presets

    @router.get("/{kind}")
    async def listed(kind: Kind) -> Response:
        if (reader := asking_id()) is None:
            return RedirectResponse(f"{root}/login", 303)
        return await _Page(shelves, reader, kind, root).listed()

    @router.get("/{kind}/{id}")
    async def one(kind: Kind, id: _Key, q: _Words = "") -> Response:
        if (reader := asking_id()) is None:
            return RedirectResponse(f"{root}/login", 303)
        preset = await _own(presets, kind, id, reader)
        return await _Page(shelves, reader, kind, root).edited(preset, looked_for=q)

    @router.get("/prompts/{id}/text")
    async def text(id: _Key) -> JSONResponse:
        """The prompt's text and its fields, for the composer."""
        preset = await _found(presets, id, asking())
        told = {"text": preset.text("text"), "places": places(preset.text("text"))}
        return JSONResponse(told, headers={"Cache-Control": "private, no-store"})

    @router.post("/save")
    async def save(request: Request) -> Response:
        """A new one, or with an `id` a changed one."""
        user = asking()
        async with request.form(max_files=0) as form:
            given = {key: [v for v in form.getlist(key) if isinstance(v, str)] for key in form}
        kind = next((one for one in KINDS if given.get("kind") == [one]), None)
        if kind is None:
            raise HTTPException(400, "Bad request")
        said = {one.id: _said(one, given.get(one.id, [])) for one in FIELDS[kind]}
        name, id = "".join(given.get("name", [])[:1]), "".join(given.get("id", [])[:1])
        if id:
            await _own(presets, kind, id, user)
        try:
            kept = await presets.put(kind, user, name, said, id or None)
        except BadRequest:
            draft = Preset(id, kind, user, "", name, {k: str(v) for k, v in said.items() if v})
            return await _Page(shelves, user, kind, root).edited(draft, REFUSED)
        except NotFound:
            raise missing() from None
        here = f"{PATH}/{kind}"
        if kind == "projects":
            here = f"{here}/{kept}"
        return RedirectResponse(f"{root}{here}", 303)

    @router.post("/share")
    async def share(id: _Id, shared: Annotated[bool, Form()] = False) -> Response:
        """Opens it to all who may sign in here; or closes it."""
        kind = (await _found(presets, id, asking())).kind
        try:
            await presets.share(id, asking(), shared)
        except NotFound:
            raise missing() from None
        return RedirectResponse(f"{root}{PATH}/{kind}", 303)

    @router.post("/remove")
    async def remove(id: _Id) -> Response:
        """Deletes it; conversations that began with it go on as they are."""
        kind = (await _found(presets, id, asking())).kind
        try:
            await presets.remove(id, asking())
        except NotFound:
            raise missing() from None
        return RedirectResponse(f"{root}{PATH}/{kind}", 303)

    @router.post("/begin")
    async def begin(id: _Id) -> Response:
        """A conversation with that assistant or in that project, and its page."""
        user = asking()
        preset = await _found(presets, id, user)
        if preset.kind == "prompts":
            raise missing()
        settings = dict(await shelves.values.get(DEFAULTS, user) or {})
        if preset.kind == "projects":
            metadata: dict[str, Any] = {
                "chat_settings": settings | beginning(preset, shelves.models)
            }
        else:
            settings |= {one.id: preset.text(one.id) for one in FIELDS["assistants"]}
            if not preset.text("model") or _gone(shelves.models, preset):
                del settings["model"]
            metadata = {"chat_settings": settings | {"mode": "chat"}, "preset": preset.title}
        project = preset.id if preset.kind == "projects" else None
        made = await shelves.threads.begin(user, project_id=project, metadata=metadata)
        return RedirectResponse(f"{root}/thread/{made}", 303)

    return router


async def _found(presets: Presets, id: str, reader: str) -> Preset:
    try:
        return await presets.find(id, reader)
    except NotFound:
        raise missing() from None


async def _own(presets: Presets, kind: Kind, id: str, user: str) -> Preset:
    preset = await _found(presets, id, user)
    if preset.kind != kind or preset.user_id != user:
        raise missing()
    return preset


def _said(one: PresetField, given: Sequence[str]) -> str | list[str]:
    return list(given) if one.kind in ("tools", "bases") else "".join(given[:1])


def _gone(models: Models, preset: Preset) -> bool:
    """Whether its model is not there now."""
    try:
        models.resolve(preset.text("model"))
    except KonsiliumError:
        return True
    return False


class _Page:
    """The page of one kind, for one reader."""

    def __init__(self, shelves: LibraryServices, reader: str, kind: Kind, root: str) -> None:
        self._shelves = shelves
        self._reader = reader
        self._kind = kind
        self._root = root
        self._language: Language = reading_language()

    async def listed(self) -> Response:
        language = self._language
        rows = "".join(map(self._row, await self._shelves.presets.all(self._kind, self._reader)))
        form = await self._form(Preset("", self._kind, self._reader, "", ""), NEW)
        new = f"<details><summary>{NEW[language]}</summary>{form}</details>"
        tabs = " · ".join(
            f"<strong>{TITLES[kind][language]}</strong>"
            if kind == self._kind
            else f'<a href="{self._root}{PATH}/{kind}">{TITLES[kind][language]}</a>'
            for kind in KINDS
        )
        hint = HINTS[self._kind][language]
        return self._page(f"<p>{tabs}</p><p>{hint}</p>{new}<ul>{rows}</ul>")

    async def edited(
        self, preset: Preset, problem: Text | None = None, looked_for: str = ""
    ) -> Response:
        """The form of one; with a problem what was typed is there still. Below that of a project its
        conversations, or those in which `looked_for` was said."""
        back = f"{self._root}{PATH}/{self._kind}"
        said = f'<p role="alert"><strong>{problem[self._language]}</strong></p>' if problem else ""
        link = f'<p><a href="{back}">← {TITLES[self._kind][self._language]}</a></p>'
        below = ""
        if preset.kind == "projects" and preset.id:
            link = f"{link}<div>{self._button('begin', BEGIN, preset)}</div>"
            held = await self._shelves.threads.page(
                self._reader, limit=LISTED, search=looked_for or None, project=preset.id
            )
            here = f"{self._root}{PATH}/projects/{preset.id}"
            listed = conversations(held.items, looked_for, here, self._language, self._root)
            below = f"<div>{self._removal(preset)}</div>{listed}"
        body = f"{link}{said}{await self._form(preset, SAVE)}{below}"
        page = self._page(body, escape(preset.title) if preset.id else "")
        page.status_code = 400 if problem else 200
        return page

    def _page(self, body: str, title: str = "") -> Response:
        title = title or TITLES[self._kind][self._language]
        return page_of(title, body, self._language, self._root)

    def _row(self, preset: Preset) -> str:
        language, own = self._language, preset.user_id == self._reader
        about = [escape(preset.text("about"))]
        if preset.kind == "prompts" and (named := places(preset.text("text"))):
            about.append(escape(FILL_IN.format(places=", ".join(named))[language]))
        if preset.text("model") and _gone(self._shelves.models, preset):
            about.append(escape(GONE.format(model=preset.text("model"))[language]))
        if not own:
            about.append(escape(OF_OWNER.format(owner=preset.owner)[language]))
        elif preset.shared:
            about.append(SHARED[language])
        buttons = []
        if preset.kind == "assistants":
            about.append(f"<code>konsilium/assistants/{escape(preset.slug)}</code>")
        if preset.kind != "prompts":
            buttons.append(self._button("begin", BEGIN, preset))
        if own:
            address = f"{self._root}{PATH}/{preset.kind}/{preset.id}"
            buttons.append(f'<a href="{address}">{EDIT[language]}</a>')
            if preset.kind != "projects":
                buttons.append(
                    self._button("share", UNSHARE, preset)
                    if preset.shared
                    else self._button("share", SHARE, preset, shared="true")
                )
            buttons.append(self._removal(preset))
        said = " · ".join(filter(None, about))
        return (
            f"<li><span><strong>{escape(preset.title)}</strong><small>{said}</small></span>"
            f"<span>{' '.join(buttons)}</span></li>"
        )

    def _button(self, action: str, label: Text, preset: Preset, **fields: str) -> str:
        address = f"{self._root}{PATH}/{action}"
        return button(address, label[self._language], id=preset.id, **fields)

    def _removal(self, preset: Preset) -> str:
        address, asks = f"{self._root}{PATH}/remove", SURE[preset.kind].format(name=preset.title)
        label = REMOVE[self._language]
        return losing_button(address, label, asks, self._language, id=preset.id)

    async def _form(self, preset: Preset, label: Text) -> str:
        language, fields = self._language, []
        for one in FIELDS[preset.kind]:
            if field := await self._field(one, preset):
                hint = f"<small>{one.hint[language]}</small>" if one.hint else ""
                fields.append(f"{field}{hint}")
        id = f'<input type="hidden" name="id" value="{escape(preset.id)}">' if preset.id else ""
        return (
            f'<form method="post" action="{self._root}{PATH}/save">{id}'
            f'<input type="hidden" name="kind" value="{preset.kind}">'
            f'<p><label>{NAME[language]}<br><input name="name" required maxlength="{MAX_NAME}" '
            f'value="{escape(preset.name)}"></label></p>'
            + "".join(f"<p>{one}</p>" for one in fields)
            + f"<p><button>{label[language]}</button></p></form>"
        )

    async def _field(self, one: PresetField, preset: Preset) -> str:
        label, value = one.label[self._language], preset.text(one.id)
        match one.kind:
            case "line":
                field = f'<input name="{one.id}" maxlength="{one.most}" value="{escape(value)}">'
                return f"<label>{label}<br>{field}</label>"
            case "text":
                return (
                    f'<label>{label}<br><textarea name="{one.id}" rows="{_ROWS}" style="width:100%" '
                    f'maxlength="{one.most}">\n{escape(value)}</textarea></label>'
                )
            case "model":
                known = [str(p.ref) for p in chat_models(self._shelves.models.states())]
                listed = dict.fromkeys([value, *known] if value else known)
                choices = f'<option value="">{DEFAULT[self._language]}</option>' + "".join(
                    f"<option{' selected' if name == value else ''}>{escape(name)}</option>"
                    for name in listed
                )
                return f'<label>{label}<br><select name="{one.id}">{choices}</select></label>'
            case "mode":
                ways = "".join(
                    f'<option value="{mode.id}"{" selected" if mode.id == value else ""}>'
                    f"{mode.name[self._language]}</option>"
                    for mode in MODES
                )
                none = f'<option value="">{AS_LAST[self._language]}</option>'
                return f'<label>{label}<br><select name="{one.id}">{none}{ways}</select></label>'
            case "tools":
                every = await self._shelves.tools.every(self._reader)
                listed = {t.id: t.title[self._language] if t.title else t.id for t in every}
            case "bases":
                bases = await self._shelves.knowledge.bases(self._reader)
                listed = {base.id: base.name for base in bases}
        chosen = [part.strip() for part in value.split(",") if part.strip()]
        listed |= {kept: kept for kept in chosen if kept not in listed and one.kind == "tools"}
        return _boxes(one.id, label, listed, chosen)


def _boxes(id: str, label: str, listed: Mapping[str, Any], chosen: Sequence[str]) -> str:
    """A list to be ticked; nothing where there is nothing to tick."""
    boxes = "<br>".join(
        f'<label><input type="checkbox" name="{id}" value="{escape(value)}"'
        f"{' checked' if value in chosen else ''}> {escape(str(name))}</label>"
        for value, name in listed.items()
    )
    return f"<fieldset><legend>{label}</legend>{boxes}</fieldset>" if boxes else ""
