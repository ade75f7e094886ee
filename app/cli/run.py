"""konsilium run: the chat, on this machine's port, from any folder."""

import argparse
import contextlib
import errno
import gc
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from app.cli.terminal import Terminal
from app.core.text import Text
from app.settings import PAGE
from app.storage.files import own_folder

PAGE_PARTS = ("public", ".chainlit/config.toml", ".chainlit/translations", "chainlit*.md")

TAKEN = Text(
    ru="Порт {port} занят другой программой. Выберите другой: make run PORT={other}, или --port {other}",
    uk="Порт {port} зайнятий іншою програмою. Оберіть інший: make run PORT={other}, або --port {other}",
    en="Port {port} is taken by another program. Choose another one: make run PORT={other}, or --port {other}",
)
CANNOT = Text(
    ru="Адрес {host}, порт {port}: слушать здесь нельзя ({why})",
    uk="Адреса {host}, порт {port}: слухати тут не можна ({why})",
    en="Address {host}, port {port}: it is not possible to listen there ({why})",
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
    try:
        listeners = bound(host, port)
    except OSError as error:
        terminal.fail(_why_not(host, port, error))
        return 1
    root = own_folder(settings.data_dir.absolute() / "pages")
    copy_page(root)
    gc.disable()  # a quarter of the imports' time, for nothing found; the app enables it once it is up
    from app.view.chainlit.launch import launch  # nothing else of the chat is needed to say no

    try:
        launch(root, host, listeners, args.root_path, browser=has_browser() and not args.no_browser)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        terminal.fail(_why_not(host, port, error))  # it was taken while the chat was imported
        return 1
    return 0


def bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address that the host's name stands for. They do not listen yet: whoever comes
    before the app is up is refused, so that a balancer turns to another copy and nobody waits. Raises
    OSError, EADDRINUSE where somebody listens there."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as opened:
        listeners = []
        for family, _, _, _, address in dict.fromkeys(found):
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            if sys.platform != "win32":  # there the option lets two programs share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listeners.append(listener)
        opened.pop_all()
    return listeners


def _why_not(host: str, port: int, error: OSError) -> Text:
    if error.errno != errno.EADDRINUSE:
        return CANNOT.format(host=host, port=port, why=error.strerror)
    free = (other for other in range(port + 1, 65536) if _is_free(host, other))
    return TAKEN.format(port=port, other=next(free, 8000))


def _is_free(host: str, port: int) -> bool:
    try:
        for one in bound(host, port):
            one.close()
    except OSError:
        return False
    return True


def copy_page(root: Path) -> None:
    """Copies into `root`, the folder that Chainlit takes for the app's own, what it reads there. (It
    writes there, too; the installed files may be read-only.) Raises OSError."""
    for pattern in PAGE_PARTS:
        for source in PAGE.glob(pattern):
            _copy(source, root / source.relative_to(PAGE))


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
