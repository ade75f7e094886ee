"""A conversation as it is kept: the thread, what hangs on its steps, and pages of threads."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from app.core.turns import HistoryMessage, StepRecord, new_id

T = TypeVar("T")

NEAR = 6
"""Questions and turns that a screen shows at once of another branch, before all else of it."""
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
    leaf_id: str | None = None
    """The last turn of its active branch; None where nothing was said."""
    deleted_at: datetime | None = None
    """Since when it is in the bin."""
    shared_at: datetime | None = None
    """Since when anyone with the link may read it; None: its owner alone."""
    archived_at: datetime | None = None
    """Since when it is in the archive: out of the list, and found by a search."""
    temporary: bool = False
    """In no list and found by nothing; gone with the page that shows it."""
    project_id: str | None = None
    """The project that it is in."""
    project: str | None = None
    """How that is called."""
    found_id: str | None = None
    """Of a search: the latest message with its words, where only other branches than the active have any."""
    excerpt: str | None = None
    """Of a search: the words around what was found in a message; None where the title has it."""


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


class Branches:
    """The questions and turns of a thread as a tree: each follows its parent, and those with the same
    parent are siblings, in the order they appeared."""

    def __init__(
        self, parents: Mapping[str, str | None], chosen: Mapping[str, str] | None = None
    ) -> None:
        """`parents` in the order of appearance; `chosen`: which child was shown last, by its parent
        ("" for the first questions)."""
        self._parents = parents
        self._chosen = chosen or {}
        self._children: dict[str | None, list[str]] = {}
        for id, parent in parents.items():
            self._children.setdefault(parent, []).append(id)

    def path(self, leaf: str | None) -> tuple[str, ...]:
        """From the first question to `leaf`; the newest branch where there is no such leaf."""
        at: str | None = (
            leaf if leaf in self._parents else next(reversed(list(self._parents)), None)
        )
        path: dict[str, None] = {}
        while at is not None and at in self._parents and at not in path:
            path[at] = None
            at = self._parents[at]
        return tuple(reversed(path))

    def leaf(self, through: str) -> str:
        """The end of the branch through that question or turn, as it was last shown."""
        at, below = through, self.next(through)
        while below != at:
            at, below = below, self.next(below)
        return at

    def next(self, id: str) -> str:
        """What follows, as it was last shown: of a question its answer; itself where nothing does."""
        children = self._children.get(id) or [id]
        chosen = self._chosen.get(id)
        return chosen if chosen in children else children[-1]

    def siblings(self, id: str) -> tuple[str, ...]:
        """Itself and those with the same parent."""
        return tuple(self._children[self._parents[id]])

    def forks(self, path: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Those on the path that have siblings, with all of these."""
        ways = {id: self._children[self._parents[id]] for id in path}
        return {id: tuple(ids) for id, ids in ways.items() if len(ids) > 1}

    def choosing(self, path: Sequence[str]) -> dict[str, str]:
        """`chosen` where that path is the one that is shown."""
        return {**self._chosen, **{self._parents[id] or "": id for id in self.forks(path)}}


@dataclass(frozen=True, slots=True)
class BranchSwitch:
    """What changes on a screen when another branch is shown: from the question `cut` on, the branch
    from the question `first` on stands there; it begins with the questions and turns `near`."""

    leaf: str
    cut: str | None
    first: str
    near: tuple[str, ...]
    whole: bool
    """Whether those are all."""
    changed: bool
    """Whether it is another branch than before."""
    asked: bool = False
    """Whether that is by a question that has just begun: nobody stepped to another branch."""


@dataclass(frozen=True, slots=True)
class BegunQuestion:
    """What a thread is once a question is stored."""

    history: tuple[HistoryMessage, ...]
    """What was said before the question."""
    switched: BranchSwitch | None
    """What is different on a screen; None where there was nothing before."""


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A conversation, or one branch of it; `steps` in the order they appeared."""

    thread: ThreadRecord
    steps: tuple[StepRecord, ...]
    elements: tuple[ElementRecord, ...] = ()
    feedback: tuple[FeedbackRecord, ...] = ()
    path: tuple[str, ...] = ()
    """The questions and turns of the branch, in order."""
    forks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of those on the path that have siblings: all of these, in the order they appeared."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many; `next` is the cursor of the page after, None on the last."""

    items: tuple[T, ...]
    next: str | None = None


def copied(steps: Sequence[StepRecord], thread_id: str) -> tuple[StepRecord, ...]:
    """The steps under new ids, in that thread; what names one of them, in notes too, names its copy."""
    ids = {step.id: new_id() for step in steps}
    return tuple(
        replace(
            step,
            id=ids[step.id],
            thread_id=thread_id,
            turn_id=ids.get(step.turn_id or "", step.turn_id),
            parent_id=ids.get(step.parent_id or "", step.parent_id),
            metadata={k: v for k, v in _renamed(step.metadata, ids).items() if k != "favorite"},
        )
        for step in steps
    )


def _renamed(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, Mapping):
        return {key: _renamed(item, ids) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(item, ids) for item in value]
    return value


def title_of(text: str) -> str:
    """The first name of a thread: its first message in one line, cut at a word's end, without the
    marks of a Markdown heading or quotation it may begin with."""
    line = _MARKS.sub("", " ".join(text.split()))
    if len(line) <= TITLE_LENGTH:
        return line
    head = line[: TITLE_LENGTH - 1]
    cut = head if line[TITLE_LENGTH - 1] == " " else head.rpartition(" ")[0]
    return (cut if len(cut) > TITLE_LENGTH // 2 else head).rstrip(" ,.;:—–-") + "…"
