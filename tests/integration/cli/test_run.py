"""`konsilium run` where something else wants the same port."""

import contextlib
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import clean_environment, free_port
from tests.waiting import wait_until

AVAILABLE = "Your app is available"
TAKEN = "is taken by another program. Choose another one: make run PORT="


@pytest.fixture
def started(tmp_path: Path) -> Iterator["Starts"]:
    starts = Starts(tmp_path)
    yield starts
    for one in starts.all:
        one.kill()
        one.wait()


class Starts:
    """The app started over the same data, as often as one likes."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.all: list[subprocess.Popen[bytes]] = []

    def one(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "app", "run", "--no-browser", "--port", str(port)]
        variables = {"DATA_DIR": str(self.data), "OLLAMA_HOST": "http://127.0.0.1:9"}
        with self.log(len(self.all)).open("wb") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=clean_environment(APP_LANGUAGE="en", HOST="127.0.0.1", **variables),
            )
        self.all.append(process)
        return process

    def log(self, number: int) -> Path:
        return self.data.parent / f"{number}.log"


def test_a_port_that_another_program_takes_while_the_app_is_imported_is_said(
    started: Starts,
) -> None:
    port = free_port()
    app = started.one(port)
    wait_until(lambda: list(started.data.glob("pages/*/public")), 120)  # it has found the port free
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert app.wait(60) == 1
        said = started.log(0).read_text()
        _, words, another = said.partition(TAKEN)
        assert words
        assert int(another.rpartition("--port ")[2]) > port
        assert AVAILABLE not in said
        assert "Traceback" not in said


def test_of_two_starts_at_once_one_serves_and_the_other_harms_nothing(started: Starts) -> None:
    port = free_port()
    both = [started.one(port), started.one(port)]
    wait_until(lambda: any(one.poll() is not None for one in both), 120)
    lost = next(i for i, one in enumerate(both) if one.poll() is not None)
    assert both[lost].wait() == 1
    assert TAKEN in started.log(lost).read_text()
    assert AVAILABLE not in started.log(lost).read_text()

    def served() -> bool:
        with contextlib.suppress(urllib.error.URLError):
            style = f"http://127.0.0.1:{port}/public/konsilium.css"
            return bool(urllib.request.urlopen(style, timeout=10).status == 200)
        return False

    wait_until(served, 120)
