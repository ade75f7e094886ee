"""One line an event, as text or as JSON, with the request's id and without secrets.

Nothing of ours logs what people or models write. Libraries that would (an HTTP client's bodies, a
driver's parameters) speak from WARNING on, whatever LOG_LEVEL says.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from app.core.errors import KonsiliumError
from app.core.requests import request_id

OURS = ("app", "konsilium", "__main__")
SPOKEN_FROM_INFO = ("chainlit", "alembic")
"""Libraries whose INFO is about the service, not about what goes through it."""
SILENT = ("mcp",)
"""Libraries that log a traceback of what they raise besides; what uses them says it in a line."""

_NAMES_NO_VALUES = (
    KonsiliumError,
    OSError,
    RuntimeError,
    AttributeError,
    TypeError,
    NameError,
    ImportError,
)
"""Errors whose words are about the program; of others (ValueError, a driver's) they may quote what
a person wrote, so only the type and the place are logged, and the words from DEBUG on."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CREDENTIAL = re.compile(
    r"""(?ix)
    (?P<lead> (?:bearer|api-key|basic) \s+ | (?:api[-_]?key|token|password|secret) ["']? \s*[=:]\s* ["']? )
    (?P<secret> [^\s"',;&]{8,} )
    | \b (?: sk- | AQVN ) [A-Za-z0-9_-]{16,}
    | (?<=://) [^\s/:@]+ : [^\s/@]+ (?=@)
    """
)
_SPOKEN = re.compile(
    r"""(?isx)
    (?P<lead> \\? ["'] (?: content | text | input | prompt | thinking | reasoning | reasoning_content
        | response | arguments | answer | title ) \\? ["'] \s* : \s* )
    (?P<quote> \\? ["'] ) .*? (?: (?<! \\ ) (?P=quote) | \Z )
    """
)
"""A server that refuses a request may quote it, and half an answer is no JSON: what such JSON says
under these names is people's and models' words."""
MASK = "***"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What ends a line, moves a terminal's cursor or turns the direction of a text."""


def on_one_line(text: str) -> str:
    """Whatever somebody puts into a name or an address, it makes no line of its own."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class Redaction:
    """Masks the secrets it was told, whatever looks like a credential and, unless `words` may be
    shown, what a conversation says where an error quotes it."""

    def __init__(self, secrets: Iterable[str] = (), *, words: bool = False) -> None:
        self._words = words
        known = sorted({s for s in secrets if len(s) >= 6}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, line: str) -> str:
        """The line without secrets."""
        if self._known is not None:
            line = self._known.sub(MASK, line)
        if not self._words:
            line = _SPOKEN.sub(lambda found: f"{found['lead']}{MASK}", line)
        return _CREDENTIAL.sub(lambda found: (found["lead"] or "") + MASK, line)


class _Lines(logging.Formatter):
    def __init__(self, redact: Redaction, *, whole_errors: bool = False) -> None:
        super().__init__()
        self._redact = redact
        self._whole_errors = whole_errors

    def trace(self, error: BaseException) -> str:
        """The traceback, causes first, as Python prints it."""
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        before = f"{self.trace(cause)}\n\nwhich led to\n\n" if cause is not None else ""
        frames = "".join(traceback.format_tb(error.__traceback__))
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        shown = self._whole_errors or isinstance(error, _NAMES_NO_VALUES)
        return f"{before}{frames}{name.removeprefix('builtins.')}{f': {on_one_line(str(error))}' if shown else ''}"


class TextLines(_Lines):
    """`2026-09-30 12:00:00.000Z INFO app.x [request] what happened`, for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback below it where there is one."""
        request = request_id.get()
        head = f"{_time(record):%Y-%m-%d %H:%M:%S}.{int(record.msecs):03}Z {record.levelname}"
        line = f"{head} {record.name}{f' [{request}]' if request else ''} {record.getMessage()}"
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        error = record.exc_info[1] if record.exc_info else None
        trace = f"\n{self.trace(error)}" if error is not None else ""
        return self._redact(on_one_line(line + facts) + trace)


class JsonLines(_Lines):
    """One JSON object a line, for a collector."""

    def format(self, record: logging.LogRecord) -> str:
        """The object: time, level, logger, message, request_id, and what `extra` brought."""
        entry: dict[str, Any] = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            entry["request_id"] = request
        entry |= _facts(record)
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = self.trace(record.exc_info[1])
        masked = {k: self._redact(v) if isinstance(v, str) else v for k, v in entry.items()}
        return json.dumps(
            masked, ensure_ascii=False, default=lambda value: self._redact(str(value))
        )


def configure_logging(
    level: str = "INFO",
    form: Literal["text", "json"] = "text",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Makes the process log to `stream` (stderr) in that form; `secrets` never appear there.

    Handlers set up by libraries before are replaced, so that each line is written once.
    """
    lines = JsonLines if form == "json" else TextLines
    handler = logging.StreamHandler(stream or sys.stderr)
    whole = level == "DEBUG"
    handler.setFormatter(lines(Redaction(secrets, words=whole), whole_errors=whole))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(logging.WARNING, logging.getLevelName(level)))
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        if not name.startswith(OURS):
            logger.setLevel(logging.NOTSET)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in SPOKEN_FROM_INFO:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level)))
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(True)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
