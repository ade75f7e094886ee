"""konsilium run: the chat, on this machine's port, from any folder."""

import argparse
import gc
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from app.cli.terminal import Terminal
from app.core.text import Text
from app.settings import PAGE, Settings

PAGE_PARTS = ("public", ".chainlit/config.toml", ".chainlit/translations", "chainlit*.md")

TAKEN = Text(
    ru="Порт {port} занят другой программой. Выберите другой: --port {other}",
    uk="Порт {port} зайнятий іншою програмою. Оберіть інший: --port {other}",
    en="Port {port} is taken by another program. Choose another one: --port {other}",
)


def register(subparsers: Any) -> None:
    """Adds the command."""
    command = subparsers.add_parser("run", help="start the chat")
    command.add_argument("--host", help="address to listen on (HOST)")
    command.add_argument("--port", type=int, help="port to listen on (PORT)")
    command.add_argument("--root-path", default="", help="the path under which a proxy serves it")
    command.add_argument("--no-browser", action="store_true", help="do not open the browser")
    command.set_defaults(run=run)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Serves the chat until told to stop; answers then have SHUTDOWN_GRACE_SECONDS to finish."""
    settings = terminal.settings
    host, port = args.host or settings.host, args.port or settings.port
    if not is_free(host, port):
        terminal.fail(TAKEN.format(port=port, other=port + 1))
        return 1
    root = page_root(settings, port)
    gc.disable()  # a quarter of the imports' time, for nothing found; the app enables it once it is up
    from app.view.chainlit.launch import launch  # nothing else of the chat is needed to say no

    launch(root, host, port, args.root_path, browser=has_browser() and not args.no_browser)
    return 0


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if sys.platform != "win32":  # there the option lets two programs share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def page_root(settings: Settings, port: int) -> Path:
    """The folder that Chainlit takes for the app's own: it reads the page there and writes uploads,
    which it deletes when it ends. So each process has one, in DATA_DIR, and the installed files may be
    read-only. Raises OSError."""
    root = settings.data_dir.absolute() / "run" / f"{socket.gethostname()}-{port}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for pattern in PAGE_PARTS:
        for source in PAGE.glob(pattern):
            _copy(source, root / source.relative_to(PAGE))
    return root


def _copy(source: Path, target: Path) -> None:
    """The bytes alone: who may read the copy is for this process to say, not for the installed file."""
    if source.is_dir():
        for inner in source.iterdir():
            _copy(inner, target / inner.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def has_browser() -> bool:
    """Whether a person sits at this terminal, with a screen for a browser."""
    screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return screen and sys.stdout.isatty()
