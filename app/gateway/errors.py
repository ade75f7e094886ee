"""Every error as an HTTP answer, in OpenAI's form and in English: one table.

Clients retry 408, 409, 429 and 5xx twice; where that would only repeat the cost or the failure we
say `x-should-retry: false`.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from app.core import errors as e
from app.core.errors import KonsiliumError


class HttpError(Exception):
    """What is wrong with a request before any model or store is asked. `detail` is for the client."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    code: ClassVar[str] = "invalid_value"

    def __init__(self, detail: str, param: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.param = param
        """The field that is wrong."""


class InvalidField(HttpError):
    """A field of the request, or its body, that cannot be used."""


class BodyTooLarge(HttpError):
    """The request's body is over the limit."""

    status = 413
    code = "request_too_large"


class NotSignedIn(HttpError):
    """No key, or one that is not known, revoked or expired."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class NoSuchPath(HttpError):
    """A path that is none of ours."""

    status = 404
    code = "unknown_url"


class WrongCoding(HttpError):
    """A body in a coding that nobody here reads."""

    status = 415
    code = "unsupported_content_encoding"


class WrongMethod(HttpError):
    """A path of ours, asked by another method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, path: str, allowed: Iterable[str]) -> None:
        super().__init__(f"{method} is not allowed on {path}.")
        methods = {*allowed, "OPTIONS"}
        self.allowed = tuple(sorted(methods | {"HEAD"} if "GET" in methods else methods))
        """What the path may be asked by instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An error as it is sent."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    retry: bool | None = None
    """False: say that trying again does not help. None: leave it to the status."""
    retry_after: float | None = None
    allowed: tuple[str, ...] = ()
    """The methods of a path that was asked by another one."""

    @property
    def envelope(self) -> dict[str, Any]:
        """`{"error": {...}}`."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }

    @property
    def body(self) -> bytes:
        """The envelope as JSON."""
        return json.dumps(self.envelope, ensure_ascii=False).encode("utf-8", "replace")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """`retry-after`, `x-should-retry` and `allow`, where there is something to say."""
        headers = []
        if self.allowed:
            headers.append((b"allow", ", ".join(self.allowed).encode()))
        if self.retry_after is not None:
            headers.append((b"retry-after", str(max(1, math.ceil(self.retry_after))).encode()))
        if self.retry is not None:
            headers.append((b"x-should-retry", b"true" if self.retry else b"false"))
        return headers


_INVALID, _API, _RATE = "invalid_request_error", "api_error", "rate_limit_error"

