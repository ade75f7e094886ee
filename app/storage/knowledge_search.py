"""The index of passages and its queries: FTS5 with BM25 on SQLite, a GIN index of terms on PostgreSQL.

PostgreSQL has no rarity of words in its ranks, so the terms are counted first and weigh by it; in
passages of one length that is what BM25 comes to.
"""

import math
from collections.abc import Sequence
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
"""On PostgreSQL a term of more passages than that only ranks what rarer ones find, where there are any."""


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
    counts = ", ".join(
        "(SELECT count(*) FROM knowledge_passages"
        f" WHERE base_id IN :bases AND said @@ CAST(:{name} AS tsquery)) AS {name}"
        for name in queries
    )
    whole = "(SELECT sum(passages) FROM knowledge_documents WHERE base_id IN :bases) AS whole"
    counted = connection.execute(_over(f"SELECT {whole}, {counts}"), bases | queries).one()
    size = int(counted.whole or 0)
    frequency = {name: int(counted._mapping[name]) for name in queries}
    held = {name: count for name, count in frequency.items() if count}
    if not held:
        return []
    rare = {name for name, count in held.items() if count <= COMMON} or set(held)
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


def _over(statement: str) -> Any:
    """A statement made of our own names alone; every value is bound."""
    return text(statement).bindparams(bindparam("bases", expanding=True))


def _tsquery(term: Term) -> str:
    """Tokens are letters, digits and points alone, so quotes are all they need."""
    parts = [f"'{form}'" for form in term.forms]
    return " | ".join([*parts, f"'{term.stem}':*"] if term.stem else parts)
