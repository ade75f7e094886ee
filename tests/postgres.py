"""A real PostgreSQL from Debian's package, on a free port, in a temporary folder."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4


class Postgres:
    """One server. `database()` makes an empty database and gives its URL."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self.port = _free_port()
        # PostgreSQL refuses to run as root: there it runs as the user its package made.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None

    def init(self) -> None:
        if self._user:
            shutil.chown(self._folder, self._user)
        self._run(
            "initdb", "-D", "data", "-U", "konsilium", "-A", "trust", "--locale=C", "-E", "UTF8"
        )

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "max_connections": 60,
        }
        settings = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        self._server = subprocess.Popen(
            [self._binaries / "postgres", "-D", "data", *settings],
            cwd=self._folder,
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline or self._server.poll() is not None:
                raise RuntimeError("PostgreSQL does not start")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops at once, dropping every connection (SIGQUIT: no clean shutdown)."""
        if self._server is not None:
            self._server.send_signal(3)
            self._server.wait(timeout=30)
            self._server = None

    def database(self, like: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one at the URL `like`."""
        name = f"test_{uuid4().hex}"
        server = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "konsilium")
        template = ("-T", like.rpartition("/")[2]) if like else ()
        self._run("createdb", *server, *template, name)
        return f"postgresql+asyncpg://konsilium@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / program, *arguments],
            cwd=self._folder,
            user=self._user,
            check=True,
            capture_output=True,
        )


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server for the length of the block. Raises RuntimeError where the package is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("the tests need PostgreSQL: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="konsilium-pg-") as folder:
        server = Postgres(found[-1].parent, Path(folder))
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
