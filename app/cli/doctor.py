"""python -m app doctor: what is configured, what answers, what is wrong and how to mend it."""

import argparse
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url

from app.cli.models import catalogue
from app.cli.replicas import replicas
from app.cli.terminal import Terminal, in_words
from app.cli.tools import answers, started, told
from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.completion.suggestions import SUGGESTIONS, memory_bytes, runs, suggestion
from app.core.errors import (
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    ServerUnavailable,
    SettingsInvalid,
    WrongKey,
)
from app.core.models import Capability, ModelProfile, ServerState
from app.core.providers import PROVIDERS, Provider, provider_of
from app.core.text import Text
from app.providers.configured import library_from
from app.providers.openai_compatible import RefusedParameters
from app.storage.database import Database
from app.storage.key_value import KeyValues
from app.storage.migrations import apply
from app.tools.mcp.config import McpFile
from app.tools.web.fetching import Allowed, Fetcher
from app.tools.web.tools import WebTools
from app.view.model_labels import model_hint, size

GOOD, BAD, MAYBE = "✅", "❌", "➖"
LISTED = 12
"""Models shown of a server."""
SIZE_TOLERANCE = 0.1
"""By how much a download may differ from the table of suggestions, which rounds."""

DATA = Text(
    ru="Папка данных {path}: запись возможна",
    uk="Тека даних {path}: запис можливий",
    en="The data folder {path} can be written to",
)
NO_DATA = Text(
    ru="В папку данных {path} нельзя писать: {why}",
    uk="У теку даних {path} не можна писати: {why}",
    en="The data folder {path} cannot be written to: {why}",
)
DATABASE = Text(
    ru="База данных {url} отвечает",
    uk="База даних {url} відповідає",
    en="The database {url} answers",
)
NEW_DATABASE = Text(
    ru="База данных {url} появится при первом запуске",
    uk="База даних {url} з'явиться під час першого запуску",
    en="The database {url} will be made at the first start",
)
NO_DATABASE = Text(
    ru="База данных {url} не отвечает: {why}",
    uk="База даних {url} не відповідає: {why}",
    en="The database {url} does not answer: {why}",
)
SERVER = Text(
    ru="Сервер {name} ({url}){version}: {milliseconds} мс, моделей: {count}",
    uk="Сервер {name} ({url}){version}: {milliseconds} мс, моделей: {count}",
    en="The server {name} ({url}){version}: {milliseconds} ms, models: {count}",
)
NO_SERVER = Text(
    ru="Сервер {name} ({url}): {why}",
    uk="Сервер {name} ({url}): {why}",
    en="The server {name} ({url}): {why}",
)
SEARCH = Text(
    ru="Поиск в интернете {url} отвечает",
    uk="Пошук в інтернеті {url} відповідає",
    en="The search of the web {url} answers",
)
NO_SEARCH = Text(
    ru="Поиск в интернете {url}: {why}",
    uk="Пошук в інтернеті {url}: {why}",
    en="The search of the web {url}: {why}",
)
MORE = Text(ru="… и ещё {count}", uk="… і ще {count}", en="… and {count} more")
CHECK_PROTOCOL = Text(
    ru="По этому адресу отвечает что-то другое. Адрес должен кончаться на /v1 или быть адресом Ollama.",
    uk="За цією адресою відповідає щось інше. Адреса має закінчуватися на /v1 або бути адресою Ollama.",
    en="Something else answers there. The address should end in /v1, or be that of an Ollama.",
)
CHECK_KEY = Text(
    ru="Проверьте ключ в настройках: сервер его не принимает.",
    uk="Перевірте ключ у налаштуваннях: сервер його не приймає.",
    en="Check the key in the settings: the server refuses it.",
)
DEFAULT = Text(
    ru="Новый разговор начнётся с моделью {model}",
    uk="Нова розмова почнеться з моделлю {model}",
    en="A new conversation begins with the model {model}",
)
NO_DEFAULT = Text(
    ru="Отвечать некому: нет ни одной доступной модели.",
    uk="Відповідати нікому: немає жодної доступної моделі.",
    en="Nobody can answer: no model is available.",
)
UNKNOWN_DEFAULT = Text(
    ru="Модели из MODEL_NAME нет: {model}. Похожие: {near}",
    uk="Моделі з MODEL_NAME немає: {model}. Схожі: {near}",
    en="The model of MODEL_NAME does not exist: {model}. Similar: {near}",
)


