"""What our errors are to a browser, where a route of Chainlit's lets them through."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from app.core.errors import KonsiliumError, NotAllowed, NotFound, StorageUnavailable

_STATUS: Mapping[type[KonsiliumError], int] = {
    NotFound: 404,
    NotAllowed: 401,
    StorageUnavailable: 503,
}


def answer_errors(app: FastAPI) -> None:
    """Makes those errors answers with a status and a code; the detail stays in the log."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        status = next(s for kind, s in _STATUS.items() if isinstance(error, kind))
        code = error.code if isinstance(error, KonsiliumError) else "internal_error"
        return JSONResponse({"detail": code}, status)

    for kind in _STATUS:
        app.add_exception_handler(kind, answer)
