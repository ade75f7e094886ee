"""Every error Konsilium raises, in one tree.

KonsiliumError
├── ServerError                 a model server, or the way to it, failed
│   ├── ServerUnavailable       nobody answers at the address
│   ├── ServerBusy              it says that it has too much to do (retry_after)
│   │   └── QueueFull           our own queue before it is full (retry_after)
│   ├── ServerFault             it answered 5xx, or said in mid-stream that it failed
│   ├── ServerMoved             it answers with a redirect: the address in the settings is an old one
│   ├── DiskFull                no space left for a model that is fetched
│   ├── ConnectionLost          the connection broke in mid-answer
│   ├── IncompleteAnswer        the stream ended without its end mark
│   ├── EmptyAnswer             it ended as it should, without a word
│   ├── MalformedAnswer         what came is not the protocol (HTML at 200, broken JSON)
│   ├── FirstTokenTimeout       no first token within the limit
│   └── SilenceTimeout          no further token within the limit
├── RequestRefused              the server understood and said no
│   ├── WrongKey                401, 403
│   │   └── SignInNeeded        an Ollama that is not signed in where its cloud models run (url)
│   ├── ModelNotFound           404, or a model nobody has (near: names alike)
│   ├── ContextTooLong          the prompt does not fit the window
│   ├── RateLimited             429 (retry_after)
│   ├── QuotaExceeded           402, or a 429 that waiting does not mend
│   ├── BadRequest              400, 413, 422
│   ├── ContentFiltered         the provider's filter stopped it
│   └── Unsupported             the model lacks a capability
├── NoModels                    nothing configured, or servers without models
├── LimitReached                one of our own limits (retry_after)
│   ├── BudgetExceeded          the key's or the user's money is spent
│   └── RequestTooLarge         more than the limit allows at any time
├── NotAllowed                  signed in, but not to this
├── NotFound                    no such thread, file, key, or not one's own
├── AttachmentRefused           a file that cannot be used, and why
├── StorageUnavailable          the database or the disk does not take writes
└── SettingsInvalid             a variable of the environment is wrong (variable)
    └── KeyUnusable             a key holds what no key does (place)

Adapters translate at their edge: `raise ServerUnavailable(...) from error`. No HTTP status and no
text for people lives here: `gateway/errors.py` and `view/errors` each hold one table.
"""

from typing import ClassVar


class KonsiliumError(Exception):
    """Base of all. `detail` is exact and for the log; it may be technical, it holds no secret."""

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str = "",
        *,
        server: str | None = None,
        model: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.server = server
        self.model = model
        self.retry_after = retry_after
        """Seconds after which trying again may help; None where it is not known."""


class ServerError(KonsiliumError):
    code = "server_error"


class ServerUnavailable(ServerError):
    code = "server_unavailable"


class ServerBusy(ServerError):
    code = "server_busy"


class QueueFull(ServerBusy):
    """Said in the words of its base."""


class ServerFault(ServerError):
    code = "server_fault"


class ServerMoved(ServerError):
    code = "server_moved"


class DiskFull(ServerError):
    code = "disk_full"


class ServerOutdated(ServerError):
    """It is too old for what was asked of it."""

    code = "server_outdated"


class LibraryUnreachable(ServerError):
    """The server cannot reach the place that it fetches models from."""

    code = "library_unreachable"


class ConnectionLost(ServerError):
    code = "connection_lost"


class IncompleteAnswer(ServerError):
    code = "incomplete_answer"


class EmptyAnswer(ServerError):
    code = "empty_answer"


class MalformedAnswer(ServerError):
    code = "malformed_answer"


class FirstTokenTimeout(ServerError):
    code = "first_token_timeout"


class SilenceTimeout(ServerError):
    code = "silence_timeout"


class RequestRefused(KonsiliumError):
    code = "request_refused"


class WrongKey(RequestRefused):
    code = "wrong_key"


class SignInNeeded(WrongKey):
    code = "sign_in_needed"

    def __init__(
        self, detail: str = "", *, server: str | None = None, model: str | None = None, url: str
    ) -> None:
        super().__init__(detail, server=server, model=model)
        self.url = url
        """Where a person signs that server in."""


class ModelNotFound(RequestRefused):
    code = "model_not_found"

    def __init__(
        self,
        detail: str = "",
        *,
        server: str | None = None,
        model: str | None = None,
        near: tuple[str, ...] = (),
    ) -> None:
        super().__init__(detail, server=server, model=model)
        self.near = near
        """Names that look alike, best first."""


class NoSuchService(ModelNotFound):
    """A server without the path that is asked for, for that model at least."""

    code = "no_such_service"


class ContextTooLong(RequestRefused):
    code = "context_too_long"

    def __init__(
        self,
        detail: str = "",
        *,
        server: str | None = None,
        model: str | None = None,
        prompt_tokens: int | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(detail, server=server, model=model)
        self.prompt_tokens = prompt_tokens
        self.window = window


class RateLimited(RequestRefused):
    code = "rate_limited"


class QuotaExceeded(RequestRefused):
    code = "quota_exceeded"


class BadRequest(RequestRefused):
    code = "bad_request"


class ContentFiltered(RequestRefused):
    code = "content_filtered"


class Unsupported(RequestRefused):
    code = "unsupported"


class NoModels(KonsiliumError):
    code = "no_models"


class LimitReached(KonsiliumError):
    code = "limit_reached"


class BudgetExceeded(LimitReached):
    code = "budget_exceeded"


class RequestTooLarge(LimitReached):
    """Said in the words of its base."""


class NotAllowed(KonsiliumError):
    code = "not_allowed"


class NotFound(KonsiliumError):
    code = "not_found"


class AttachmentRefused(KonsiliumError):
    code = "attachment_refused"

    def __init__(self, detail: str = "", *, reason: str = "damaged", **facts: str | int) -> None:
        super().__init__(detail or f"{reason} {facts}")
        self.reason = reason
        """A code of `attachments.refusals`, which has the words for it."""
        self.facts = facts


class StorageUnavailable(KonsiliumError):
    code = "storage_unavailable"


class SettingsInvalid(KonsiliumError):
    code = "settings_invalid"

    def __init__(self, variable: str, detail: str) -> None:
        super().__init__(f"{variable}: {detail}")
        self.variable = variable


class KeyUnusable(SettingsInvalid):
    code = "key_unusable"

    def __init__(self, variable: str, detail: str, place: int) -> None:
        """`place`: of the first character that is wrong, from 1 on."""
        super().__init__(variable, detail)
        self.place = place
