"""A process of its own with many users who write at once.

python -m tests.integration.storage.writers URL FOLDER PREFIX USERS TURNS
"""

import asyncio
import sys
from pathlib import Path

from app.storage.storage import Storage
from tests.integration.storage.turns import say


async def write(storage: Storage, prefix: str, users: int, turns: int) -> None:
    """Each user asks `turns` questions in a thread of their own, all users at the same time."""

    async def one(number: int) -> None:
        user = await storage.users.add(f"{prefix}{number}")
        for turn in range(turns):
            await say(storage, user, f"Question {turn}", thread=f"{prefix}{number}")

    await asyncio.gather(*(one(number) for number in range(users)))


async def main(url: str, folder: str, prefix: str, users: str, turns: str) -> None:
    storage = await Storage(url, Path(folder)).open()
    await write(storage, prefix, int(users), int(turns))
    await storage.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
