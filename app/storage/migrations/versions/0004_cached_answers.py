"""Cached answers and their words; the money a cached answer spared.

Revision ID: 0004_cached_answers
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import Money, Serial, StorableText, UtcDateTime

revision = "0004_cached_answers"
down_revision = "0003_api_keys"
branch_labels = None
depends_on = None

_LOOKED_UP_BY = ("owner", "thread_id", "turn_id", "question_id", "used_at", "asked_at")


def upgrade() -> None:
    op.create_table(
        "cached_answers",
        sa.Column("seq", Serial, nullable=False, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("question", StorableText(), nullable=False),
        sa.Column("answer", StorableText(), nullable=False),
        sa.Column("model", StorableText(), nullable=False),
        sa.Column("title", StorableText(), nullable=True),
        sa.Column("tokens", sa.Integer(), nullable=True),
        sa.Column("cost_rub", Money(), nullable=True),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("turn_id", sa.String(), nullable=True),
        sa.Column("question_id", sa.String(), nullable=True),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_cached_answers"),
        sa.UniqueConstraint("id", name="uq_cached_answers_id"),
    )
    op.create_index("ux_cached_answers_scope_key", "cached_answers", ["scope", "key"], unique=True)
    for column in _LOOKED_UP_BY:
        op.create_index(f"ix_cached_answers_{column}", "cached_answers", [column])
    op.create_table(
        "cached_terms",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("term", StorableText(), nullable=False),
        sa.Column("seq", Serial, nullable=False, autoincrement=False),
        sa.ForeignKeyConstraint(
            ["seq"], ["cached_answers.seq"], name="fk_cached_terms_seq", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scope", "term", "seq", name="pk_cached_terms"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cached_terms_seq", "cached_terms", ["seq"])
    op.add_column("usage", sa.Column("saved_rub", Money(), nullable=True))


def downgrade() -> None:
    op.drop_column("usage", "saved_rub")
    op.drop_table("cached_terms")
    op.drop_table("cached_answers")
