"""The branches of a thread in SQL: the path to a leaf, and which branch is active.

A question's `parent_id` is the turn that it follows, a turn's its question, so that a walk from the
active leaf (`threads.leaf_id`) to the root is what the model, the screen and the API are given.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
    update,
)

from app.core.errors import NotFound
from app.core.threads import NEAR, Branches, BranchSwitch, title_of
from app.core.turns import StepRecord
from app.storage.database import upsert
from app.storage.rows import fold, step_values
from app.storage.tables import steps, threads

_CHANGES = (
    "turn_id",
    "parent_id",
    "name",
    "input",
    "output",
    "metadata",
    "outcome",
    "ended_at",
    "is_error",
    "open",
    "modes",
)
IS_NODE = text("kind IN ('question', 'turn')")  # written out: only so is the index for it used
_NODES = (
    select(steps.c.id, steps.c.parent_id)
    .where(steps.c.thread_id == bindparam("thread_id"), IS_NODE)
    .order_by(steps.c.seq)
)
_NODE = select(steps.c.id, steps.c.kind, steps.c.turn_id).where(
    steps.c.thread_id == bindparam("thread_id"), steps.c.id == bindparam("step_id")
)
_CHILDREN = select(steps.c.id, steps.c.parent_id).where(
    steps.c.thread_id == bindparam("thread_id"),
    IS_NODE,
    func.coalesce(steps.c.parent_id, "").in_(bindparam("parents", expanding=True)),
)
_LEAF = select(threads.c.leaf_id).where(threads.c.id == bindparam("thread_id")).scalar_subquery()
_CHOOSE = (
    update(threads)
    .where(threads.c.id == bindparam("thread"))
    .values(leaf_id=bindparam("leaf"), chosen=bindparam("chosen", type_=threads.c.chosen.type))
)
ACTIVE = (
    update(threads)
    .where(threads.c.id == bindparam("thread"))
    .values(leaf_id=bindparam("leaf", type_=String))
)
"""Makes `leaf` the end of the active branch of `thread`, where it goes on from its present end."""


def path_ids() -> Select[tuple[str]]:
    """The questions and turns of the branch that ends at `:leaf` (NULL: the active one) of `:thread_id`."""
    own = steps.alias("own")
    leaf = func.coalesce(bindparam("leaf", type_=String), _LEAF)
    path = (
        select(own.c.id, own.c.parent_id)
        .where(own.c.thread_id == bindparam("thread_id"), own.c.id == leaf)
        .cte("path", recursive=True)
    )
    parent = steps.alias("parent")
    path = path.union(  # not "all": a ring, which nothing should make, would never end
        select(parent.c.id, parent.c.parent_id)
        .join(path, parent.c.id == path.c.parent_id)
        .where(parent.c.thread_id == bindparam("thread_id"))
    )
    return select(path.c.id)


def on_path() -> ColumnElement[bool]:
    """Of `steps`: those of the same branch."""
    ids = path_ids()
    return or_(steps.c.id.in_(ids), steps.c.turn_id.in_(ids))


def branches_of(connection: Connection, thread_id: str) -> Branches:
    """All branches of the thread."""
    chosen = connection.scalar(select(threads.c.chosen).where(threads.c.id == thread_id))
    rows = connection.execute(_NODES, {"thread_id": thread_id})
    return Branches(dict(rows.all()), chosen)


def forks_near(
    connection: Connection, thread_id: str, parents: Mapping[str, str | None]
) -> dict[str, tuple[str, ...]]:
    """Of those questions and turns, given with their parents, that have siblings: all of these."""
    above = [parent or "" for parent in dict.fromkeys(parents.values())]
    rows = connection.execute(
        _CHILDREN.order_by(steps.c.seq), {"thread_id": thread_id, "parents": above}
    )
    return Branches(dict(rows.all())).forks(tuple(parents))


def node_of(connection: Connection, thread_id: str, step_id: str) -> str:
    """The question or turn that a step of the thread is, or is part of. Raises NotFound."""
    row = connection.execute(_NODE, {"thread_id": thread_id, "step_id": step_id}).one_or_none()
    node: str | None = None
    if row is not None:
        node = row.id if row.kind in ("question", "turn") else row.turn_id
    if node is None:
        raise NotFound(f"step {step_id} of thread {thread_id}")
    return node


def activate(connection: Connection, thread_id: str, node: str) -> BranchSwitch:
    """Makes the branch through that question or turn the active one, as it was last shown, and names
    the thread by it."""
    branches = branches_of(connection, thread_id)
    present = connection.scalar(select(threads.c.leaf_id).where(threads.c.id == thread_id))
    leaf = branches.leaf(node)
    before, path = branches.path(present), branches.path(leaf)
    chosen = branches.choosing(path)
    connection.execute(_CHOOSE, {"thread": thread_id, "leaf": leaf, "chosen": chosen})
    _entitle(connection, thread_id, path)
    pairs = enumerate(zip(before, path, strict=False))
    fork = next((at for at, (old, new) in pairs if old != new), len(path) - 1)
    at = fork - fork % 2  # questions and turns take turns, a question first
    near = path[at : at + NEAR]
    cut = before[at] if at < len(before) else None
    return BranchSwitch(leaf, cut, path[at], near, at + NEAR >= len(path), before != path)


_TITLED = (
    select(steps.c.turn_id, steps.c.metadata)
    .where(steps.c.thread_id == bindparam("thread_id"), steps.c.kind == "answer")
    .where(cast(steps.c.metadata, String).like('%"title"%'))
    .order_by(steps.c.seq)
)


def _entitle(connection: Connection, thread_id: str, path: Sequence[str]) -> None:
    """The name of the active branch: its first answer's that brought one, else its first question.
    A person's name for the thread stays."""
    by = connection.scalar(select(threads.c.titled_by).where(threads.c.id == thread_id))
    if by == "person":
        return
    shown = set(path)
    rows = connection.execute(_TITLED, {"thread_id": thread_id})
    titles = (row._mapping["metadata"].get("title") for row in rows if row.turn_id in shown)
    named = next((title for title in titles if isinstance(title, str) and title), None)
    first = connection.scalar(select(steps.c.output).where(steps.c.id == path[0])) or ""
    title = title_of(named or first)
    if title:
        by = "answer" if named else "question"
        connection.execute(
            update(threads)
            .where(threads.c.id == thread_id)
            .values(title=title, titled_by=by, folded_title=fold(title))
        )


