"""What goes wrong while a browser is served: exact in the log, in words on screen."""

import logging
from collections.abc import Awaitable
from typing import Any

from app.core.errors import KonsiliumError
from app.view.errors import advice_for
from app.view.session import Browser

log = logging.getLogger(__name__)


async def guarded(browser: Browser, work: Awaitable[Any]) -> None:
    """Does the work; what goes wrong is in the log exactly, and on screen in words."""
    try:
        await work
    except KonsiliumError as error:
        log.warning("%s: %s", error.code, error.detail)
        await _toast(browser, code=error.code, server=error.server, model=error.model)
    except Exception:  # the last line of defence: Chainlit would print the raw exception on screen
        log.exception("a handler failed")
        await _toast(browser, code="internal_error")


async def _toast(browser: Browser, **facts: str | None) -> None:
    advice = advice_for(facts, browser.language)
    await browser.emit("toast", {"message": advice["title"], "type": "error"})
