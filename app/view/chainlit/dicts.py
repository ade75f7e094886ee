"""Chainlit's dicts from what is stored, and back."""

import os
from datetime import datetime
from typing import Any, cast

from chainlit.element import ElementDict
from chainlit.step import StepDict
from chainlit.user import PersistedUser

from app.core.events import StepKind
from app.core.people import User
from app.core.threads import ElementRecord
from app.core.turns import StepRecord, now
from app.view.rendering import stamp

FILES_ROUTE = "/files"


def persisted(user: User) -> PersistedUser:
    """A user as Chainlit knows them; their role is in the metadata."""
    return PersistedUser(
        id=user.id,
        createdAt=stamp(user.created_at),
        identifier=user.identifier,
        display_name=user.display_name,
        metadata={**user.metadata, "role": user.role},
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


def step_record(step: StepDict) -> StepRecord:
    """A message of ours that Chainlit asks to store: a notice, never part of a prompt."""
    created = _moment(step.get("createdAt")) or now()
    return StepRecord(
        id=step["id"],
        thread_id=step["threadId"],
        type=step["type"],
        name=step["name"],
        kind=StepKind.NOTICE if "message" in step["type"] else StepKind.GROUP,
        parent_id=step.get("parentId"),
        input=step.get("input") or "",
        output=step.get("output") or "",
        metadata=step.get("metadata") or {},
        created_at=created,
        ended_at=_moment(step.get("end")) or created,
        is_error=bool(step.get("isError")),
        open=bool(step.get("defaultOpen")),
        modes=step.get("modes"),
    )


def _moment(text: str | None) -> datetime | None:
    """Chainlit's times: ISO 8601, UTC, sometimes without saying so."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else datetime.fromisoformat(text + "+00:00")
