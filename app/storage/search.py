"""Full-text search over what was said, and the folding that makes letters meet.

The index follows the steps by triggers (SQLite, FTS5) or by a generated column (PostgreSQL), so that
nobody can forget it. Words match by their beginnings; case does not count, and `ё` is `е`.
"""

import re
import unicodedata

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


def fold(text: str) -> str:
    """`text` as comparisons see it: one form of each letter, no case, `е` for `ё`."""
    return unicodedata.normalize("NFC", text).casefold().replace("ё", "е")


def words_of(query: str) -> list[str]:
    """The folded words of a query; empty where it has no letter and no digit."""
    return re.findall(r"\w+", fold(query).replace("_", " "))


def fts5_query(user_id: str, words: list[str]) -> str:
    """FTS5: each word by its beginning, all of them, among that user's."""
    said = " ".join(f'"{word}"*' for word in words)
    return f'owner : "{user_id.replace("-", "")}" AND said : ({said.replace(" ", " AND ")})'


def tsquery(words: list[str]) -> str:
    """PostgreSQL: each word by its beginning, all of them."""
    return " & ".join(f"{word}:*" for word in words)
