"""Pages of threads: the sidebar, newest activity first, and what a search finds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    select,
    text,
    tuple_,
)

from app.core.threads import Page, ThreadRecord
from app.storage.branches import IS_NODE, on_path
from app.storage.rows import AnyRow, fold, thread_from
from app.storage.tables import feedback as verdicts
from app.storage.tables import presets, steps, threads, users

_OFFSET = re.compile(r"[0-9]{1,6}")
_SCAN = 1_000
"""Matching messages looked at per round of a search."""
_MAX_QUERY_LENGTH = 1_000
_MAX_WORDS = 32
"""Characters and words that are looked for; each word is a condition of its own."""
_BEFORE, _AFTER = 40, 100
"""Characters of an excerpt around what was found."""


def page_of(
    connection: Connection,
    user_id: str,
    limit: int,
    cursor: str | None,
    search: str | None,
    feedback: int | None,
    archived: bool,
    project: str | None,
) -> Page[ThreadRecord]:
    """See `Threads.page`. What a page costs does not depend on how many threads there are."""
    words = words_of(search or "")
    if words:
        return _found(connection, user_id, words, limit, cursor, project)
    if search and search.strip():
        return Page(())
    away = threads.c.archived_at
    listed = _listed(user_id).where(away.is_not(None) if archived else away.is_(None))
    if project is not None:
        inside = threads.c.project_id
        listed = listed.where(inside == project if project else inside.is_(None))
    if feedback is not None:
        listed = listed.where(_has_feedback(feedback))
    if cursor and (after := _parse_cursor(cursor)):
        listed = listed.where(tuple_(threads.c.active_at, threads.c.id) < tuple_(*after))
    ordered = listed.order_by(threads.c.active_at.desc(), threads.c.id.desc())
    rows = connection.execute(ordered.limit(limit + 1)).all()
    records = tuple(thread_from(row) for row in rows[:limit])
    return Page(records, _cursor(records[-1]) if len(rows) > limit else None)


def with_owner() -> Select[Any]:
    """Threads with their owners' identifiers and the names of their projects, as `rows.thread_from` takes
    them."""
    whose = select(*threads.c, users.c.identifier, presets.c.name.label("project"))
    of_user = whose.join(users, users.c.id == threads.c.user_id)
    return of_user.outerjoin(presets, presets.c.id == threads.c.project_id)


def _found(
    connection: Connection,
    user_id: str,
    words: list[str],
    limit: int,
    cursor: str | None,
    project: str | None,
) -> Page[ThreadRecord]:
    """Threads whose title matches, then those in which it was said, latest first; of one project, if any
    is given."""
    skip = int(cursor) if cursor and _OFFSET.fullmatch(cursor) else 0
    wanted = skip + limit + 1
    seen = dict.fromkeys(_titled(connection, user_id, words, wanted, project))
    titled = set(seen)
    hits: dict[str, list[int]] = {}
    before: int | None = None
    while len(seen) < wanted:
        said = _said(connection, user_id, words, before, project)
        seen |= dict.fromkeys(row.thread_id for row in said)
        for row in said:
            hits.setdefault(row.thread_id, []).append(row.seq)
        if len(said) < _SCAN:
            break
        before = said[-1].seq
    page = list(seen)[skip : skip + limit]
    rows = connection.execute(_listed(user_id).where(threads.c.id.in_(page)))
    by_id = {row.id: thread_from(row) for row in rows}
    said_in = _found_in(connection, {id: hits[id] for id in by_id.keys() - titled})
    for id, (elsewhere, said_there) in said_in.items():
        around = excerpt(said_there, words)
        by_id[id] = replace(by_id[id], found_id=elsewhere, excerpt=around)
    records = tuple(by_id[id] for id in page if id in by_id)
    return Page(records, str(skip + limit) if len(seen) > skip + limit else None)


_FORKED = (
    select(steps.c.thread_id)
    .where(steps.c.thread_id.in_(bindparam("threads", expanding=True)), IS_NODE)
    .group_by(steps.c.thread_id, func.coalesce(steps.c.parent_id, ""))
    .having(func.count() > 1)
)
_SAID = select(steps.c.thread_id, steps.c.output).where(
    steps.c.seq.in_(bindparam("seqs", expanding=True))
)
_AMONG = (
    select(steps.c.id, steps.c.output)
    .where(steps.c.thread_id == bindparam("thread_id"))
    .where(steps.c.seq.in_(bindparam("seqs", expanding=True)))
    .order_by(steps.c.seq.desc())
    .limit(1)
)
_SHOWN_AMONG = _AMONG.where(on_path())


def _found_in(
    connection: Connection, hits: Mapping[str, Sequence[int]]
) -> dict[str, tuple[str | None, str]]:
    """By thread, what the latest of those messages in its active branch says; where that has none of them,
    the latest of all and its id. A thread without other branches, as nearly all are, need not be walked."""
    found: dict[str, tuple[str | None, str]] = {}
    forked = set(connection.scalars(_FORKED, {"threads": list(hits)}))
    latest = [max(seqs) for id, seqs in hits.items() if id not in forked]
    for row in connection.execute(_SAID, {"seqs": latest}):
        found[row.thread_id] = (None, row.output or "")
    for id in forked:
        which = {"thread_id": id, "seqs": list(hits[id])}
        if shown := connection.execute(_SHOWN_AMONG, {**which, "leaf": None}).first():
            found[id] = (None, shown.output or "")
        elif other := connection.execute(_AMONG, which).first():
            found[id] = (other.id, other.output or "")
    return found


def excerpt(said: str, words: Sequence[str]) -> str | None:
    """The words around the first of those that stands in the text, on one line."""
    either = "|".join(re.escape(word).replace("е", "[её]") for word in words)
    found = re.search(rf"(?<!\w)(?:{either})", said, re.IGNORECASE)
    if found is None:
        return None
    begin, end = max(0, found.start() - _BEFORE), found.end() + _AFTER
    around = " ".join(said[begin:end].split(" ")[1 if begin else 0 :]).split()
    return f"{'…' if begin else ''}{' '.join(around)}{'…' if end < len(said) else ''}"


def _listed(user_id: str) -> Select[Any]:
    listed = with_owner().where(threads.c.user_id == user_id, threads.c.title.is_not(None))
    return listed.where(threads.c.deleted_at.is_(None), ~threads.c.temporary)


def _has_feedback(value: int) -> ColumnElement[bool]:
    return exists().where(verdicts.c.thread_id == threads.c.id, verdicts.c.value == value)


def _cursor(last: ThreadRecord) -> str:
    return f"{last.active_at.isoformat()}|{last.id}"


def _parse_cursor(cursor: str) -> tuple[datetime, str] | None:
    moment, bar, id = cursor.partition("|")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (at, id) if bar and at.tzinfo else None


def _titled(
    connection: Connection, user_id: str, words: list[str], limit: int, project: str | None
) -> Sequence[str]:
    """Ids of the user's threads with every word in the title, most recently active first."""
    matching = [threads.c.folded_title.contains(word, autoescape=True) for word in words]
    if project:
        matching.append(threads.c.project_id == project)
    found = connection.execute(
        select(threads.c.id)
        .where(threads.c.user_id == user_id, *matching)
        .order_by(threads.c.active_at.desc(), threads.c.id.desc())
        .limit(limit)
    )
    return found.scalars().all()


