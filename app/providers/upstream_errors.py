"""What a model server says when it will not answer, as an error of ours: by status before text."""

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from app.core.errors import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    QuotaExceeded,
    RateLimited,
    ServerBusy,
    ServerFault,
    ServerMoved,
    SignInNeeded,
    Unsupported,
    WrongKey,
)

DETAIL_CHARACTERS = 500
MIN_SECRET_LENGTH = 8
"""Characters: a shorter key (`x`, `none`) is no secret, and striking it out would spoil the words."""

WRONG_SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading JSON of another shape than the protocol's raises: translate it, never let it rise."""

_MAX_WAIT_S = 31 * 86_400.0
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum context|too many tokens|prompt is too long"
    r"|exceeds the available context|input length exceeds|number of input tokens",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(r"does not support|not supported|unsupported", re.IGNORECASE)
_UNKNOWN_MODEL = re.compile(
    r"model.{0,80}(not found|does not exist|not exist|unknown|invalid)|(unknown|invalid|no such) model",
    re.IGNORECASE | re.DOTALL,
)
_EXHAUSTED = re.compile(r"insufficient.?(quota|balance|funds)|billing|no credits", re.IGNORECASE)
_STATUS_OF_KIND = {
    "rate_limit": 429,
    "insufficient_quota": 402,
    "overloaded": 529,
    "authentication": 401,
    "invalid_api_key": 401,
}
"""What an error's own code means, where no status came with it."""
_HTML = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)


_TAG = re.compile(r"<[^<>]*>")
_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)