ANSWERS: dict[type[KonsiliumError], Answer] = {
    KonsiliumError: Answer(500, _API, "Internal error.", retry=False),
    e.ServerError: Answer(502, _API, "The model server failed."),
    e.ServerUnavailable: Answer(503, _API, "The model server cannot be reached.", retry_after=5),
    e.DiskFull: Answer(507, _API, "The model server's disk is full.", retry=False),
    e.ServerOutdated: Answer(502, _API, "The model server is too old for this model.", retry=False),
    e.LibraryUnreachable: Answer(502, _API, "The model server cannot reach the library of models."),
    e.ServerBusy: Answer(503, _API, "The model server is busy."),
    e.QueueFull: Answer(429, _RATE, "The model server's queue is full.", retry_after=5),
    e.ServerFault: Answer(502, _API, "The model server reported an error."),
    e.ServerMoved: Answer(502, _API, "The model server has moved.", retry=False),
    e.ConnectionLost: Answer(502, _API, "The connection to the model server broke."),
    e.IncompleteAnswer: Answer(502, _API, "The model server's answer ended too early."),
    e.EmptyAnswer: Answer(502, _API, "The model answered with nothing."),
    e.MalformedAnswer: Answer(502, _API, "The model server's answer is not valid.", retry=False),
    e.FirstTokenTimeout: Answer(504, _API, "The model did not begin to answer.", retry=False),
    e.SilenceTimeout: Answer(504, _API, "The model fell silent in mid-answer.", retry=False),
    e.RequestRefused: Answer(400, _INVALID, "The model server refused the request."),
    e.WrongKey: Answer(502, _API, "The model server refused this gateway's own key.", retry=False),
    e.SignInNeeded: Answer(
        502, _API, "The model server is not signed in for its cloud models.", retry=False
    ),
    e.ModelNotFound: Answer(404, _INVALID, "There is no such model."),
    e.NoSuchService: Answer(404, _INVALID, "The model server has no such path.", retry=False),
    e.ContextTooLong: Answer(
        400,
        _INVALID,
        "The prompt is longer than the model's context length.",
        code="context_length_exceeded",
    ),
    e.RateLimited: Answer(
        429, _RATE, "The model server limits requests.", retry_after=5, code="rate_limit_exceeded"
    ),
    e.QuotaExceeded: Answer(
        429,
        "insufficient_quota",
        "The model server's quota or credit is used up.",
        code="insufficient_quota",
        retry=False,
    ),
    e.BadRequest: Answer(400, _INVALID, "The request cannot be served."),
    e.ContentFiltered: Answer(
        400, _INVALID, "The provider's content filter stopped the request.", code="content_filter"
    ),
    e.Unsupported: Answer(
        400, _INVALID, "The model does not support this.", code="unsupported", retry=False
    ),
    e.NoModels: Answer(503, _API, "No model is available.", retry=False),
    e.LimitReached: Answer(
        429, _RATE, "The key's rate limit is reached.", retry_after=10, code="rate_limit_exceeded"
    ),
    e.BudgetExceeded: Answer(
        429,
        "insufficient_quota",
        "The key's budget is spent.",
        code="insufficient_quota",
        retry=False,
    ),
    e.RequestTooLarge: Answer(
        429,
        _RATE,
        "The request is larger than the key's limit.",
        code="rate_limit_exceeded",
        retry=False,
    ),
    e.NotAllowed: Answer(403, "permission_error", "This is not allowed.", code="not_allowed"),
    e.NotFound: Answer(404, _INVALID, "There is no such object."),
    e.AttachmentRefused: Answer(400, _INVALID, "The file cannot be used."),
    e.StorageUnavailable: Answer(503, _API, "The database is not available.", retry_after=5),
    e.SettingsInvalid: Answer(500, _API, "The server's settings are wrong.", retry=False),
    e.KeyUnusable: Answer(500, _API, "The server's settings are wrong.", retry=False),
}

_SAYS_DETAIL = (
    e.RequestRefused,
    e.ServerFault,
    e.LimitReached,
    e.NotAllowed,
    e.NotFound,
    e.AttachmentRefused,
    e.ServerBusy,
)
"""Errors whose detail is for the client: it says what in the request, or at the server, was wrong."""
_OWN_WORDS = (e.WrongKey, e.ModelNotFound)


def answer_to(error: BaseException) -> Answer:
    """The answer to an error; an unknown exception is a 500 that tells nothing."""
    if isinstance(error, HttpError):
        allowed = error.allowed if isinstance(error, WrongMethod) else ()
        return Answer(
            error.status, error.type, error.detail, error.code, error.param, allowed=allowed
        )
    if not isinstance(error, KonsiliumError):
        return ANSWERS[KonsiliumError]
    kind = next(cls for cls in type(error).__mro__ if cls in ANSWERS)
    answer = ANSWERS[kind]
    return replace(
        answer,
        message=_message(error, answer.message, answer.status),
        code=answer.code or error.code,
        param="model" if isinstance(error, e.ModelNotFound) else None,
        retry_after=error.retry_after if error.retry_after is not None else answer.retry_after,
    )


def _message(error: KonsiliumError, general: str, status: int) -> str:
    if isinstance(error, e.NoSuchService):
        return error.detail or general
    if isinstance(error, e.ModelNotFound):
        name = "/".join(part for part in (error.server, error.model) if part)
        near = f" Near names: {', '.join(error.near)}." if error.near else ""
        return f"The model `{name}` does not exist or you do not have access to it.{near}"
    if isinstance(error, _SAYS_DETAIL) and not isinstance(error, _OWN_WORDS) and error.detail:
        said = error.detail.removeprefix(f"{status}: ")  # the client is told it anyway
        # programs shorten a conversation by words like these, whatever the server's are
        return f"{general[:-1]}: {said}" if isinstance(error, e.ContextTooLong) else said
    return f"{general[:-1]} ({error.server})." if error.server else general