OLD_SERVER = Text(
    ru="Этой машине подошла бы {model}, но ей нужна Ollama {needs}: обновите сервер {name}",
    uk="Цій машині підійшла б {model}, але їй потрібна Ollama {needs}: оновіть сервер {name}",
    en="{model} would suit this machine, but needs Ollama {needs}: update the server {name}",
)
OTHER_SIZE = Text(
    ru="{model}: в таблице советов {said}, у сервера {name} — {found}",
    uk="{model}: у таблиці порад {said}, у сервера {name} — {found}",
    en="{model}: the table of suggestions says {said}, the server {name} has {found}",
)
OUTDATED = Text(
    ru="{model}: в хранилище моделей её нет или она другая; таблица советов устарела",
    uk="{model}: у сховищі моделей її немає або вона інша; таблиця порад застаріла",
    en="{model}: the model hub has none, or another one; the table of suggestions is out of date",
)


def register(subparsers: Any) -> None:
    """Adds the command."""
    command = subparsers.add_parser(
        "doctor", help="what is configured, what answers, what is wrong and how to mend it"
    )
    command.add_argument(
        "--address", metavar="URL", help="where browsers open the chat: is a balancer there right?"
    )
    command.set_defaults(run=doctor)


async def doctor(args: argparse.Namespace, terminal: Terminal) -> int:
    """0 where a question can be asked and all that is configured works; else 1."""
    wrong = [_data_dir(terminal), await _database(terminal)]
    stored = not wrong[1] and not _to_be_made(make_url(terminal.settings.database))
    for good, line in await replicas(terminal, args.address, stored=stored):
        terminal.say(f"{MAYBE if good is None else GOOD if good else BAD} {terminal.words(line)}")
        wrong.append(good is False)
    wrong.append(await _tool_servers(terminal))
    async with catalogue(terminal, await _refused(terminal)) as servers:
        states = await servers.refresh()
        able = any(_can_chat(m) for state in states for m in state.models)
        wrong += (
            _server(terminal, state, spare=able and _is_unset(terminal, state)) for state in states
        )
        _suggested(terminal, states)
        if not any(_can_chat(m) and not m.last_resort for s in states for m in s.models):
            await _suggested_inside(terminal)
        wrong.append(_default(terminal, servers))
    return int(any(wrong))


def _data_dir(terminal: Terminal) -> bool:
    path = terminal.settings.data_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        terminal.say(f"{BAD} {terminal.words(NO_DATA.format(path=path, why=error.strerror))}")
        return True
    terminal.say(f"{GOOD} {terminal.words(DATA.format(path=path))}")
    return False


async def _database(terminal: Terminal) -> bool:
    url = make_url(terminal.settings.database)
    shown = url.render_as_string(hide_password=True)
    if _to_be_made(url):
        terminal.say(f"{GOOD} {terminal.words(NEW_DATABASE.format(url=shown))}")
        return False
    database = Database(terminal.settings.database)
    try:
        await apply.check(database)
    except apply.DatabaseNewer as error:
        terminal.say(f"{BAD} {terminal.words(in_words(error))}")
        return True
    except KonsiliumError as error:
        why = error.detail.splitlines()[0] if error.detail else error.code
        terminal.say(f"{BAD} {terminal.words(NO_DATABASE.format(url=shown, why=why))}")
        return True
    finally:
        await database.aclose()
    terminal.say(f"{GOOD} {terminal.words(DATABASE.format(url=shown))}")
    return False


async def _tool_servers(terminal: Terminal) -> bool:
    """Starts each MCP server, and asks the search of the web for something."""
    try:
        states = await started(McpFile(terminal.settings.data_dir))
    except SettingsInvalid as error:
        terminal.say(f"{BAD} {terminal.words(in_words(error))}")
        return True
    for state in states:
        for line in told(terminal, state):
            terminal.say(line)
    wrong = not all(map(answers, states))
    if url := terminal.settings.searxng_url:
        why = await WebTools(Fetcher(Allowed("")), url).cannot_search()
        said = NO_SEARCH.format(url=url, why=why) if why else SEARCH.format(url=url)
        terminal.say(f"{BAD if why else GOOD} {terminal.words(said)}")
        wrong |= bool(why)
    return wrong


async def _refused(terminal: Terminal) -> RefusedParameters:
    """What models were found not to take, where there is a database that can be read."""
    if _to_be_made(make_url(terminal.settings.database)):
        return RefusedParameters()
    database = Database(terminal.settings.database)
    refused = RefusedParameters(KeyValues(database))
    try:
        await refused.load()
    except KonsiliumError:
        return RefusedParameters()  # why it cannot be read has been said above
    finally:
        await database.aclose()
    return refused


