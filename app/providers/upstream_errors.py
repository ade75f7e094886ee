"""What a model server says when it will not answer, as an error of ours: by status before text."""

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
    Unsupported,
    WrongKey,
)

DETAIL_CHARACTERS = 500

WRONG_SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading JSON of another shape than the protocol's raises: translate it, never let it rise."""

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
_HTML = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)


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
        detail = self.message if status is None else f"{status}: {self.message}"
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
            case 404:
                return ModelNotFound(detail, **where)
            case 429 if _EXHAUSTED.search(text):
                return QuotaExceeded(detail, **where)
            case 429:
                return RateLimited(detail, retry_after=self.retry_after, **where)
            case 503 | 529:
                return ServerBusy(detail, retry_after=self.retry_after, **where)
            case int() if 400 <= status < 500 and status != 408:
                return self._bad_request(detail, where)
        return ServerFault(detail, retry_after=self.retry_after, **where)

    def _bad_request(self, detail: str, where: dict[str, Any]) -> KonsiliumError:
        if self.code == "model_not_found" or _UNKNOWN_MODEL.search(self.message):
            return ModelNotFound(detail, **where)
        if _UNSUPPORTED.search(self.message):
            return Unsupported(detail, **where)
        return BadRequest(detail, **where)


def error_of_status(
    server: str, model: str | None, status: int, body: bytes, headers: Mapping[str, str]
) -> KonsiliumError:
    """The error behind a status of 300 and more, with whatever body it came."""
    wait = retry_after(headers)
    text = body[:65536].decode("utf-8", "replace")
    if _HTML.match(text):
        return UpstreamError(server, model, "an HTML page", status, retry_after=wait).as_error()
    try:
        parsed = json.loads(text)
    except ValueError:
        message = text.strip()[:DETAIL_CHARACTERS] or "no explanation"
        return UpstreamError(server, model, message, status, retry_after=wait).as_error()
    return error_in_body(server, model, parsed, status, wait)


def error_in_body(
    server: str,
    model: str | None,
    parsed: object,
    status: int | None = None,
    wait: float | None = None,
) -> KonsiliumError:
    """The error in a JSON body or a stream's error event: `{"error": "..."}`, `{"error": {...}}`."""
    error = parsed.get("error", parsed) if isinstance(parsed, Mapping) else parsed
    if not isinstance(error, Mapping):
        return UpstreamError(server, model, _short(error), status, retry_after=wait).as_error()
    code = error.get("code")
    if status is None:
        status = _status(code) or _status(error.get("status")) or _status(error.get("httpCode"))
    message = error.get("message") or error.get("detail") or error
    kinds = (value for value in (error.get("type"), code) if isinstance(value, str))
    return UpstreamError(
        server,
        model,
        _short(message),
        status,
        code=" ".join(kinds),
        retry_after=wait,
        prompt_tokens=_count(error.get("n_prompt_tokens")),
        window=_count(error.get("n_ctx")),
    ).as_error()


def not_the_protocol(server: str, model: str | None, sample: bytes) -> MalformedAnswer:
    """The error for an answer at 200 that is something else: a page of HTML, broken JSON."""
    text = sample[:200].decode("utf-8", "replace")
    said = "an HTML page" if _HTML.match(text) else repr(text)
    return MalformedAnswer(f"not the expected protocol: {said}", server=server, model=model)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header: a number of them, or a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.strip()[:DETAIL_CHARACTERS]


def _status(value: object) -> int | None:
    return value if isinstance(value, int) and 300 <= value < 600 else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