def _said(
    connection: Connection, user_id: str, words: list[str], before: int | None, project: str | None
) -> Sequence[AnyRow]:
    """The next messages with every word, latest first: rows of (seq, thread_id)."""
    if connection.dialect.name == "sqlite":
        statement = text(
            "SELECT s.seq, s.thread_id FROM spoken_index JOIN steps s ON s.seq = spoken_index.rowid"
            " WHERE spoken_index MATCH :query AND spoken_index.rowid < :before AND (:project = ''"
            "  OR s.thread_id IN (SELECT id FROM threads WHERE project_id = :project))"
            " ORDER BY spoken_index.rowid DESC LIMIT :scan"
        )
        values = {"query": fts5_query(user_id, words)}
    else:
        statement = text(
            "SELECT seq, thread_id FROM steps WHERE user_id = :user_id AND seq < :before"
            " AND said @@ to_tsquery('simple', :query) AND (:project = ''"
            "  OR thread_id IN (SELECT id FROM threads WHERE project_id = :project))"
            " ORDER BY seq DESC LIMIT :scan"
        )
        values = {"user_id": user_id, "query": tsquery(words)}
    ceiling = before if before is not None else 2**62
    limits = {"before": ceiling, "scan": _SCAN, "project": project or ""}
    found = connection.execute(statement, {**values, **limits})
    return found.all()