def _to_be_made(url: URL) -> bool:
    """Whether it is a SQLite file that the first start will make: looking must not make it."""
    file = url.database if url.get_backend_name() == "sqlite" else None
    return bool(file) and file != ":memory:" and not Path(file or "").exists()


def _is_unset(terminal: Terminal, state: ServerState) -> bool:
    """One nobody asked for, such as an Ollama at the default address."""
    provider = provider_of(state.provider)
    variable = (provider.variable or "").lower()
    return provider.by_default and variable not in terminal.settings.model_fields_set


def _server(terminal: Terminal, state: ServerState, *, spare: bool) -> bool:
    """`spare`: its absence harms nobody."""
    if state.error is not None:
        line = NO_SERVER.format(name=state.name, url=state.url, why=state.error.detail)
        terminal.say(f"{MAYBE if spare else BAD} {terminal.words(line)}")
        if (remedy := remedy_for(state, state.error)) is not None:
            terminal.say(f"   {terminal.words(remedy)}")
        return not spare
    line = SERVER.format(
        name=state.name,
        url=state.url,
        version=f" {state.version}" if state.version else "",
        milliseconds=round((state.latency_s or 0) * 1000),
        count=len(state.models),
    )
    terminal.say(f"{GOOD} {terminal.words(line)}")
    for model in state.models[:LISTED]:
        terminal.say(f"   {model_hint(model, terminal.language, with_server=False)}")
    if len(state.models) > LISTED:
        terminal.say(f"   {terminal.words(MORE.format(count=len(state.models) - LISTED))}")
    if not state.models and (remedy := provider_of(state.provider).without_models):
        best = suggestion(memory_bytes(), terminal.language, state.version)
        suggested = f"{state.name}/{best.name}"
        terminal.say(f"   {terminal.words(remedy.format(model=suggested))}")
    return False


def _suggested(terminal: Terminal, states: Sequence[ServerState]) -> None:
    """Where the table of suggestions and an Ollama differ."""
    for state in (s for s in states if s.reachable and s.provider == "ollama"):
        best = suggestion(memory_bytes(), terminal.language)
        if not runs(best, state.version):
            _hint(terminal, OLD_SERVER.format(model=best.name, needs=best.needs, name=state.name))
        for one in SUGGESTIONS:
            for model in (m for m in state.models if m.ref.name == one.name):
                found = model.size_bytes or one.size_bytes
                if abs(found - one.size_bytes) > one.size_bytes * SIZE_TOLERANCE:
                    said, has = (size(n, terminal.language) for n in (one.size_bytes, found))
                    _hint(
                        terminal,
                        OTHER_SIZE.format(model=one.name, said=said, name=state.name, found=has),
                    )


async def _suggested_inside(terminal: Terminal) -> None:
    """Which of the models for inside the app are not at the hub as the table says."""
    async with contextlib.aclosing(library_from(terminal.settings)) as library:
        for name in await library.outdated():
            _hint(terminal, OUTDATED.format(model=name))


def _hint(terminal: Terminal, line: Text) -> None:
    terminal.say(f"{MAYBE} {terminal.words(line)}")


def remedy_for(
    state: ServerState, error: KonsiliumError, providers: Sequence[Provider] = PROVIDERS
) -> Text | None:
    """What to do about a server's error, where there is something."""
    match error:
        case ServerUnavailable():
            return provider_of(state.provider, providers).remedy
        case WrongKey():
            return CHECK_KEY
        case MalformedAnswer() | ModelNotFound():
            return CHECK_PROTOCOL
    return None


def _default(terminal: Terminal, servers: Catalogue) -> bool:
    models = Models(servers, Prices(), default=terminal.settings.model_name)
    try:
        ref = models.resolve("")
    except ModelNotFound as error:
        near = ", ".join(error.near) or "—"
        line = UNKNOWN_DEFAULT.format(model=terminal.settings.model_name, near=near)
        terminal.say(f"{BAD} {terminal.words(line)}")
        return True
    except KonsiliumError:
        terminal.say(f"{BAD} {terminal.words(NO_DEFAULT)}")
        return True
    terminal.say(f"{GOOD} {terminal.words(DEFAULT.format(model=ref))}")
    return False


def _can_chat(model: ModelProfile) -> bool:
    return model.can(Capability.COMPLETION)
