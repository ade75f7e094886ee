"""python -m app models list | pull | load | unload | remove | bring."""

import argparse
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from app.cli.terminal import Terminal
from app.completion.catalogue import Catalogue
from app.core.errors import KonsiliumError, ModelNotFound, SettingsInvalid
from app.core.models import ModelProfile
from app.core.ports import ModelServer, ModelStore, PullProgress
from app.core.text import Text
from app.providers.configured import registry_of, servers_from
from app.providers.embedded.bundled import FILE_BYTES, bring, bundled_model
from app.providers.openai_compatible import RefusedParameters
from app.view.errors import pull_failed
from app.view.model_labels import load_label, size

BAR_WIDTH = 24

Change = Callable[[str], Awaitable[None]]
"""What is done to the model of that name."""

NO_MODELS = Text(
    ru="Моделей нет. Установите: ollama pull gemma2:2b",
    uk="Моделей немає. Встановіть: ollama pull gemma2:2b",
    en="There are no models. Get one: ollama pull gemma2:2b",
)
NO_STORE = Text(
    ru="Нет сервера Ollama, который мог бы это сделать.",
    uk="Немає сервера Ollama, який міг би це зробити.",
    en="There is no Ollama server that could do this.",
)
FAILED = Text(
    ru="Сервер {server}: {why}", uk="Сервер {server}: {why}", en="The server {server}: {why}"
)
PULLED = Text(
    ru="✅ {model} загружена за {seconds} с.",
    uk="✅ {model} завантажено за {seconds} с.",
    en="✅ {model} fetched in {seconds} s.",
)
NOT_PULLED = Text(
    ru="❌ Не удалось загрузить {model}: {why}",
    uk="❌ Не вдалося завантажити {model}: {why}",
    en="❌ {model} could not be fetched: {why}",
)
RESUMES = Text(
    ru="Загруженная часть сохранена: та же команда продолжит с этого места.",
    uk="Завантажена частина збережена: та сама команда продовжить із цього місця.",
    en="What has come is kept: the same command goes on from there.",
)
REALLY = Text(
    ru="Удалить {model} с диска? [д/Н]",
    uk="Видалити {model} з диска? [т/Н]",
    en="Delete {model} from the disk? [y/N]",
)
KEPT = Text(
    ru="Не удалено. Без вопросов: --yes",
    uk="Не видалено. Без запитань: --yes",
    en="Not deleted. Without asking: --yes",
)
LOADED = Text(
    ru="{model} загружена в память.",
    uk="{model} завантажено в пам'ять.",
    en="{model} is loaded into memory.",
)
UNLOADED = Text(
    ru="{model} выгружена из памяти.",
    uk="{model} вивантажено з пам'яті.",
    en="{model} is unloaded from memory.",
)
REMOVED = Text(ru="Удалена {model}.", uk="Видалено {model}.", en="{model} is deleted.")
UNKNOWN = Text(
    ru="На сервере {server} нет модели {model}.",
    uk="На сервері {server} немає моделі {model}.",
    en="The server {server} has no model {model}.",
)
BRINGING = Text(
    ru="Ставим маленькую модель для первого знакомства ({size})…",
    uk="Встановлюємо маленьку модель для першого знайомства ({size})…",
    en="Installing a small model to look around with ({size})…",
)
NOT_BROUGHT = Text(
    ru="Без неё: {why}. Попробовать снова: python -m app models bring",
    uk="Без неї: {why}. Спробувати знову: python -m app models bring",
    en="Going on without it: {why}. To try again: python -m app models bring",
)
REMAINING = Text(ru="осталось {time}", uk="лишилося {time}", en="{time} left")


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("models", help="list, fetch, load, unload and delete models")
    commands = group.add_subparsers(required=True, metavar="list|pull|load|unload|remove|bring")
    listing = commands.add_parser("list", help="every model of every server")
    listing.add_argument("--server", help="of one server only")
    listing.set_defaults(run=list_models)
    pulling = commands.add_parser("pull", help="fetch a model onto an Ollama server")
    pulling.add_argument("model", help="`gemma2:2b`, or `gpu2/gemma2:2b` to name the server")
    pulling.set_defaults(run=pull_model)
    for name, run, what in (
        ("load", load_model, "load a model into memory ahead of the first question"),
        ("unload", unload_model, "free a model's memory"),
    ):
        moving = commands.add_parser(name, help=what)
        moving.add_argument("model", help="`gemma2:2b`, or `gpu2/gemma2:2b`")
        moving.set_defaults(run=run)
    removing = commands.add_parser("remove", help="delete a model from an Ollama server's disk")
    removing.add_argument("model", help="`gemma2:2b`, or `gpu2/gemma2:2b`")
    removing.add_argument("-y", "--yes", action="store_true", help="without asking")
    removing.set_defaults(run=remove_model)
    bringing = commands.add_parser("bring", help="install the small model that runs inside the app")
    bringing.set_defaults(run=bring_model)


def bring_model(_args: argparse.Namespace, terminal: Terminal) -> int:
    """Brings the small model along, once; 1 where it cannot be had, and why."""
    if bundled_model() is not None:
        return 0
    terminal.say(BRINGING.format(size=size(FILE_BYTES, terminal.language)))
    if (why := bring()) is not None:
        terminal.fail(NOT_BROUGHT.format(why=why))
        return 1
    return 0


