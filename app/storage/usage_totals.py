"""Totals of the usage that SQLite keeps beside the records itself, so that the dashboard need not read
every record of a month.

`usage_hours` has a row for each hour and user (kind `whole`), each hour, user and model (`model`), and
each hour, user and mode (`mode`); `usage_turns` one for each turn. A trigger keeps both in the
transaction that inserts a record, so nobody can forget them; a record is never changed, and deleted
only together with all others (`delete_totals`). PostgreSQL has neither: it adds up in parallel, and
there all writers would wait for each other at the rows of the present hour.
"""

from sqlalchemy import Column, Connection, Float, Index, Integer, MetaData, String, Table, delete

from app.storage.tables import Money, StorableText

MAX_FIRST_TOKEN_TIMES = 250
"""First-token times kept of one hour in one row: of a busier hour the first ones stand for it."""

_ASKED = "(new.cache IS NULL OR new.cache = 'miss')"  # a model, not the cache
_SECONDS = (
    "CASE WHEN new.generation_s > 0 THEN new.generation_s ELSE new.total_s - new.first_token_s END"
)
_TIMED = f"{_ASKED} AND new.output_tokens > 0 AND {_SECONDS} > 0"
_MILLISECONDS = "CAST(CAST(round(new.first_token_s * 1000) AS INTEGER) AS TEXT)"

COUNTS = {
    "calls": "1",
    "unpriced": f"{_ASKED} AND new.cost_rub IS NULL",
    "failed": "new.outcome = 'failed'",
    "stopped": "new.outcome = 'stopped'",
    "cache_exact": "new.cache IS 'exact'",
    "cache_near": "new.cache IS 'near'",
    "cache_taken": "new.cache IS 'taken'",
    "cache_missed": "new.cache IS 'miss'",
    "streaming": "new.streaming",
    "parallel": "coalesce(new.parallel > 1, 0)",
}
AMOUNTS = {
    "input_tokens": "new.input_tokens",
    "output_tokens": "new.output_tokens",
    "cached_tokens": "new.cached_tokens",
    "cost_rub": "new.cost_rub",
    "timed_tokens": f"CASE WHEN {_TIMED} THEN new.output_tokens END",
    "timed_s": f"CASE WHEN {_TIMED} THEN {_SECONDS} END",
    "saved_by_compression": f"CASE WHEN {_ASKED} THEN new.saved_tokens END",
    "saved_by_cache": f"CASE WHEN NOT {_ASKED} THEN new.saved_tokens END",
    "saved_rub": "new.saved_rub",
}
"""None where not known."""
_ADDED = COUNTS | AMOUNTS
"""What a record adds to its rows, as `usage_sql.sums` adds it up."""
_TYPES = {"cost_rub": Money, "saved_rub": Money, "timed_s": Float}
_KINDS = {"whole": (), "model": ("server", "model"), "mode": ("mode",)}

totals_metadata = MetaData()  # apart from the others: SQLite's alone, and no export has them

hours = Table(
    "usage_hours",
    totals_metadata,
    Column("kind", String, primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),  # since 1970, UTC
    Column("user_id", String, primary_key=True),  # this and the next are empty where there is none
    Column("server", String, primary_key=True),
    Column("model", StorableText, primary_key=True),
    Column("mode", String, primary_key=True),
    *(Column(name, _TYPES.get(name, Integer)) for name in _ADDED),
    Column("most_parallel", Integer),
    Column("first_tokens_ms", String),  # joined by commas
)
turns = Table(
    "usage_turns",
    totals_metadata,
    Column("turn_id", String, primary_key=True),
    Column("hour", Integer, nullable=False),  # of its first call
    Column("user_id", String, nullable=False),
    Column("thread_id", String),
    Column("begun_s", Float, nullable=False),  # since 1970
    Column("ended_s", Float),
    Column("cost_rub", Money),
    Index("ix_usage_turns_hour", "hour"),
)


def delete_totals(connection: Connection) -> None:
    """All records were deleted: so are their totals."""
    if connection.dialect.name == "sqlite":
        connection.execute(delete(hours))
        connection.execute(delete(turns))


