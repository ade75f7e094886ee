"""Small pieces joined: what comes while the socket is busy goes out in one write."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

HIGH_WATER_BYTES = 256 * 1024


async def batched(
    pieces: AsyncGenerator[bytes, None], high_water: int = HIGH_WATER_BYTES
) -> AsyncGenerator[bytes, None]:
    """The same bytes in as few blocks as the reader's pace allows; the first comes alone.

    At most about `high_water` bytes wait; then `pieces` is paced. Its error is raised after what came
    before it. Closing this closes `pieces`.
    """
    waiting: list[bytes] = []
    size = 0
    some, room = asyncio.Event(), asyncio.Event()

    async def pump() -> None:
        nonlocal size
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                waiting.append(piece)
                size += len(piece)
                some.set()
                if size > high_water:
                    room.clear()
                    await room.wait()

    pumping = asyncio.create_task(pump())
    pumping.add_done_callback(lambda _: some.set())
    try:
        while True:
            await some.wait()
            some.clear()
            if waiting:
                block = b"".join(waiting)
                waiting.clear()
                size = 0
                room.set()
                if pumping.done():
                    some.set()
                yield block
            elif pumping.done():
                pumping.result()
                return
    finally:
        if not pumping.done():
            pumping.cancel()
        await asyncio.wait([pumping])
        if not pumping.cancelled():
            pumping.exception()  # raised above, or there is nobody left to be told