def _decoded(body: bytes, kind: str) -> str:
    """The text of a body, by what its type says of its letters; UTF-8 where that is nothing known."""
    said = _CHARSET.search(kind)
    try:
        return body.decode(said[1] if said else "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class UpstreamError:
    """An error as it came: its status (None in mid-stream), the server's words, and its own code."""

    server: str
    model: str | None
    message: str
    status: int | None = None
    code: str = ""
    retry_after: float | None = None
    prompt_tokens: int | None = None
    window: int | None = None

    def as_error(self) -> KonsiliumError:
        """The error of ours that it is."""
        where: dict[str, Any] = {"server": self.server, "model": self.model}
        status, text = self.status, f"{self.code} {self.message}"
        said = status is None or self.message.startswith(str(status))
        detail = self.message if said else f"{status}: {self.message}"
        if self.code == "exceed_context_size_error" or (
            status in (None, 400, 413, 422, 500) and _TOO_LONG.search(text)
        ):
            return ContextTooLong(
                detail, prompt_tokens=self.prompt_tokens, window=self.window, **where
            )
        if "content_filter" in self.code or "content_policy" in self.code:
            return ContentFiltered(detail, **where)
        match status:
            case 401 | 403:
                return WrongKey(detail, **where)
            case 402:
                return QuotaExceeded(detail, **where)
            case 404 if not _UNSUPPORTED.search(self.message):
                return ModelNotFound(detail, **where)
            case 429 if _EXHAUSTED.search(text):
                return QuotaExceeded(detail, **where)
            case 429:
                return RateLimited(detail, retry_after=self.retry_after, **where)
            case 501:
                return Unsupported(detail, **where)
            case 500 if _UNSUPPORTED.search(self.message):
                return Unsupported(detail, **where)
            case 503 | 529:
                return ServerBusy(detail, retry_after=self.retry_after, **where)
            case int() if 400 <= status < 500 and status != 408:
                return self._bad_request(detail, where)
        return ServerFault(detail, retry_after=self.retry_after, **where)

    def _bad_request(self, detail: str, where: dict[str, Any]) -> KonsiliumError:
        if self.code != "model_not_found" and _UNSUPPORTED.search(self.message):
            return Unsupported(detail, **where)
        if self.code == "model_not_found" or _UNKNOWN_MODEL.search(self.message):
            return ModelNotFound(detail, **where)
        return BadRequest(detail, **where)


def error_of_status(
    server: str,
    model: str | None,
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    key: str = "",
) -> KonsiliumError:
    """The error behind a status of 300 and more, with whatever body it came. `key` is kept out of it."""
    wait = retry_after(headers)
    text = _decoded(body[:65536], headers.get("content-type", ""))
    moved = headers.get("location") if status < 400 else None
    parsed: object = None
    if moved is None and not _HTML.match(text):
        with contextlib.suppress(ValueError, RecursionError):
            parsed = json.loads(text)
    if moved is not None:
        message = f"it has moved to {moved}: give that address instead"
        error: KonsiliumError = ServerMoved(
            f"{status}: {_short(message)}", server=server, model=model
        )
    elif parsed is not None:
        error = error_in_body(server, model, parsed, status, wait)
    else:
        if text.lstrip().startswith("<?xml"):
            text = " ".join(_TAG.sub(" ", text).split())
        message = "an HTML page" if _HTML.match(text) else text.strip() or "no explanation"
        error = UpstreamError(server, model, _short(message), status, retry_after=wait).as_error()
    if len(key) >= MIN_SECRET_LENGTH:
        error.detail = error.detail.replace(key, "***")
    return error


def error_in_body(
    server: str,
    model: str | None,
    parsed: object,
    status: int | None = None,
    wait: float | None = None,
) -> KonsiliumError:
    """The error in a JSON body or a stream's error event: `{"error": "..."}`, `{"error": {...}}`, the
    same in a list, or without that wrapper."""
    if isinstance(parsed, Mapping) and isinstance(url := parsed.get("signin_url"), str):
        return SignInNeeded("not signed in at ollama.com", server=server, model=model, url=url)
    error = _unwrapped(parsed)
    if not isinstance(error, Mapping):
        return UpstreamError(server, model, words_of(error), status, retry_after=wait).as_error()
    code = error.get("code")
    kinds = " ".join(value for value in (error.get("type"), code) if isinstance(value, str))
    if status is None:
        named = (status for word, status in _STATUS_OF_KIND.items() if word in kinds)
        status = next(
            filter(None, map(_status, (code, error.get("status"), error.get("httpCode")))), None
        )
        status = status or next(named, None)
    message = words_of(error)
    if isinstance(param := error.get("param"), str) and param and param not in message:
        message = f"{message} ({code}: {param})" if code else f"{message} ({param})"
    return UpstreamError(
        server,
        model,
        message,
        status,
        code=kinds,
        retry_after=wait,
        prompt_tokens=_count(error.get("n_prompt_tokens")),
        window=_count(error.get("n_ctx")),
    ).as_error()


def says_error(chunk: Mapping[str, Any]) -> bool:
    """Whether an object of a stream, or one instead of an answer, is an error, in whatever form."""
    if names_error(chunk):
        return True
    base = chunk.get("base_resp")  # MiniMax: beside an answer, too, with 0 for none
    if isinstance(base, Mapping) and not _is_fine(base.get("status_code")):
        return True
    if "choices" in chunk or "usage" in chunk:
        return False
    if any(isinstance(said := chunk.get(name), Mapping) and names_error(said) for name in WRAPPERS):
        return True
    if isinstance(chunk.get("message"), Mapping):
        return False
    if any(chunk.get(name) is False for name in ("success", "ok")):
        return True
    worded = any(chunk.get(name) for name in _WORDS)
    return worded and not ("code" in chunk and _is_fine(chunk["code"]))


def names_error(chunk: Mapping[str, Any]) -> bool:
    """Whether it calls itself an error, or has one under any of the names for it."""
    named = "error" in (chunk.get("object"), chunk.get("type"))
    return named or (
        not _ERRORS.isdisjoint(chunk) and any(is_failure(chunk.get(name)) for name in _ERRORS)
    )


def is_failure(error: object) -> bool:
    """Whether what stands where an error would is one: some servers put `{"code": 0}` or `""` there
    beside every piece of an answer."""
    if isinstance(error, Mapping):
        return any(
            not _is_fine(value) if name in ("code", "status", "type") else bool(value)
            for name, value in error.items()
        )
    if isinstance(error, bool | list):
        return bool(error)
    return not _is_fine(error)


_ERRORS = frozenset(
    {
        "error",
        "Error",
        "ERROR",
        "err",
        "exception",
        "fault",
        "errorMessage",
        "error_msg",
        "error_message",
        "errors",
    }
)
"""What servers call what went wrong."""
WRAPPERS = ("data", "result", "response", "output", "body")
"""Where some put the answer itself, or the error."""
_FINE = ("", "0", "200", "ok", "success", "none", "null", "false", "no error")


def _is_fine(code: object) -> bool:
    """Whether a code or a word says that nothing went wrong."""
    return not code or str(code).strip().lower() in _FINE


def words_of(value: object) -> str:
    """What an error says, in words, out of the forms that servers put it in."""
    return _short(_words(value, 4) or value)


_WORDS = (
    "message",
    "Message",
    "msg",
    "detail",
    "error_description",
    "error_msg",
    "error_message",
    "errorMessage",
    "errorMsg",
    "errmsg",
    "errors",
    "description",
    "status_msg",
)
"""Where servers put what they have to say, the most telling first."""


_ALL_WORDS = (
    *_WORDS,
    *("error", "Error", "ERROR", "err", "fault", "faultstring", "exception"),
    *("reason", "text", "title"),
    *WRAPPERS,
)


def _words(value: object, depth: int) -> str:
    if isinstance(value, str):
        within = _json_within(value) if depth else value
        return value.strip() if isinstance(within, str) else _words(within, depth - 1)
    if depth and isinstance(value, list):
        return "; ".join(filter(None, (_words(each, depth - 1) for each in value[:8])))
    if depth and isinstance(value, Mapping):
        said = next(
            (said for name in _ALL_WORDS if (said := _words(value.get(name), depth - 1))),
            "",
        )
        further = value.get("metadata")  # OpenRouter: what the provider itself said
        within = further.get("raw") if isinstance(further, Mapping) else value.get("cause")
        raw = _words(within, depth - 1)
        if raw and raw not in said:
            said = f"{said}: {raw}" if said else raw
        where = value.get("loc")
        if said and isinstance(where, list):
            return f"{'.'.join(str(part) for part in where[:8])}: {said}"
        return said
    return ""


def _unwrapped(parsed: object) -> object:
    """The error itself: of a list (Gemini's) the first, of wrappers in one another the innermost, be
    they JSON within a string of JSON (Ollama passes on what its runner says)."""
    if isinstance(parsed, Mapping) and isinstance(parsed.get("base_resp"), Mapping):
        parsed = parsed["base_resp"]
    for _ in range(8):
        if isinstance(parsed, str):
            parsed = _json_within(parsed)
        if isinstance(parsed, list) and parsed and isinstance(parsed[0], Mapping):
            parsed = parsed[0]
        if not isinstance(parsed, Mapping):
            break
        if not parsed.get("error"):
            within = _json_within(said) if isinstance(said := parsed.get("message"), str) else None
            if not isinstance(within, Mapping):
                break
            parsed = {**parsed, "message": None, **within}
            continue
        inner = parsed["error"]
        if isinstance(inner, bool | int):
            parsed = {"code": inner, **parsed, "error": None}
            break
        if not isinstance(inner, Mapping) and any(parsed.get(name) for name in _WORDS):
            break  # a title beside the words: {"error": "Bad Request", "message": "..."}
        parsed = inner
    return parsed


def _json_within(text: str) -> object:
    """The object that a string holds, behind whatever words of the server's own; else the string."""
    start = text.find("{")
    if start < 0:
        return text
    try:
        found, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return text
    telling = isinstance(found, dict) and any(found.get(name) for name in (*_WORDS, "error"))
    return found if telling else text


def not_the_protocol(server: str, model: str | None, sample: bytes) -> MalformedAnswer:
    """The error for an answer at 200 that is something else: a page of HTML, broken JSON."""
    text = sample[:200].decode("utf-8", "replace")
    said = "an HTML page" if _HTML.match(text) else repr(text)
    return MalformedAnswer(f"not the expected protocol: {said}", server=server, model=model)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header: a number of them, or a date; None for what is neither, and for
    what nobody would wait for."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if seconds < _MAX_WAIT_S else None


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.strip()[:DETAIL_CHARACTERS]


def _status(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and 300 <= value < 600 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