def totals_schema(dialect: str) -> tuple[str, ...]:
    """The statements that make the tables and their trigger, and fill them, for the migration."""
    if dialect != "sqlite":
        return ()
    entries = [*(_hour_entry(kind) for kind in _KINDS), _TURN_ENTRY]
    trigger = ";\n".join(entry.format(source="") for entry in entries)
    return (
        *_MADE,
        *(entry.format(source="FROM usage AS new") for entry in entries),
        f"CREATE TRIGGER usage_totals AFTER INSERT ON usage BEGIN\n{trigger};\nEND",
    )


def totals_undone(dialect: str) -> tuple[str, ...]:
    """The statements of the way back."""
    if dialect != "sqlite":
        return ()
    return ("DROP TRIGGER usage_totals", "DROP TABLE usage_turns", "DROP TABLE usage_hours")


_MADE = (
    f"""CREATE TABLE usage_hours (
    kind TEXT NOT NULL, hour INTEGER NOT NULL, user_id TEXT NOT NULL,
    server TEXT NOT NULL, model TEXT NOT NULL, mode TEXT NOT NULL,
    {", ".join(f"{name} {'REAL' if name == 'timed_s' else 'INTEGER'}" for name in _ADDED)},
    most_parallel INTEGER, first_tokens_ms TEXT,
    PRIMARY KEY (kind, hour, user_id, server, model, mode)) WITHOUT ROWID""",
    """CREATE TABLE usage_turns (
    turn_id TEXT NOT NULL PRIMARY KEY, hour INTEGER NOT NULL, user_id TEXT NOT NULL,
    thread_id TEXT, begun_s REAL NOT NULL, ended_s REAL, cost_rub INTEGER)""",
    "CREATE INDEX ix_usage_turns_hour ON usage_turns (hour)",
)
_HOUR = "CAST(strftime('%s', substr(new.started_at, 1, 19)) AS INTEGER) / 3600"
_BEGUN = "(julianday(new.started_at) - 2440587.5) * 86400.0"


def _hour_entry(kind: str) -> str:
    """Enters records into `usage_hours`: the one a trigger calls `new`, or those of `{source}`."""
    dimensions = (
        f"coalesce(new.{name}, '')" if name in _KINDS[kind] else "''"
        for name in ("server", "model", "mode")
    )
    values = ", ".join(dimensions) + ", " + ", ".join(_ADDED.values())
    added = ", ".join(
        f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})" for name in _ADDED
    )
    return f"""INSERT INTO usage_hours
    SELECT '{kind}', {_HOUR}, coalesce(new.user_id, ''), {values},
        new.parallel, CASE WHEN {_ASKED} THEN {_MILLISECONDS} END
    {{source}} WHERE true
    ON CONFLICT (kind, hour, user_id, server, model, mode) DO UPDATE SET {added},
        most_parallel = coalesce(max(most_parallel, excluded.most_parallel), most_parallel,
            excluded.most_parallel),
        first_tokens_ms = CASE WHEN length(first_tokens_ms) >= {5 * MAX_FIRST_TOKEN_TIMES}
            THEN first_tokens_ms
            ELSE coalesce(first_tokens_ms || ',' || excluded.first_tokens_ms, first_tokens_ms,
                excluded.first_tokens_ms) END"""


_TURN_ENTRY = f"""INSERT INTO usage_turns
    SELECT new.turn_id, {_HOUR}, coalesce(new.user_id, ''), new.thread_id,
        {_BEGUN}, {_BEGUN} + new.total_s, new.cost_rub
    {{source}} WHERE new.turn_id IS NOT NULL
    ON CONFLICT (turn_id) DO UPDATE SET
        hour = min(hour, excluded.hour),
        thread_id = coalesce(thread_id, excluded.thread_id),
        begun_s = min(begun_s, excluded.begun_s),
        ended_s = coalesce(max(ended_s, excluded.ended_s), ended_s, excluded.ended_s),
        cost_rub = coalesce(cost_rub + excluded.cost_rub, cost_rub, excluded.cost_rub)"""
