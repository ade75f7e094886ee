"""A real Redis from Debian's package, on a free port, which keeps nothing."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator

from tests.processes import free_port


class RedisServer:
    """One server, by its `url`; stopped and started again it is empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + 30
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1) as one,
            ):
                one.sendall(b"PING\r\n")
                if one.recv(5) == b"+PONG":
                    return
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError("Redis does not start: apt-get install redis-server")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """A server for the length of the block."""
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
