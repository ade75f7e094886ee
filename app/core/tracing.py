"""The id of the request being served: in every line of the log, and in the call to the server."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set once where a request enters (a turn, an HTTP request); tasks started by it inherit it."""
