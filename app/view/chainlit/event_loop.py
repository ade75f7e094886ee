"""Takes back what `chainlit run` does to asyncio, and runs the app on uvloop where there is one.

Chainlit's command line applies nest_asyncio, so that an app may enter its loop a second time
(`cl.run_sync`). For that all tasks and futures become pure Python ones: more than half of the CPU of
a streamed token. Nothing here enters a loop twice.
"""

import _asyncio
import asyncio
import asyncio.runners
import contextlib
import importlib
import sys


def restore_event_loop() -> None:
    """C tasks and futures again, `asyncio.run` as it was; call it before the server's loop is made,
    and before uvloop is imported: it keeps the kind of task that it finds then."""
    if "uvloop" in sys.modules:
        raise RuntimeError("uvloop was imported before the event loop was restored")
    tasks, futures = asyncio.tasks, asyncio.futures
    for module, name, original in (
        (asyncio, "Task", _asyncio.Task),
        (tasks, "Task", _asyncio.Task),
        (tasks, "_CTask", _asyncio.Task),
        (asyncio, "Future", _asyncio.Future),
        (futures, "Future", _asyncio.Future),
        (futures, "_CFuture", _asyncio.Future),
        (asyncio, "get_event_loop", _asyncio.get_event_loop),
        (asyncio.events, "get_event_loop", _asyncio.get_event_loop),
        (asyncio, "run", asyncio.runners.run),
    ):
        setattr(module, name, original)
    with contextlib.suppress(ImportError):  # there is none on Windows
        asyncio.set_event_loop_policy(importlib.import_module("uvloop").EventLoopPolicy())
