"""llama.cpp's server, as a process of its own: python -m app.providers.embedded.process

It reads one line of JSON, a `ServerOptions`, from its standard input, so that its key shows in no list of
processes; it writes its address in one line to its standard output once the model is loaded, and
lives until its standard input is closed: until whoever started it says so, or is gone.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

PR_SET_PDEATHSIG = 1
LOG_SECONDS = 0.5
"""What llama.cpp's own thread has to write down why it failed, before the process ends and takes that along."""
WARNINGS = 2
"""llama.cpp's verbosity: warnings and errors, which hold no prompts."""


REPEAT_PENALTY = 1.1
"""llama.cpp's; from here on SmolLM2 ends its sentences instead of saying them again."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What the server is to run."""

    path: str
    alias: str
    """The model's name in requests."""
    key: str
    window: int
    """Tokens of context of each slot."""
    slots: int
    """Answers written at once."""
    parent: int
    """The process that started it."""
    exact: bool = False
    """Writes what is likeliest, without repeating itself: where nobody sets a temperature."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the app's: it lets answers finish
    start = ServerOptions(**json.loads(sys.stdin.readline()))
    _die_with(start.parent)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        import xllamacpp  # here: so that the line above can already end a process that loads
    except ImportError as error:
        sys.exit(f"llama.cpp is not installed (xllamacpp): {error}")
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, start))
    except RuntimeError:
        time.sleep(LOG_SECONDS)
        raise
    print(server.listening_address, flush=True)  # noqa: T201  # the agreed line
    threading.Event().wait()


def _parameters(xllamacpp: Any, start: ServerOptions) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = start.path
    parameters.model_alias = {start.alias}
    parameters.api_keys = [start.key]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = start.window * start.slots
    parameters.n_parallel = start.slots
    parameters.cpuparams.n_threads = threads_of(cores())
    parameters.cpuparams_batch.n_threads = threads_of(cores())
    parameters.warmup = False  # the first question warms it
    if start.exact:
        parameters.sampling.temp, parameters.sampling.penalty_repeat = 0.0, REPEAT_PENALTY
    parameters.verbosity = WARNINGS
    parameters.ui = False
    parameters.endpoint_slots = False
    return parameters


def cores() -> int:
    """Those that this process may run on: a container has fewer than its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of(cores: int) -> int:
    """How many of so many cores the model takes: one is the app's."""
    return max(1, cores - 1)


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)  # llama.cpp's threads are not asked: nothing of theirs is to be kept


def _die_with(parent: int) -> None:
    """On Linux the kernel ends this process with its parent, also while llama.cpp holds Python's lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before that
            os._exit(0)


if __name__ == "__main__":
    main()
