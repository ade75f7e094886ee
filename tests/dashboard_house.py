"""The dashboard alone over a database of made-up records, served for a browser or a benchmark."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.staticfiles import StaticFiles

from app.core.votes import Vote
from app.gateway.dashboard import dashboard_router
from app.storage.storage import Storage
from app.storage.tables import threads, usage, users
from app.storage.usage import StoredUsage
from tests.usage_samples import END, USERS
from tests.waiting import until

PUBLIC = Path(__file__).parents[1] / "public"
TITLES = ("Как заваривать улун", "План поездки в Карпаты", "Refactor the parser", "Борщ без свёклы")


@dataclass(frozen=True)
class Person:
    user_id: str
    admin: bool


async def fill(storage: Storage, rows: list[dict[str, Any]]) -> None:
    """Keeps the records, the people of `USERS`, and a few of their threads."""
    person = {"role": "user", "metadata": {}, "created_at": END}
    names = [{"id": id, "identifier": n.lower(), "display_name": n} for id, n in USERS.items()]
    first_rows = {row["thread_id"]: row for row in rows if row["thread_id"] is not None}
    kept = [
        {
            "id": id,
            "user_id": row["user_id"],
            "title": TITLES[number % len(TITLES)],
            "metadata": {},
            "tags": [],
            "created_at": END,
            "active_at": END,
        }
        for number, (id, row) in enumerate(first_rows.items())
        if number % 4
    ]

    def work(connection: Connection) -> None:
        connection.execute(users.insert(), [name | person for name in names])
        for start in range(0, len(rows), 2000):
            connection.execute(usage.insert(), rows[start : start + 2000])
        if kept:
            connection.execute(threads.insert(), kept)

    await storage.database.write(work)


@contextmanager
def dashboard_house(
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    user_id: str = "u-anna",
    admin: bool = True,
    votes: Sequence[Vote] = (),
) -> Iterator[str]:
    """The address of a server, in a thread of its own, whose one visitor is `user_id`."""
    address: list[str] = []
    ready, leave = threading.Event(), threading.Event()

    async def serve() -> None:
        storage = await Storage(f"sqlite+aiosqlite:///{folder / 'house.db'}", folder).open()
        try:
            await fill(storage, rows)
            for vote in votes:
                await storage.votes.add(vote)
            server = uvicorn.Server(
                uvicorn.Config(_app(storage, Person(user_id, admin)), port=0, log_level="warning")
            )
            serving = asyncio.create_task(server.serve())
            await until(lambda: server.started)
            port = server.servers[0].sockets[0].getsockname()[1]
            address.append(f"http://127.0.0.1:{port}")
            ready.set()
            await asyncio.to_thread(leave.wait)
            server.should_exit = True
            await serving
        finally:
            ready.set()
            await storage.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(120)
    try:
        yield address[0]
    finally:
        leave.set()
        thread.join()


def _app(storage: Storage, visitor: Person) -> FastAPI:
    async def identify(_request: Any) -> Person:
        return visitor

    app = FastAPI()
    reports, votes = StoredUsage(storage.database), storage.votes
    app.include_router(dashboard_router(reports, votes, identify, PUBLIC))
    app.mount("/public", StaticFiles(directory=PUBLIC))
    return app
