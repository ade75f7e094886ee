"""The tools of a conversation in the settings panel: a list of ours, and one for each server; its knowledge
bases, and how their citations are checked."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.tools import usable
from app.core.errors import KonsiliumError, StorageUnavailable
from app.core.knowledge import KnowledgeBase, KnowledgeStore
from app.core.options import CHAT_OPTIONS, ChatOptions
from app.core.ports import Models
from app.core.text import Language, Text
from app.core.tools import Tool, ToolBox
from app.tools.builtin import NAMES
from app.view.chainlit.browser import Browser
from app.view.chainlit.dicts import InputWidget, MultiSelect, Switch

log = logging.getLogger(__name__)

LIST = "tools_of:"
"""A list's id begins so; the name of its server follows, nothing for ours."""
OURS = Text(ru="Инструменты", uk="Інструменти", en="Tools")
OF_SERVER = Text(ru="Инструменты: {server}", uk="Інструменти: {server}", en="Tools: {server}")
ALL = Text(ru="Все инструменты", uk="Усі інструменти", en="All of its tools")
ASKS = Text(ru="{name} (спросит вас)", uk="{name} (запитає вас)", en="{name} (asks you)")
HINT = Text(
    ru="Что модель может вызвать сама, отвечая вам",
    uk="Що модель може викликати сама, відповідаючи вам",
    en="What the model may call by itself while it answers",
)
UNABLE = Text(
    ru="Выбранная модель не умеет вызывать инструменты и не отвечает по схеме JSON",
    uk="Вибрана модель не вміє викликати інструменти й не відповідає за схемою JSON",
    en="The chosen model can neither call tools nor answer by a JSON schema",
)
_NAMES = next(option for option in CHAT_OPTIONS if option.id == "tools")
_ALWAYS = next(option for option in CHAT_OPTIONS if option.id == "tools_always")
_CHECK = next(option for option in CHAT_OPTIONS if option.id == "check_citations")
_BASES = next(option for option in CHAT_OPTIONS if option.id == "knowledge")


class ToolLists:
    """Draws the lists and reads what was chosen in them."""

    def __init__(self, box: ToolBox, models: Models, knowledge: KnowledgeStore) -> None:
        self._box = box
        self._knowledge = knowledge
        self._models = models

    async def widgets(self, browser: Browser, values: Mapping[str, Any]) -> list[InputWidget]:
        """The knowledge bases, the check of citations, and one list a server that has tools, ours first; no
        empty list."""
        chosen = set(browser.options.names("tools"))
        able = self._able(browser.options)
        lists: dict[str, list[Tool]] = {}
        for tool in await self._box.every(browser.user_id):
            lists.setdefault(tool.origin, []).append(tool)
        bases = await self._bases(browser, values)
        tools = [
            _list(origin, listed, values.get(f"{LIST}{origin}", chosen), able, browser.language)
            for origin, listed in lists.items()
        ]
        return [*bases, _check(browser, values), *tools, *_allowed(browser, values)]

    async def _bases(self, browser: Browser, values: Mapping[str, Any]) -> Sequence[InputWidget]:
        try:
            bases = await self._knowledge.bases(browser.user_id)
        except StorageUnavailable as error:
            log.warning("knowledge bases: %s", error.detail)
            return ()
        if not bases:
            return ()
        draft = values.get("knowledge")
        chosen = draft if isinstance(draft, list) else browser.options.names("knowledge")
        items = {_base_name(base, browser): base.id for base in bases}
        return (
            MultiSelect(
                id="knowledge",
                label=_BASES.label[browser.language],
                description=_BASES.hint[browser.language] if _BASES.hint else None,
                items=items,
                initial=[value for value in items.values() if value in chosen],
            ),
        )

    def taken(self, options: ChatOptions, choices: Mapping[str, Any]) -> dict[str, Any]:
        """The choices with the lists among them put together as `tools`. A server that is away has no
        list: what was chosen of it stays."""
        lists = {
            name.removeprefix(LIST): value if isinstance(value, list) else []
            for name, value in choices.items()
            if name.startswith(LIST)
        }
        rest = {name: value for name, value in choices.items() if not name.startswith(LIST)}
        if isinstance(kept := rest.get(_ALWAYS.id), list):  # here it can only be taken back
            allowed = options.names(_ALWAYS.id)
            rest[_ALWAYS.id] = _ALWAYS.clean([name for name in kept if name in allowed])
        if not lists:
            return rest
        away = [name for name in options.names("tools") if _origin(name) not in lists]
        listed = [str(name) for value in lists.values() for name in value]
        return rest | {"tools": _NAMES.clean([*listed, *away])}

    def _able(self, options: ChatOptions) -> bool:
        try:
            profile = self._models.profile(self._models.resolve(options.text("model")))
        except KonsiliumError:
            return True  # which model will answer is not known yet
        return usable(profile) and not profile.last_resort


def _check(browser: Browser, values: Mapping[str, Any]) -> InputWidget:
    """Whether a model checks citations."""
    return Switch(
        id=_CHECK.id,
        label=_CHECK.label[browser.language],
        description=_CHECK.hint[browser.language] if _CHECK.hint else None,
        initial=bool(values.get(_CHECK.id, browser.options.on(_CHECK.id))),
    )


def _allowed(browser: Browser, values: Mapping[str, Any]) -> Sequence[InputWidget]:
    """What runs here without asking, to be taken back; no list where nothing does."""
    allowed, draft = browser.options.names(_ALWAYS.id), values.get(_ALWAYS.id)
    if not allowed:
        return ()
    kept = draft if isinstance(draft, list) else allowed
    return (
        MultiSelect(
            id=_ALWAYS.id,
            label=_ALWAYS.label[browser.language],
            description=_ALWAYS.hint[browser.language] if _ALWAYS.hint else None,
            items={name: name for name in allowed},
            initial=[name for name in allowed if name in kept],
        ),
    )


def _base_name(base: KnowledgeBase, browser: Browser) -> str:
    return base.name if base.user_id == browser.user_id else f"{base.name} · {base.owner}"


def _origin(name: str) -> str:
    """The server of a tool's id, or the server that it is; empty for a tool of ours."""
    return "" if name in NAMES else name.partition("/")[0]


def _list(
    origin: str, tools: Sequence[Tool], chosen: Any, able: bool, language: Language
) -> InputWidget:
    items = {ALL[language]: origin} if origin else {}
    for tool in tools:
        name = tool.title[language] if tool.title else tool.name
        shown = name if tool.read_only else ASKS[language].format(name=name)
        items[f"{shown} · {tool.name}" if shown in items else shown] = tool.id
    label = OF_SERVER[language].format(server=origin) if origin else OURS[language]
    return MultiSelect(
        id=f"{LIST}{origin}",
        label=label,
        description=(HINT if able else UNABLE)[language],
        items=items,
        initial=[value for value in items.values() if value in chosen],
        disabled=not able,
    )