def write_steps(connection: Connection, records: Sequence[StepRecord], user_id: str) -> None:
    """Inserts or updates steps; one that exists in another thread is left alone."""
    rows = [step_values(record, user_id) for record in records]
    upsert(connection, steps, rows, ["id"], _CHANGES, only_if_same="thread_id")


def join_up(connection: Connection) -> None:
    """Makes one branch of every thread without any, as they were stored before there were branches:
    each question follows the turn before it."""
    connection.execute(text(_FOLLOWS))
    connection.execute(text(_ENDS))


_FOLLOWS = """
    UPDATE steps SET parent_id = (
        SELECT earlier.id FROM steps AS earlier
        WHERE earlier.thread_id = steps.thread_id AND earlier.seq < steps.seq
        AND earlier.kind IN ('question', 'turn') ORDER BY earlier.seq DESC LIMIT 1)
    WHERE kind = 'question' AND parent_id IS NULL
    AND thread_id IN (SELECT id FROM threads WHERE leaf_id IS NULL)"""
_ENDS = """
    UPDATE threads SET leaf_id = (
        SELECT steps.id FROM steps WHERE steps.thread_id = threads.id
        AND steps.kind IN ('question', 'turn') ORDER BY steps.seq DESC LIMIT 1)
    WHERE leaf_id IS NULL"""
