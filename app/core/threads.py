"""A conversation as it is kept: the thread, what hangs on its steps, and pages of threads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from app.core.turns import StepRecord

T = TypeVar("T")

TITLE_LENGTH = 50
"""Characters of a thread's first name."""
_MARKS = re.compile(r"^(?:(?:#{1,6}|>) )+")


@dataclass(frozen=True, slots=True)
class ThreadRecord:
    """One conversation, without what was said in it."""

    id: str
    user_id: str
    owner: str
    """The identifier its owner signs in with."""
    title: str | None
    created_at: datetime
    active_at: datetime
    """When something was last said in it: lists are in this order, newest first."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    shared_at: datetime | None = None
    """Since when anyone with the link may read it; None: its owner alone."""


@dataclass(frozen=True, slots=True)
class ElementRecord:
    """A file, an image or a custom element that hangs on a step."""

    id: str
    thread_id: str
    type: str
    """Chainlit's: image, text, pdf, file, custom, ..."""
    name: str
    step_id: str | None = None
    mime: str | None = None
    display: str = "inline"
    url: str | None = None
    """Where it is, if it is not ours."""
    has_file: bool = False
    """Whether its bytes are in our files."""
    props: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else Chainlit draws it by: size, language, page, autoPlay, playerConfig."""


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """A thumb on a turn: `value` 1 is up, 0 is down."""

    id: str
    step_id: str
    value: int
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A whole conversation; `steps` in the order they appeared."""

    thread: ThreadRecord
    steps: tuple[StepRecord, ...]
    elements: tuple[ElementRecord, ...] = ()
    feedback: tuple[FeedbackRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many; `next` is the cursor of the page after, None on the last."""

    items: tuple[T, ...]
    next: str | None = None


def title_of(text: str) -> str:
    """The first name of a thread: its first message in one line, cut at a word's end, without the
    marks of a Markdown heading or quotation it may begin with."""
    line = _MARKS.sub("", " ".join(text.split()))
    if len(line) <= TITLE_LENGTH:
        return line
    head = line[: TITLE_LENGTH - 1]
    cut = head if line[TITLE_LENGTH - 1] == " " else head.rpartition(" ")[0]
    return (cut if len(cut) > TITLE_LENGTH // 2 else head).rstrip(" ,.;:—–-") + "…"
