"""Starts Chainlit's server in this process, as its own command line would."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

APP = Path(__file__).parents[2] / "chainlit_app.py"


def launch(
    root: Path, host: str, listeners: Sequence[socket.socket], root_path: str, *, browser: bool
) -> None:
    """Serves on those sockets, which are bound to `host`, until told to stop. `root` is the folder that
    Chainlit takes for the app's own. Raises OSError where another program listens on the port first.

    Chainlit's configuration reads the environment when it is imported, so nothing may have imported it
    before.
    """
    os.environ |= {
        "CHAINLIT_APP_ROOT": str(root),
        "CHAINLIT_HOST": host,
        "CHAINLIT_PORT": str(listeners[0].getsockname()[1]),
        "CHAINLIT_ROOT_PATH": root_path or os.environ.get("CHAINLIT_ROOT_PATH", ""),
    }
    # To compress each word for a browser on the same machine costs more than it saves.
    os.environ.setdefault("UVICORN_WS_PER_MESSAGE_DEFLATE", "false")

    from chainlit.cli import run_chainlit
    from chainlit.config import config

    config.run.headless = not browser
    _serve_on(listeners)
    run_chainlit(str(APP))


def _serve_on(listeners: Sequence[socket.socket]) -> None:
    """Chainlit says that the app is available, and only then would its server ask for the port."""
    serve = uvicorn.Server.serve

    async def listen_and_serve(
        server: uvicorn.Server, _: list[socket.socket] | None = None
    ) -> None:
        for listener in listeners:
            listener.listen(server.config.backlog)
        await serve(server, list(listeners))

    uvicorn.Server.serve = listen_and_serve  # type: ignore[method-assign, assignment]