@asynccontextmanager
async def catalogue(
    terminal: Terminal, refused: RefusedParameters | None = None
) -> AsyncIterator[Catalogue]:
    """The configured servers, closed in the end."""
    configured = servers_from(terminal.settings, refused=refused)
    opened = Catalogue(
        [*configured, *registry_of(terminal.settings, configured, refused).servers()]
    )
    try:
        yield opened
    finally:
        await opened.aclose()


async def list_models(args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints the models; 1 where there is none, or a server is down."""
    async with catalogue(terminal) as servers:
        states = [s for s in await servers.refresh() if args.server in (None, s.name)]
    if args.server is not None and not states:
        raise SettingsInvalid("--server", f"no server {args.server!r}")
    rows = [_row(model, terminal) for state in states for model in state.models]
    if rows:
        terminal.table(rows)
    for state in states:
        if state.error is not None:
            terminal.fail(FAILED.format(server=state.name, why=state.error.detail))
    if not rows and all(state.reachable for state in states):
        terminal.fail(NO_MODELS)
    return 0 if rows and all(state.reachable for state in states) else 1


def _row(model: ModelProfile, terminal: Terminal) -> list[str]:
    return [
        str(model.ref),
        size(model.size_bytes, terminal.language) if model.size_bytes else "—",
        model.parameter_size or "—",
        model.quantization or "—",
        f"{model.window}" if model.window else "—",
        load_label(model.load, terminal.language) if model.load else "",
    ]


async def pull_model(args: argparse.Namespace, terminal: Terminal) -> int:
    """Fetches a model with a progress bar; 1 where that fails, and why."""
    async with catalogue(terminal) as servers:
        found = _store(servers, args.model)
        if found is None:
            terminal.fail(NO_STORE)
            return 1
        store, _, model = found
        bar = _Bar(terminal)
        start = time.monotonic()
        try:
            async with contextlib.aclosing(store.pull(model)) as lines:
                async for line in lines:
                    bar.show(line)
        except KonsiliumError as error:
            bar.end()
            why = pull_failed(error, terminal.language)
            terminal.fail(NOT_PULLED.format(model=model, why=f"{why} ({error.detail})"))
            return 1
        except BaseException:  # raised again: Ctrl-C too ends the bar and says what is kept
            bar.end()
            terminal.fail(RESUMES)
            raise
    bar.end()
    terminal.say(PULLED.format(model=model, seconds=round(time.monotonic() - start)))
    return 0


async def load_model(args: argparse.Namespace, terminal: Terminal) -> int:
    """Loads a model into memory, as long as that takes; 1 where that fails, and why."""
    return await _change(args, terminal, LOADED, lambda store: store.load)


async def unload_model(args: argparse.Namespace, terminal: Terminal) -> int:
    """Frees a model's memory; 1 where that fails, and why."""
    return await _change(args, terminal, UNLOADED, lambda store: store.unload)


async def remove_model(args: argparse.Namespace, terminal: Terminal) -> int:
    """Deletes a model after a question; 1 where it is not deleted."""
    if not args.yes and not terminal.ask(REALLY.format(model=args.model)):
        terminal.fail(KEPT)
        return 1
    return await _change(args, terminal, REMOVED, lambda store: store.remove)


async def _change(
    args: argparse.Namespace, terminal: Terminal, done: Text, change: Callable[[ModelStore], Change]
) -> int:
    async with catalogue(terminal) as servers:
        found = _store(servers, args.model)
        if found is None:
            terminal.fail(NO_STORE)
            return 1
        store, server, model = found
        try:
            await servers.look(server)  # what is loaded decides on the size of the window
            await change(store)(model)
        except ModelNotFound:
            terminal.fail(UNKNOWN.format(server=server, model=model))
            return 1
        except KonsiliumError as error:
            terminal.fail(FAILED.format(server=server, why=error.detail))
            return 1
    terminal.say(done.format(model=f"{server}/{model}"))
    return 0


def _store(servers: Catalogue, model: str) -> tuple[ModelStore, str, str] | None:
    """The store, its name and the model's: the server that is named, else the first Ollama."""
    named, slash, rest = model.partition("/")
    if slash and named in servers.servers:
        server: ModelServer = servers.servers[named]
        return (server, named, rest) if isinstance(server, ModelStore) else None
    for name, server in servers.servers.items():
        if isinstance(server, ModelStore):
            return server, name, model
    return None


class _Bar:
    """One line that is rewritten; a line a status where the output is no terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._status = ""
        self._since = time.monotonic()
        self._from = 0

    def show(self, line: PullProgress) -> None:
        if line.status != self._status:
            self.end()
            self._status = line.status
            self._since, self._from = time.monotonic(), line.completed or 0
            if not line.total:
                self._terminal.say(line.status)
        if line.total:
            self._terminal.line(self._drawn(line.status, line.completed or 0, line.total))

    def _drawn(self, status: str, completed: int, total: int) -> str:
        language = self._terminal.language
        filled = BAR_WIDTH * completed // total
        parts = [
            f"{status} {'█' * filled}{'░' * (BAR_WIDTH - filled)} {100 * completed // total:3d} %",
            f"{size(completed, language)} / {size(total, language)}",
        ]
        elapsed = time.monotonic() - self._since
        speed = (completed - self._from) / elapsed if elapsed > 0.5 else 0.0
        if speed > 0:
            left = round((total - completed) / speed)
            parts.append(f"{size(round(speed), language)}/s")
            if left:
                clock = f"{left // 60}:{left % 60:02d}"
                parts.append(self._terminal.words(REMAINING.format(time=clock)))
        return "  ".join(parts)

    def end(self) -> None:
        """Leaves the line as it is."""
        self._terminal.end_line()
        self._status = ""
