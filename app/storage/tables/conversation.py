"""Threads, and what is said in them."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, text

from app.storage.tables.base import Json, Serial, StorableText, UtcDateTime, metadata

threads = Table(
    "threads",
    metadata,
    Column("id", String, primary_key=True),
    Column("user_id", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("title", StorableText),  # NULL: nothing has been said yet, and no list shows it
    Column("titled_by", String),  # question, answer or person: who may still rename it
    Column("folded_title", StorableText),  # as search compares it
    Column("metadata", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("shared_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("active_at", UtcDateTime, nullable=False),
    Index("ix_threads_user_id_active_at", "user_id", "active_at", "id"),
)

steps = Table(
    "steps",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),  # the order of appearance
    Column("id", String, nullable=False, unique=True),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", String, nullable=False),  # the thread's: search and favourites start from it
    Column("turn_id", String),
    Column("parent_id", String),
    Column("type", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", StorableText, nullable=False),
    Column("input", StorableText, nullable=False),
    Column("output", StorableText, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("outcome", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("is_error", Boolean, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("modes", Json),
    Column("favorite", Boolean, nullable=False, server_default=text("false")),
    Index("ix_steps_thread_id", "thread_id", "seq"),
    Index(
        "ix_steps_favorite",
        "user_id",
        "seq",
        sqlite_where=text("favorite"),
        postgresql_where=text("favorite"),
    ),
)

elements = Table(
    "elements",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("step_id", String),  # no foreign key: an attachment may arrive before its question
    Column("type", String, nullable=False),
    Column("name", StorableText, nullable=False),
    Column("mime", String),
    Column("display", String, nullable=False),
    Column("url", StorableText),
    Column("has_file", Boolean, nullable=False),
    Column("props", Json),
    Column("extra", Json, nullable=False),
    Column("text", StorableText),  # what a model is shown of it
    Column("image_mime", String),  # the image a model is shown is in the files
    Index("ix_elements_thread_id", "thread_id", "seq"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String, primary_key=True),
    Column(
        "step_id", String, ForeignKey("steps.id", ondelete="CASCADE"), nullable=False, unique=True
    ),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("value", Integer, nullable=False),
    Column("comment", StorableText),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_feedback_thread_id", "thread_id"),
)

running_turns = Table(
    "running_turns",
    metadata,
    Column("turn_id", String, primary_key=True),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("process_id", String, nullable=False),
    Index("ix_running_turns_thread_id", "thread_id"),
)
