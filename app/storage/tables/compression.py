"""What stands for old messages in a thread's prompts. The messages themselves are in `steps`."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table

from app.storage.tables.base import Json, StorableText, UtcDateTime, metadata

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
    Index("ix_pinned_facts_thread_id", "thread_id", "created_at"),
)
