"""Blocks of compressed messages, the heads of threads, pinned facts.

Revision ID: 0002_compression
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import Json, StorableText, UtcDateTime

revision = "0002_compression"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "compression_heads",
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("announced", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["threads.id"],
            name="fk_compression_heads_thread_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("thread_id", name="pk_compression_heads"),
    )
    op.create_table(
        "compression_blocks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("message_ids", Json, nullable=False),
        sa.Column("source_hash", sa.String(), nullable=False),
        sa.Column("notes", Json, nullable=False),
        sa.Column("tokens_before", sa.Integer(), nullable=False),
        sa.Column("tokens_after", sa.Integer(), nullable=False),
        sa.Column("model", StorableText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"],
            ["threads.id"],
            name="fk_compression_blocks_thread_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_compression_blocks"),
    )
    op.create_index(
        "ix_compression_blocks_thread_id", "compression_blocks", ["thread_id", "position"]
    )
    op.create_table(
        "pinned_facts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("text", StorableText(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_pinned_facts_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pinned_facts"),
    )
    op.create_index("ix_pinned_facts_thread_id", "pinned_facts", ["thread_id", "created_at"])


def downgrade() -> None:
    op.drop_table("pinned_facts")
    op.drop_table("compression_blocks")
    op.drop_table("compression_heads")
