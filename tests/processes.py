"""Real processes for the browser tests and the benchmarks: the app, a plain app, the simulators."""

import contextlib
import multiprocessing
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.core.providers import PROVIDERS

ROOT = Path(__file__).parent.parent
CHAINLIT = Path(sys.executable).with_name("chainlit")

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["tests.preloaded"])
IN_TESTS = "PYTEST_VERSION" in os.environ
"""Whether the app and the simulators are forked; a benchmark starts them as a person does."""


def browser_path() -> str | None:
    """The system's Chromium, the one without a window first; None where there is none."""
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without anything that would configure the app, and with `variables`; the small
    model that the install may have brought along is left out unless they name it."""
    keys = tuple(str(one.variable) for row in PROVIDERS for one in row.variables)
    servers = ("OLLAMA", "OPENAI", "DATABASE", "REDIS", *keys)
    chainlit = (
        "CHAINLIT",
        "CI",
        "DEBUG",
        "HEADLESS",
        "HOST",
        "PORT",
    )  # its command line reads them
    ours = servers + chainlit
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {"PYTHONPATH": str(ROOT), "EMBEDDED_MODEL": "off"} | variables


class Forked:
    """A module run as a program, as `python -m` would, in a fork of a process that has imported what it needs:
    a start takes a quarter of the time. As much of subprocess.Popen as `Process` asks for."""

    def __init__(
        self,
        arguments: list[str],
        environment: Mapping[str, str],
        folder: Path,
        out: Path,
        err: Path | None = None,
        typed: Path | None = None,
    ) -> None:
        files = (typed, out, err or out)
        self._process = FORKSERVER.Process(
            target=_run, args=(arguments, dict(environment), folder, files), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.exitcode

    def send_signal(self, sig: signal.Signals) -> None:
        os.kill(self.pid, sig)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return code

    def kill(self) -> None:
        self._process.kill()


def _run(
    arguments: list[str],
    environment: dict[str, str],
    folder: Path,
    files: tuple[Path | None, Path, Path],
) -> None:
    """In the fork: makes it what a program of its own would be, and runs the module."""
    for stream, path in enumerate(files):
        with open(path or os.devnull, "ab" if stream else "rb") as file:
            os.dup2(file.fileno(), stream)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # the fork's own was closed
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def run_command(
    *arguments: str, environment: Mapping[str, str], folder: Path = ROOT, typed: str = ""
) -> Done:
    """`python -m app …` to its end, forked; `typed` is its standard input. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as place:
        given, out, err = (Path(place) / name for name in ("in", "out", "err"))
        given.write_text(typed, encoding="utf-8")
        run = Forked(["app", *arguments], environment, folder, out, err, given)
        try:
            code = run.wait(100)
        finally:
            run.kill()
        return Done(code, *(path.read_text(encoding="utf-8") for path in (out, err)))


class Process:
    """A server process: started at once, up when its page answers, gone at the end. `forks`: a Python module
    among the preloaded is forked instead (not where a start is what is measured)."""

    def __init__(
        self,
        command: list[str],
        url: str,
        environment: Mapping[str, str],
        log: Path,
        ready: str = "/",
        folder: Path = ROOT,
        *,
        forks: bool = False,
    ) -> None:
        self.forks = forks
        self.command, self.url, self.environment, self.log = command, url, environment, log
        self.ready, self.folder = ready, folder
        self.seconds_to_ready = 0.0
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def start(self, timeout: float = 120) -> None:
        """Starts it and waits until it answers; raises with its log where it dies or hangs."""
        started = time.perf_counter()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = self._started()
        while time.perf_counter() - started < timeout:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(self.url + self.ready, timeout=5).read()  # noqa: S310  # loopback
                self.seconds_to_ready = time.perf_counter() - started
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self.command} did not come up:\n{self.log.read_text()[-4000:]}")

    def _started(self) -> subprocess.Popen[bytes] | Forked:
        if self.forks:
            return Forked(self.command[2:], self.environment, self.folder, self.log)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                env=dict(self.environment),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 30) -> None:
        """Sends the signal and waits; SIGKILL where it does not end."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(sig)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def restart(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """Ends it by the signal and starts it again on the same port and data."""
        self.stop(sig)
        self.start()


def app_root(folder: Path) -> Path:
    """A root of its own for Chainlit, which keeps uploads there and deletes them at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in (ROOT / "public", ROOT / ".chainlit"):
        link = folder / source.name
        if not link.exists():
            link.symlink_to(source)
    for page in ROOT.glob("chainlit*.md"):  # Chainlit reads none that a link takes out of its root
        shutil.copy(page, folder)
    return folder


def konsilium(folder: Path, **variables: str) -> Process:
    """The app as `make run` starts it, with its data in `folder`."""
    port = free_port()
    environment = clean_environment(DATA_DIR=str(folder / "data"), **variables)
    command = [sys.executable, "-m", "app", "run", "--no-browser"]
    command += ["--port", str(port), "--host", "127.0.0.1"]
    url = f"http://127.0.0.1:{port}"
    return Process(command, url, environment, folder / "app.log", forks=IN_TESTS)


def gateway(folder: Path, workers: int, **variables: str) -> Process:
    """The gateway alone, in so many processes on one port."""
    port = free_port()
    environment = clean_environment(DATA_DIR=str(folder / "data"), **variables)
    command = [sys.executable, "-m", "app", "gateway", "--port", str(port)]
    command += ["--workers", str(workers)]
    url = f"http://127.0.0.1:{port}"
    return Process(command, url, environment, folder / "gateway.log", "/health")


def simulator(kind: str, folder: Path, *models: str) -> Process:
    """A simulated model server (`ollama` or `openai`) in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.simulators", kind, "--port", str(port)]
    command += ["--models", ",".join(models)] if models else []
    ready = "/api/version" if kind == "ollama" else "/v1/models"
    url = f"http://127.0.0.1:{port}"
    log = folder / f"{kind}.log"
    return Process(command, url, clean_environment(), log, ready, forks=IN_TESTS)


@contextlib.contextmanager
def running(*processes: Process) -> Iterator[None]:
    """Starts them in order and ends them in reverse."""
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.callback(process.stop)
            process.start()
        yield


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes away with its `with`."""
    return tempfile.TemporaryDirectory(prefix="konsilium-")
