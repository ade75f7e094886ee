"""Chainlit's shapes: the dicts that its page is sent, the widgets of its panel, and ours as these.

The types are named here once, for the view's other modules to use.
"""

import hmac
import mimetypes
import os
from datetime import datetime
from typing import Any, cast

from chainlit.element import Element, ElementDict
from chainlit.input_widget import (
    InputWidget,
    MultiSelect,
    NumberInput,
    Select,
    Slider,
    Switch,
    TextInput,
)
from chainlit.mode import Mode as Picker
from chainlit.mode import ModeOption as PickerOption
from chainlit.step import StepDict
from chainlit.types import Starter, ThreadDict
from chainlit.user import PersistedUser

from app.attachments import File
from app.conversation.modes import ELEMENTS as MODE_ELEMENTS
from app.core.people import User
from app.core.threads import ElementRecord
from app.settings import PAGE

__all__ = [
    "ElementDict",
    "InputWidget",
    "MultiSelect",
    "NumberInput",
    "Picker",
    "PickerOption",
    "Select",
    "Slider",
    "Starter",
    "StepDict",
    "Switch",
    "TextInput",
    "ThreadDict",
    "element_dict",
    "persisted",
    "stamp",
    "upload_dict",
    "upload_record",
]

FILES_ROUTE = "/files"
PUBLIC = PAGE / "public"
ELEMENTS = (
    frozenset(file.stem for file in (PUBLIC / "elements").glob("*.jsx")) | MODE_ELEMENTS.keys()
)
"""The names of our own elements. The page runs the file of that name as code, wherever the name leads:
one that is not among these is never sent to a page."""


def may_be_drawn(element: ElementRecord) -> bool:
    """Whether a page may be sent it; rows stored by others or long ago are no exception."""
    return element.type != "custom" or element.name in ELEMENTS


def stamp(moment: datetime) -> str:
    """ISO 8601, UTC, as Chainlit's client sorts it."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def credentials(user: User | None) -> str:
    """Which password a user has, without telling it: a token says for which one it was given."""
    secret = os.environ.get("CHAINLIT_AUTH_SECRET", "").encode()
    return hmac.new(
        secret, ((user.password_hash if user else "") or "").encode(), "sha256"
    ).hexdigest()[:16]


def persisted(user: User) -> PersistedUser:
    """A user as Chainlit knows them, and puts them into tokens; their role is in the metadata."""
    return PersistedUser(
        id=user.id,
        createdAt=stamp(user.created_at),
        identifier=user.identifier,
        display_name=user.display_name,
        metadata={**user.metadata, "role": user.role, "credentials": credentials(user)},
    )


def element_dict(element: ElementRecord) -> ElementDict:
    """An element as the browser is sent it; the bytes are behind our own route."""
    url = element.url
    if element.has_file:
        root = os.environ.get("CHAINLIT_ROOT_PATH", "").rstrip("/")
        url = f"{root}{FILES_ROUTE}/{element.thread_id}/{element.id}"
    described: dict[str, Any] = {
        "id": element.id,
        "threadId": element.thread_id,
        "forId": element.step_id,
        "type": element.type,
        "name": element.name,
        "display": element.display,
        "mime": element.mime,
        "url": url,
        "chainlitKey": None,
        "objectKey": None,
        "path": None,
        "props": dict(element.props) if element.props is not None else None,
        "size": None,
        "language": None,
        "page": None,
        "autoPlay": None,
        "playerConfig": None,
        **element.extra,
    }
    return cast(ElementDict, described)


def upload_record(file: File, thread_id: str, step_id: str) -> ElementRecord:
    """An uploaded file as it is stored under the question it came with."""
    mime = file.mime or mimetypes.guess_type(file.name)[0] or ""
    kind = Element.infer_type_from_mime(mime)
    extra = {"size": "medium"} if kind == "image" else {}
    return ElementRecord(
        str(file.element_id), thread_id, kind, file.name, step_id, mime, extra=extra
    )


def upload_dict(file: File, thread_id: str, step_id: str) -> ElementDict:
    """The same, shown from the page's uploads while it is not stored yet."""
    drawn = element_dict(upload_record(file, thread_id, step_id))
    drawn["chainlitKey"] = file.element_id
    return drawn
