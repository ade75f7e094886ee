"""Slash commands of the composer: one's own prompts, those of MCP servers, and their documents to be
attached."""

import logging
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from app.attachments import File
from app.core.concurrency import BackgroundTasks
from app.core.errors import BadRequest, StorageUnavailable
from app.core.presets import Preset, filled, places
from app.core.text import Text
from app.storage.presets import Presets
from app.tools.mcp.content import Prompt, PromptArgument, Resource
from app.tools.mcp.servers import McpServers
from app.view.chainlit.browser import Browser, every_browser

log = logging.getLogger(__name__)

MAX_COMMANDS_OF_SERVER = 50
"""Commands that one server may add: the list is looked through by a person."""
ATTACHES = Text(ru="приложить документ", uk="долучити документ", en="attach this document")
NEEDS = Text(
    ru="Команде «{name}» нужно: {arguments}",
    uk="Команді «{name}» потрібно: {arguments}",
    en="The command “{name}” needs: {arguments}",
)
GONE = Text(
    ru="Такой команды больше нет: её сервер не отвечает",
    uk="Такої команди більше немає: її сервер не відповідає",
    en="There is no such command any more: its server does not answer",
)
_ENDINGS = {"text/markdown": ".md", "text/plain": ".txt", "application/json": ".json"}


Command = Preset | Prompt | Resource
_ICONS = {Preset: "notebook-pen", Prompt: "square-slash", Resource: "paperclip"}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command makes of a message: the words of the question, and files that go with it."""

    text: str
    files: tuple[File, ...] = ()


class CannotCarryOut(BadRequest):
    """Something is missing, in words."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Commands:
    """Tells pages which commands there are, and carries them out."""

    def __init__(self, servers: McpServers, presets: Presets) -> None:
        self._servers = servers
        self._presets = presets
        self._background = BackgroundTasks()

    def changed(self) -> None:
        """A server's lists are others now: every open page hears of it."""
        if not self._background.find("show"):
            self._background.start(self._show_everywhere(), "show")

    async def _show_everywhere(self) -> None:
        for page in every_browser():
            await self.show(page)

    async def show(self, browser: Browser) -> None:
        """Sends the list; of one's own prompts, which the page fills in itself, their ids as well."""
        every = await self._of(browser)
        listed = [
            {
                "id": name,
                "description": _about(what, browser),
                "icon": _ICONS[type(what)],
                "button": False,
                "persistent": False,
                "selected": False,
            }
            for name, what in every.items()
        ]
        await browser.emit("set_commands", listed)
        prompts = {name: what.id for name, what in every.items() if isinstance(what, Preset)}
        await browser.emit("window_message", {"konsilium_prompts": prompts})

    async def made(self, browser: Browser, name: str, text: str) -> CommandResult:
        """What becomes of a message with that command. Raises CannotCarryOut, KonsiliumError."""
        match (await self._of(browser)).get(name):
            case Preset() as preset:
                body = preset.text("text")
                fields = tuple(
                    PromptArgument(one, required=True, description="") for one in places(body)
                )
                asked = Prompt("", preset.name, preset.name, "", fields)
                said = filled(body, arguments_of(asked, text))
                return CommandResult(
                    said if fields else "\n\n".join(filter(None, (said, text.strip())))
                )
            case Prompt() as prompt:
                arguments = arguments_of(prompt, text)
                return CommandResult(
                    await self._servers.prompt(prompt.server, prompt.name, arguments)
                )
            case Resource() as resource:
                read = await self._servers.read(resource)
                id = browser.keep_upload(file_name(read.name, read.mime), read.mime, read.content)
                kept = browser.upload(id)
                return CommandResult(text, (kept,) if kept is not None else ())
        raise CannotCarryOut(GONE)

    async def _of(self, browser: Browser) -> Mapping[str, Command]:
        try:
            prompts = await self._presets.all("prompts", browser.user_id)
        except StorageUnavailable as error:
            log.warning("prompts: %s", error.detail)
            prompts = ()
        every: dict[str, Command] = {}
        for preset in prompts:
            every.setdefault(preset.name, preset)
        return {**every, **self._of_servers()}

    def _of_servers(self) -> Mapping[str, Prompt | Resource]:
        every: dict[str, Prompt | Resource] = {}
        for state in self._servers.states():
            listed: list[Prompt | Resource] = [*state.prompts, *state.resources]
            for one in listed[:MAX_COMMANDS_OF_SERVER]:
                every.setdefault(f"{state.name}: {one.title}", one)
        return every


def _about(what: Command, browser: Browser) -> str:
    if isinstance(what, Preset):
        return " ".join(what.text("text").split())[:200]
    if isinstance(what, Resource):
        said = what.description or what.uri
        return f"{ATTACHES[browser.language]}: {said}"[:200]
    told = " ".join(one.name if one.required else f"[{one.name}]" for one in what.arguments)
    return " — ".join(filter(None, (what.description, told)))[:200]


def arguments_of(prompt: Prompt, text: str) -> dict[str, str]:
    """The arguments in a message: one takes it all; several stand in their order, `name=value` where one
    is meant, in double quotes where one has blanks; the last takes what is left. Raises CannotCarryOut
    where one is missing."""
    names = [one.name for one in prompt.arguments]
    given: dict[str, str] = {}
    if len(names) == 1 and text.strip():
        given[names[0]] = text.strip().removeprefix(f"{names[0]}=").strip('"')
    elif names:
        places = []
        for word in re.findall(r'[^\s"=]+="[^"]*"|"[^"]*"|\S+', text):
            name, mark, value = word.partition("=")
            if mark and name in names:
                given[name] = value.strip('"')
            else:
                places.append(word.strip('"'))
        free = [name for name in names if name not in given]
        for place, name in enumerate(free[: len(places)]):
            last = place == len(free) - 1
            given[name] = " ".join(places[place:]) if last else places[place]
    missing = [one for one in prompt.arguments if one.required and not given.get(one.name)]
    if missing:
        said = [
            f"{one.name} ({one.description})" if one.description else one.name for one in missing
        ]
        raise CannotCarryOut(NEEDS.format(name=prompt.title, arguments=", ".join(said)))
    return given


def file_name(title: str, mime: str) -> str:
    """A name for a document, with an ending by which its kind is known."""
    plain = re.sub(r"[\\/\0\r\n]", "_", title).strip() or "document"
    if PurePath(plain).suffix:
        return plain
    kind = mime.partition(";")[0].strip()
    return plain + (_ENDINGS.get(kind) or mimetypes.guess_extension(kind) or "")
