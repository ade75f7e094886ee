"""Who is behind the request or the socket being served."""

from contextvars import ContextVar
from dataclasses import dataclass

from chainlit.config import config
from chainlit.context import context_var
from chainlit.session import WebsocketSession
from chainlit.user import PersistedUser

from app.core.text import Language, language_of


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a request says of its sender, once `sign_in` has checked it."""

    user_id: str | None = None
    identifier: str | None = None
    accept_language: str = ""
    address: str = ""


STRANGER = Visitor()

visitor: ContextVar[Visitor] = ContextVar("visitor", default=STRANGER)
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
    return visitor.get().user_id


def reading_language() -> Language:
    """APP_LANGUAGE where it is set, else the browser's."""
    session = socket_session()
    said = session.language if session is not None else visitor.get().accept_language.split(",")[0]
    return language_of(config.ui.language or said)
