"""What doctor says of several copies of the app: whether they share their files, hear of each other, and
whether the balancer before them keeps a browser with one of them."""

from collections.abc import Sequence
from datetime import timedelta

import httpx
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import make_url, select

from app.cli.terminal import Terminal
from app.core.errors import StorageUnavailable
from app.core.text import Text
from app.core.turns import now
from app.storage.database import Database
from app.storage.processes import shares_files
from app.storage.tables import processes

SEEN_SECONDS = 30
"""A process that has written a sign of life since then runs; clocks may differ by less."""
BROWSERS = 6
"""Handshakes that are tried: by chance alone all of them keep to one of two replicas once in 4,000."""
REQUESTS = 3
SOCKET = "/ws/socket.io/"
TIMEOUT_SECONDS = 10.0

SHARED = Text(
    ru="Копий приложения: {count}, папка данных у них общая",
    uk="Копій застосунку: {count}, тека даних у них спільна",
    en="Copies of the app: {count}, and they share the data folder",
)
NOT_SHARED = Text(
    ru="Копий приложения: {count}, но у {apart} из них другая папка данных: вложений и файлов друг друга"
    " они не найдут. Укажите всем в DATA_DIR одну общую папку (том, NFS)",
    uk="Копій застосунку: {count}, але в {apart} з них інша тека даних: вкладень і файлів одна одної"
    " вони не знайдуть. Вкажіть усім у DATA_DIR одну спільну теку (том, NFS)",
    en="Copies of the app: {count}, but {apart} of them have another data folder, and will not find the"
    " others' attachments and files. Give all of them one shared folder (a volume, NFS) as DATA_DIR",
)
NO_POST = Text(
    ru="Копий приложения: {count}, но REDIS_URL не задан: за ответом одной из другой не проследить",
    uk="Копій застосунку: {count}, але REDIS_URL не задано: за відповіддю однієї з іншої не простежити",
    en="Copies of the app: {count}, but REDIS_URL is not set: an answer of one is not followed at another",
)
REDIS = Text(ru="Redis {url} отвечает", uk="Redis {url} відповідає", en="Redis {url} answers")
NO_REDIS = Text(
    ru="Redis {url} не отвечает: {why}. До его возвращения каждая копия работает сама по себе",
    uk="Redis {url} не відповідає: {why}. До його повернення кожна копія працює сама по собі",
    en="Redis {url} does not answer: {why}. Until it is back each copy works for itself",
)
STICKY = Text(
    ru="{address}: страница остаётся у одной копии приложения",
    uk="{address}: сторінка залишається в однієї копії застосунку",
    en="{address}: a page stays with one copy of the app",
)
NOT_STICKY = Text(
    ru="{address}: запросы одной страницы попадают к разным копиям. Страница, которой недоступен WebSocket,"
    " не соединится, а вложения не дойдут: включите в балансировщике привязку (как в deploy/nginx.conf)",
    uk="{address}: запити однієї сторінки потрапляють до різних копій. Сторінка, якій недоступний WebSocket,"
    " не з'єднається, а вкладення не дійдуть: увімкніть у балансувальнику прив'язку (як у deploy/nginx.conf)",
    en="{address}: requests of one page reach different copies. A page that cannot use WebSocket will not"
    " connect, and attachments get lost: turn on stickiness in the balancer (as in deploy/nginx.conf)",
)
NO_BALANCER = Text(
    ru="{address}: чата там нет: {why}",
    uk="{address}: чату там немає: {why}",
    en="{address}: there is no chat: {why}",
)


async def replicas(
    terminal: Terminal, address: str | None, *, stored: bool
) -> Sequence[tuple[bool | None, Text]]:
    """Lines about the copies of the app, and whether each is good (None: as you like). Says nothing where
    there is one copy alone. `address` is where browsers open the chat; `stored`: there is a database."""
    lines: list[tuple[bool | None, Text]] = []
    ids = await _running(terminal) if stored else ()
    folder, redis = terminal.settings.data_dir, terminal.settings.redis_url
    if len(ids) > 1:
        apart = sum(1 for id in ids if not shares_files(folder, id))
        said = NOT_SHARED if apart else SHARED
        lines.append((not apart, said.format(count=len(ids), apart=apart)))
        if redis is None:
            lines.append((None, NO_POST.format(count=len(ids))))
    if redis is not None:
        lines.append(await _redis(redis.get_secret_value()))
    if address is not None:
        lines.append(await _sticky(address.rstrip("/")))
    return lines


async def _running(terminal: Terminal) -> Sequence[str]:
    database = Database(terminal.settings.database)
    lately = processes.c.seen_at > now() - timedelta(seconds=SEEN_SECONDS)
    try:
        return await database.read(lambda c: c.scalars(select(processes.c.id).where(lately)).all())
    except StorageUnavailable:
        return ()  # why is said where the database is looked at
    finally:
        await database.aclose()


async def _redis(url: str) -> tuple[bool, Text]:
    shown = make_url(url).render_as_string(hide_password=True)
    client = Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3)
    try:
        await client.get("konsilium:")
    except (RedisError, OSError) as error:
        return False, NO_REDIS.format(url=shown, why=error)
    finally:
        await client.aclose()
    return True, REDIS.format(url=shown)


async def _sticky(address: str) -> tuple[bool, Text]:
    """Asks as browsers do that open a page's socket, each request over a connection of its own: whoever is not
    signed in is refused, by one copy of the app or by several."""
    try:
        kept = [await _keeps_to_one(address) for _ in range(BROWSERS)]
    except httpx.HTTPStatusError as error:
        return False, NO_BALANCER.format(address=address, why=error.response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        return False, NO_BALANCER.format(address=address, why=str(error) or type(error).__name__)
    return all(kept), (STICKY if all(kept) else NOT_STICKY).format(address=address)


async def _keeps_to_one(address: str) -> bool:
    from app.view.sign_in import COPY_HEADER  # takes a second, and only this needs it

    polling = {"EIO": "4", "transport": "polling"}
    each = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(limits=each, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        await http.get(
            address + SOCKET, params=polling
        )  # with this the balancer may give its cookie
        said = [await http.get(address + SOCKET, params=polling) for _ in range(REQUESTS)]
    for answer in said:
        if COPY_HEADER not in answer.headers:
            answer.raise_for_status()
    return len({answer.headers[COPY_HEADER] for answer in said}) == 1