# Searched is what people and models said, not how they came to it: the kinds in history.MESSAGE_KINDS.
_SQLITE = (
    """CREATE VIEW spoken AS
    SELECT seq, replace(user_id, '-', '') AS owner,
           replace(replace(output, 'ё', 'е'), 'Ё', 'Е') AS said
    FROM steps WHERE kind IN ('question', 'answer', 'interjection')""",
    """CREATE VIRTUAL TABLE spoken_index USING fts5(
    owner, said, content='spoken', content_rowid='seq', tokenize='unicode61', detail='column',
    prefix='2 3 4 5')""",
    """CREATE TRIGGER spoken_insert AFTER INSERT ON steps WHEN new.kind IN ('question', 'answer', 'interjection') BEGIN
    INSERT INTO spoken_index(rowid, owner, said)
    VALUES (new.seq, replace(new.user_id, '-', ''),
            replace(replace(new.output, 'ё', 'е'), 'Ё', 'Е'));
    END""",
    """CREATE TRIGGER spoken_delete AFTER DELETE ON steps WHEN old.kind IN ('question', 'answer', 'interjection') BEGIN
    INSERT INTO spoken_index(spoken_index, rowid, owner, said)
    VALUES ('delete', old.seq, replace(old.user_id, '-', ''),
            replace(replace(old.output, 'ё', 'е'), 'Ё', 'Е'));
    END""",
    """CREATE TRIGGER spoken_update AFTER UPDATE OF output ON steps
    WHEN old.kind IN ('question', 'answer', 'interjection') AND new.output IS NOT old.output BEGIN
    INSERT INTO spoken_index(spoken_index, rowid, owner, said)
    VALUES ('delete', old.seq, replace(old.user_id, '-', ''),
            replace(replace(old.output, 'ё', 'е'), 'Ё', 'Е'));
    INSERT INTO spoken_index(rowid, owner, said)
    VALUES (new.seq, replace(new.user_id, '-', ''),
            replace(replace(new.output, 'ё', 'е'), 'Ё', 'Е'));
    END""",
)

_POSTGRESQL = (
    # Letters by Unicode's rules whatever the database's locale; long texts by their beginning,
    # because a tsvector holds one megabyte at most.
    """ALTER TABLE steps ADD COLUMN said tsvector GENERATED ALWAYS AS (
    CASE WHEN kind IN ('question', 'answer', 'interjection') THEN to_tsvector('simple', regexp_replace(
        translate(lower(left(output, 200000) COLLATE "und-x-icu"), 'ё', 'е'),
        '[^[:alnum:]]+', ' ', 'g')) END) STORED""",
    "CREATE INDEX ix_steps_said ON steps USING gin (said)",
)


def search_schema(dialect: str) -> tuple[str, ...]:
    """The statements that make the index, for the migration."""
    return _SQLITE if dialect == "sqlite" else _POSTGRESQL


def words_of(query: str) -> list[str]:
    """The folded words of a query, the first of very many; empty where it has no letter and no digit."""
    folded = fold(query[:_MAX_QUERY_LENGTH]).replace("_", " ")
    return re.findall(r"\w+", folded)[:_MAX_WORDS]


def fts5_query(user_id: str, words: list[str]) -> str:
    """FTS5: each word by its beginning, all of them, among that user's."""
    said = " ".join(f'"{word}"*' for word in words)
    return f'owner : "{user_id.replace("-", "")}" AND said : ({said.replace(" ", " AND ")})'


def tsquery(words: list[str]) -> str:
    """PostgreSQL: each word by its beginning, all of them."""
    return " & ".join(f"{word}:*" for word in words)
