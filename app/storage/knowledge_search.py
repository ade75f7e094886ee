"""The index of passages and its queries: FTS5 with BM25 on SQLite, a GIN index of terms on PostgreSQL.

PostgreSQL has no rarity of words in its ranks, so the terms are counted first and weigh by it; in
passages of one length that is what BM25 comes to.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, text

from app.core.knowledge import Term

_TOKENS = """tokenize="unicode61 remove_diacritics 0 tokenchars '.'" """
_SQLITE = (
    """CREATE VIEW knowledge_said AS
    SELECT seq, replace(base_id, '-', '') AS base, terms FROM knowledge_passages""",
    f"""CREATE VIRTUAL TABLE knowledge_index USING fts5(
    base, terms, content='knowledge_said', content_rowid='seq', {_TOKENS})""",
    """CREATE TRIGGER knowledge_said_insert AFTER INSERT ON knowledge_passages BEGIN
    INSERT INTO knowledge_index(rowid, base, terms)
    VALUES (new.seq, replace(new.base_id, '-', ''), new.terms);
    END""",
    """CREATE TRIGGER knowledge_said_delete AFTER DELETE ON knowledge_passages BEGIN
    INSERT INTO knowledge_index(knowledge_index, rowid, base, terms)
    VALUES ('delete', old.seq, replace(old.base_id, '-', ''), old.terms);
    END""",
)
_POSTGRESQL = (
    """ALTER TABLE knowledge_passages ADD COLUMN said tsvector GENERATED ALWAYS AS (
    array_to_tsvector(array_remove(string_to_array(terms, ' '), ''))) STORED""",
    # Beside the text it would be pushed out of the row, and every rank would fetch it anew.
    "ALTER TABLE knowledge_passages ALTER COLUMN said SET STORAGE MAIN",
    "ALTER TABLE knowledge_passages ALTER COLUMN text SET STORAGE EXTERNAL",
    "CREATE INDEX ix_knowledge_passages_said ON knowledge_passages USING gin (said)",
)
_SQLITE_UNDONE = ("DROP TABLE knowledge_index", "DROP VIEW knowledge_said")
COMMON = 5_000
"""On PostgreSQL a term of more passages than that only ranks what rarer ones find."""
_RAREST = 2
"""Of terms that are all common, so many find."""
_HELD = "base_id IN :bases AND said @@ CAST(:{name} AS tsquery)"
_ROWS = re.compile(r"rows=(\d+)")


def search_schema(dialect: str) -> tuple[str, ...]:
    """The statements that make the index, for the migration."""
    return _SQLITE if dialect == "sqlite" else _POSTGRESQL


def search_undone(dialect: str) -> tuple[str, ...]:
    """Those that remove what goes with no table."""
    return _SQLITE_UNDONE if dialect == "sqlite" else ()


def best_passages(
    connection: Connection, base_ids: Sequence[str], terms: Sequence[Term], limit: int
) -> list[int]:
    """The `seq` of the passages that match best, best first."""
    if not (base_ids and terms):
        return []
    if connection.dialect.name == "sqlite":
        return _by_fts5(connection, base_ids, terms, limit)
    return _by_gin(connection, base_ids, terms, limit)


def _by_fts5(
    connection: Connection, base_ids: Sequence[str], terms: Sequence[Term], limit: int
) -> list[int]:
    bases = " OR ".join(f'"{base.replace("-", "")}"' for base in base_ids)
    wanted = " OR ".join(part for term in terms for part in _fts5_parts(term))
    found = connection.execute(
        text(
            "SELECT rowid FROM knowledge_index WHERE knowledge_index MATCH :query"
            " ORDER BY bm25(knowledge_index, 0.0, 1.0) LIMIT :most"
        ),
        {"query": f"base : ({bases}) AND terms : ({wanted})", "most": limit},
    )
    return list(found.scalars())


def _fts5_parts(term: Term) -> list[str]:
    parts = [f'"{form}"' for form in term.forms]
    return [*parts, f'"{term.stem}"*'] if term.stem else parts


def _by_gin(
    connection: Connection, base_ids: Sequence[str], terms: Sequence[Term], limit: int
) -> list[int]:
    queries = {f"q{place}": _tsquery(term) for place, term in enumerate(terms)}
    bases = {"bases": list(base_ids)}
    whole = "SELECT coalesce(sum(passages), 0) FROM knowledge_documents WHERE base_id IN :bases"
    size = int(connection.execute(_over(whole), bases).scalar_one())
    frequency = _frequencies(connection, bases, queries, size)
    held = {name: count for name, count in frequency.items() if count}
    if not held:
        return []
    rare = {name for name, count in held.items() if count <= COMMON}
    rare = rare or set(sorted(held, key=lambda name: held[name])[:_RAREST])
    weights: dict[str, Any] = {
        f"w{name}": math.log(1 + (size - count + 0.5) / (count + 0.5))
        for name, count in held.items()
    }
    score = " + ".join(
        f"CASE WHEN said @@ CAST(:{name} AS tsquery) THEN CAST(:w{name} AS float) ELSE 0 END"
        for name in held
    )
    found = connection.execute(
        _over(
            "SELECT seq FROM knowledge_passages WHERE base_id IN :bases"
            f" AND said @@ CAST(:any AS tsquery) ORDER BY ({score}) / (1 + length(said) / 400.0) DESC,"
            " seq LIMIT :most"
        ),
        bases
        | {name: queries[name] for name in held}
        | weights
        | {"any": " | ".join(queries[name] for name in rare), "most": limit},
    )
    return list(found.scalars())


def _frequencies(
    connection: Connection, bases: Mapping[str, Any], queries: Mapping[str, str], size: int
) -> dict[str, int]:
    """How many passages hold each term. To count a common one takes PostgreSQL a look at each of them; its
    planner knows well enough. Rare ones it does not know, and counting them is quick."""
    known: dict[str, int] = {}
    for name in queries if size > 2 * COMMON else ():
        explain = f"EXPLAIN SELECT 1 FROM knowledge_passages WHERE {_HELD.format(name=name)}"
        plan = connection.execute(_over(explain), {**bases, name: queries[name]}).scalars().first()
        if (rows := int(_ROWS.findall(str(plan))[0])) > COMMON:
            known[name] = min(rows, size)
    counted = {name: query for name, query in queries.items() if name not in known}
    if counted:
        counts = ", ".join(
            f"(SELECT count(*) FROM knowledge_passages WHERE {_HELD.format(name=name)}) AS {name}"
            for name in counted
        )
        row = connection.execute(_over(f"SELECT {counts}"), {**bases, **counted}).one()
        known |= {name: int(row._mapping[name]) for name in counted}
    return known


def _over(statement: str) -> Any:
    """A statement made of our own names alone; every value is bound."""
    return text(statement).bindparams(bindparam("bases", expanding=True))


def _tsquery(term: Term) -> str:
    """Tokens are letters, digits and points alone, so quotes are all they need."""
    parts = [f"'{form}'" for form in term.forms]
    return " | ".join([*parts, f"'{term.stem}':*"] if term.stem else parts)
