"""All tables on one MetaData. The totals of the usage are in `usage_totals`."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON document; None is SQL's NULL."""

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number the database gives out, rising."""

_NANO = Decimal(10) ** 9


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, UTC; SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StorableText(TypeDecorator[str]):
    """Text of any length; what no database takes (NUL, halves of a surrogate pair) is left out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Money(TypeDecorator[Decimal]):
    """An exact amount, kept as whole billionths so that SQL sums stay exact on SQLite too."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else round(value * _NANO)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value) / _NANO


def storable(text: str) -> str:
    """`text` without NULs and lone surrogates."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "ignore").decode()
    return text


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Users, small documents, and the processes that share the database.

users = Table(
    "users",
    metadata,
    Column("id", String, primary_key=True),
    Column("identifier", StorableText, nullable=False, unique=True),
    Column("display_name", StorableText),
    Column("role", String, nullable=False),
    Column("password_hash", String),
    Column("metadata", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    Index("ix_users_disabled_at", "disabled_at"),
)

documents = Table(
    "documents",
    metadata,
    Column("scope", StorableText, primary_key=True),
    Column("key", StorableText, primary_key=True),
    Column("value", Json, nullable=False),
)

processes = Table(
    "processes",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("silence", Integer),  # seconds without a sign of life after which it is dead
)

# Threads, and what is said in them.

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
    Column("leaf_id", String),  # the last turn of the active branch
    Column("deleted_at", UtcDateTime),  # since when it is in the bin
    Column("archived_at", UtcDateTime),  # since when it is in the archive
    Column(
        "temporary", Boolean, nullable=False, server_default=text("false")
    ),  # in no list, kept nowhere
    Column("chosen", Json),  # which way was taken last at each fork: {parent or "": child}
    Column("project_id", String),  # of presets; whoever deletes a project takes its threads out
    Index("ix_threads_user_id_active_at", "user_id", "active_at", "id"),
    Index("ix_threads_project_id_active_at", "project_id", "active_at", "id"),
    Index("ix_threads_deleted_at", "deleted_at"),
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
        "ix_steps_branches",
        "thread_id",
        "seq",
        "parent_id",
        "id",
        sqlite_where=text("kind IN ('question', 'turn')"),
        postgresql_where=text("kind IN ('question', 'turn')"),
    ),
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
    Column("stopping", Boolean, nullable=False, server_default=text("false")),  # asked to stop
    Index("uq_running_turns_thread_id", "thread_id", unique=True),  # one turn at a time in a thread
)

# What stands for old messages in a thread's prompts. The messages themselves are in `steps`.

compression_heads = Table(
    "compression_heads",
    metadata,
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),  # counts swaps of the thread's blocks
    Column("announced", Integer, nullable=False),  # the version the conversation was told of
)

compression_blocks = Table(
    "compression_blocks",
    metadata,
    Column("id", String, primary_key=True),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("message_ids", Json, nullable=False),
    Column("source_hash", String, nullable=False),
    Column("notes", Json, nullable=False),
    Column("tokens_before", Integer, nullable=False),
    Column("tokens_after", Integer, nullable=False),
    Column("model", StorableText, nullable=False),  # server/model
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_compression_blocks_thread_id", "thread_id", "position"),
)

