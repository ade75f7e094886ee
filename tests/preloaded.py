"""What a program of the tests has imported before it is forked: all that the app and the simulators import but
Chainlit, which reads the environment as it is imported, and uvloop, which the app imports after it."""

import gc
import importlib
import sys

gc.disable()

LIBRARIES = (
    "fastapi.openapi.models",
    "literalai",
    "mcp",
    "nest_asyncio",
    "pydantic_settings",
    "socketio",
    "traceloop.sdk",
    "uvicorn.protocols.http.httptools_impl",
    "watchfiles",
)
OURS = ("app.bootstrap", "app.gateway.app", "app.cli.run", "tests.simulators")

for name in (*LIBRARIES, *OURS):
    importlib.import_module(name)
if early := {"chainlit", "uvloop"} & set(sys.modules):
    raise RuntimeError(f"imported too early: {early}")
gc.enable()
gc.freeze()
