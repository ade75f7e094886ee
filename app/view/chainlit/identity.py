"""Who is behind the request or the socket being served."""

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from chainlit.config import config
from chainlit.context import context_var
from chainlit.session import WebsocketSession
from chainlit.user import PersistedUser
from starlette.requests import Request

from app.access.people import People
from app.core.text import Language, language_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request says of its sender, once `sign_in` has checked it."""

    user_id: str | None = None
    identifier: str | None = None
    accept_language: str = ""
    address: str = ""
    token: str = field(default="", repr=False)
    """The text of the token that signs them in."""
    project: str | None = None
    """The project whose threads a page lists or searches; empty: those of none, None: all."""


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in user, as routes beside the chat ask for one."""

    user_id: str
    admin: bool


ANONYMOUS = Identity()

identity: ContextVar[Identity] = ContextVar("identity", default=ANONYMOUS)
"""Set where a request or a socket enters; Chainlit's data layer is not told who asks."""


def socket_session() -> WebsocketSession | None:
    """The Chainlit session being served; None in a plain HTTP request."""
    context = context_var.get(None)
    session = context.session if context is not None else None
    return session if isinstance(session, WebsocketSession) else None


def asking_id() -> str | None:
    """The id of the user who asks; None for a stranger."""
    session = socket_session()
    if session is not None and isinstance(session.user, PersistedUser):
        return session.user.id
    return identity.get().user_id


def reading_language() -> Language:
    """APP_LANGUAGE where it is set, else the browser's."""
    session = socket_session()
    said = session.language if session is not None else identity.get().accept_language.split(",")[0]
    return language_of(config.ui.language or said)


def signed_in(people: People, *, local: bool) -> Callable[[Request], Awaitable[Person | None]]:
    """Who a request to our own routes comes from. In AUTH_MODE=local it is always the one user:
    `AuthMiddleware` lets nobody in from another machine or another site's page."""

    async def who(_request: Request) -> Person | None:
        identifier = identity.get().identifier
        user = await people.known(identifier) if identifier else None
        if user is None and local:
            user = await people.local()
        return Person(user.id, user.role == "admin") if user and user.enabled else None

    return who
