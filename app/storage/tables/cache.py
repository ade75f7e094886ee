"""Cached answers, and the words by which they are found again."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from app.storage.tables.base import Money, Serial, StorableText, UtcDateTime, metadata

cached_answers = Table(
    "cached_answers",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("scope", String, nullable=False),
    Column("key", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("question", StorableText, nullable=False),
    Column("answer", StorableText, nullable=False),
    Column("model", StorableText, nullable=False),
    Column("title", StorableText),
    Column("tokens", Integer),
    Column("cost_rub", Money),
    Column("thread_id", String),  # no foreign keys: whoever deletes a thread purges its answers
    Column("turn_id", String),
    Column("question_id", String),
    Column("vector", LargeBinary),  # float32, of unit length
    Column("asked_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime, nullable=False),  # kept or last served: the oldest goes first
    Index("ux_cached_answers_scope_key", "scope", "key", unique=True),
    Index("ix_cached_answers_owner", "owner"),
    Index("ix_cached_answers_thread_id", "thread_id"),
    Index("ix_cached_answers_turn_id", "turn_id"),
    Index("ix_cached_answers_question_id", "question_id"),
    Index("ix_cached_answers_used_at", "used_at"),
    Index("ix_cached_answers_asked_at", "asked_at"),
)

cached_terms = Table(
    "cached_terms",
    metadata,
    Column("scope", String, primary_key=True),
    Column("term", StorableText, primary_key=True),
    Column(
        "seq",
        Serial,
        ForeignKey("cached_answers.seq", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Index("ix_cached_terms_seq", "seq"),
    sqlite_with_rowid=False,
)
