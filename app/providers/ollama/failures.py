"""What goes wrong on the way to Ollama, as errors of ours."""

import httpx

from app.core.errors import (
    ConnectionLost,
    KonsiliumError,
    MalformedAnswer,
    ServerBusy,
    ServerUnavailable,
)


def lost(error: httpx.HTTPError, server: str, model: str | None = None) -> KonsiliumError:
    """The error of ours behind a failure of the HTTP client."""
    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.UnsupportedProtocol():
            return ServerUnavailable(detail, server=server, model=model)
        case httpx.PoolTimeout():
            return ServerBusy(detail, server=server, model=model)
        case httpx.DecodingError() | httpx.TooManyRedirects():
            return MalformedAnswer(detail, server=server, model=model)
    return ConnectionLost(detail, server=server, model=model)