pinned_facts = Table(
    "pinned_facts",
    metadata,
    Column("id", String, primary_key=True),
    Column("thread_id", String, ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("text", StorableText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("node_id", String),  # the turn from which on it is told; none: in every branch
    Index("ix_pinned_facts_thread_id", "thread_id", "created_at"),
)

# What every model call took. No foreign keys: figures outlive threads, users and keys.

usage = Table(
    "usage",
    metadata,
    Column("id", String, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("user_id", String),
    Column("key_id", String),
    Column("thread_id", String),
    Column("turn_id", String),
    Column("step_id", String),
    Column("mode", String),
    Column("purpose", String, nullable=False),
    Column("server", String, nullable=False),
    Column("model", StorableText, nullable=False),
    Column("outcome", String, nullable=False),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("estimated", Boolean, nullable=False),
    Column("load_s", Float),
    Column("prompt_s", Float),
    Column("generation_s", Float),
    Column("first_token_s", Float),
    Column("total_s", Float),
    Column("characters", Integer, nullable=False),
    Column("cost_amount", Money),
    Column("cost_currency", String),
    Column("cost_rub", Money),
    Column("finish_reason", String),
    Column("cache", String),
    Column("error", String),
    Column("request_id", StorableText),
    Column("streaming", Boolean, nullable=False),
    Column("saved_tokens", Integer),
    Column("saved_rub", Money),
    Column("parallel", Integer),
    Index("ix_usage_started_at", "started_at"),
    Index("ix_usage_user_id_started_at", "user_id", "started_at"),
    Index("ix_usage_key_id_started_at", "key_id", "started_at"),
    Index("ix_usage_server_model_started_at", "server", "model", "started_at"),
    Index("ix_usage_thread_id", "thread_id"),
)

# API keys. Usage counts by their ids, and outlives them.

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", StorableText, nullable=False),
    Column("prefix", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
    Column("user_id", String, nullable=False),
    Column("models", Json, nullable=False),
    Column("tools", Json),
    Column("rpm", Integer),
    Column("tpm", Integer),
    Column("budget_rub", Money),
    Column("admin", Boolean, nullable=False),
    Column("cache", String, nullable=False),
    Column("drop_params", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)

# Cached answers, and the words by which they are found again.

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

# Votes on answers that stood side by side. No foreign keys: they outlive threads, as usage does.

votes = Table(
    "votes",
    metadata,
    Column("id", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("source", String, nullable=False),
    Column("language", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("blind", Boolean, nullable=False),
    Column("sides", Json, nullable=False),
    Column("verdict", String, nullable=False),
    Column("winner", Integer),
    Index("ix_votes_user_id_at", "user_id", "at"),
    Index("ix_votes_at", "at"),
)

# What conversations may begin with: assistants, prompts, and the projects that they are in.

presets = Table(
    "presets",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("user_id", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", StorableText, nullable=False),
    Column("content", Json, nullable=False),
    Column("shared_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_presets_user_id_kind", "user_id", "kind"),
)

# Knowledge bases: documents cut into passages. What search finds them by is made from `terms`.

knowledge_bases = Table(
    "knowledge_bases",
    metadata,
    Column("id", String, primary_key=True),
    Column("user_id", String, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", StorableText, nullable=False),
    Column("shared_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ux_knowledge_bases_user_id_name", "user_id", "name", unique=True),
)

knowledge_documents = Table(
    "knowledge_documents",
    metadata,
    Column("id", String, primary_key=True),
    Column("base_id", String, ForeignKey("knowledge_bases.id", ondelete="CASCADE"), nullable=False),
    Column("name", StorableText, nullable=False),
    Column("mime", StorableText, nullable=False),
    Column("digest", String, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("pages", Integer),
    Column("characters", Integer, nullable=False),
    Column("passages", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ux_knowledge_documents_base_id_name", "base_id", "name", unique=True),
)

knowledge_passages = Table(
    "knowledge_passages",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column(
        "document_id",
        String,
        ForeignKey("knowledge_documents.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("base_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("page", Integer),
    Column("heading", StorableText, nullable=False),
    Column("text", StorableText, nullable=False),
    Column("terms", StorableText, nullable=False),
    Index("ux_knowledge_passages_document_id_number", "document_id", "number", unique=True),
    Index("ix_knowledge_passages_base_id", "base_id"),
)

knowledge_vectors = Table(
    "knowledge_vectors",
    metadata,
    Column(
        "document_id",
        String,
        ForeignKey("knowledge_documents.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("model", StorableText, nullable=False),
    Column("count", Integer, nullable=False),
    Column("vectors", LargeBinary, nullable=False),  # float32, of unit length, in order
)
