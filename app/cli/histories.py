"""python -m app import FILE: conversations of ChatGPT, Open WebUI, LibreChat or another Konsilium."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from app.access.people import LOCAL
from app.cli.terminal import Terminal
from app.conversation.histories import ArrivingThread, HistoryRefused, arrived, read_histories
from app.core.text import Text
from app.storage.arrivals import Arrivals, read_export
from app.storage.database import Database
from app.storage.migrations import apply
from app.storage.users import Users

UNKNOWN = Text(
    ru="Пользователя {name} нет. Назовите того, чьи это разговоры: --user.",
    uk="Користувача {name} немає. Назвіть того, чиї це розмови: --user.",
    en="There is no user {name}. Name whose conversations these are: --user.",
)
NO_FILE = Text(
    ru="Файл {file} не прочитать: {why}",
    uk="Файл {file} не прочитати: {why}",
    en="The file {file} cannot be read: {why}",
)
REFUSED = Text(
    ru="Это не экспорт ChatGPT, Open WebUI, LibreChat или Konsilium, либо он повреждён ({why}).",
    uk="Це не експорт ChatGPT, Open WebUI, LibreChat чи Konsilium, або його пошкоджено ({why}).",
    en="This is no export of ChatGPT, Open WebUI, LibreChat or Konsilium, or it is damaged ({why}).",
)
LINE = Text(
    ru="{state}  {day}  {title}  (сообщений: {messages}, ветвей: {branches}, модели: {models})",
    uk="{state}  {day}  {title}  (повідомлень: {messages}, гілок: {branches}, моделі: {models})",
    en="{state}  {day}  {title}  (messages: {messages}, branches: {branches}, models: {models})",
)
STATES = {
    "new": Text(ru="новый   ", uk="новий   ", en="new    "),
    "grown": Text(ru="дополнен", uk="доповнен", en="grown  "),
    "known": Text(ru="уже есть", uk="вже є   ", en="known  "),
    "deleted": Text(ru="в корзине", uk="у кошику", en="in bin "),
}
MISSING = Text(
    ru="Файлов, которых в экспорте нет: {count}. Их имена остались в сообщениях.",
    uk="Файлів, яких в експорті немає: {count}. Їхні назви залишилися в повідомленнях.",
    en="Files that are not in the export: {count}. Their names stay in the messages.",
)
DONE = Text(
    ru="✅ Новых разговоров: {new}, дополнено: {grown}, уже были: {known}, в корзине: {deleted}.",
    uk="✅ Нових розмов: {new}, доповнено: {grown}, вже були: {known}, у кошику: {deleted}.",
    en="✅ New conversations: {new}, grown: {grown}, known already: {known}, in the bin: {deleted}.",
)
DRY = Text(
    ru="Это была проверка, ничего не сохранено.",
    uk="Це була перевірка, нічого не збережено.",
    en="This was a dry run, nothing is stored.",
)


def register(subparsers: Any) -> None:
    """Adds the command."""
    command = subparsers.add_parser(
        "import",
        help="brings conversations from ChatGPT, Open WebUI, LibreChat or a Konsilium's JSON",
    )
    command.add_argument(
        "file", type=Path, help="conversations.json, ChatGPT's ZIP, or a JSON export"
    )
    command.add_argument("--user", default=LOCAL, help="whose conversations these are")
    command.add_argument(
        "--dry-run", action="store_true", help="say what would come, store nothing"
    )
    command.set_defaults(run=run)


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Reads the file, says of each conversation what becomes of it, and stores it. Raises
    StorageUnavailable."""
    try:
        threads = read_histories(read_export(args.file))
    except HistoryRefused as error:
        terminal.fail(REFUSED.format(why=error.detail))
        return 1
    except OSError as error:
        terminal.fail(NO_FILE.format(file=args.file, why=error.strerror))
        return 1
    database = Database(terminal.settings.database)
    try:
        await apply.upgrade(database)
        user = await Users(database).by_identifier(args.user)
        if user is None and args.user == LOCAL:
            user = await Users(database).add(LOCAL, role="admin")
        if user is None:
            terminal.fail(UNKNOWN.format(name=args.user))
            return 1
        arrivals, counts = Arrivals(database), Counter[str]()
        for thread in threads:
            name = user.display_name or user.identifier
            state = await arrivals.keep(user.id, arrived(thread, user.id, name), dry=args.dry_run)
            counts[state] += 1
            terminal.say(_line(thread, state))
        missing = sum(len(one.attachments) for thread in threads for one in thread.said)
        if missing:
            terminal.say(MISSING.format(count=missing))
        terminal.say(DONE.format(**{state: counts[state] for state in STATES}))
        if args.dry_run:
            terminal.say(DRY)
    finally:
        await database.aclose()
    return 0


def _line(thread: ArrivingThread, state: str) -> Text:
    models = sorted({one.model for one in thread.said if one.model})
    facts = {
        "day": f"{thread.created_at:%Y-%m-%d}",
        "title": " ".join(thread.title.split())[:60],
        "messages": len(thread.said),
        "branches": thread.branches,
        "models": ", ".join(models) or "—",
    }
    state_in = STATES[state]
    return Text(
        ru=LINE.ru.format(state=state_in.ru, **facts),
        uk=LINE.uk.format(state=state_in.uk, **facts),
        en=LINE.en.format(state=state_in.en, **facts),
    )
