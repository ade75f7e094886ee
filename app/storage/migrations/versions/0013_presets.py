"""Assistants and prompts.

Revision ID: 0013_presets
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import Json, StorableText, UtcDateTime

revision = "0013_presets"
down_revision = "0012_archive"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "presets",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("name", StorableText(), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("shared_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_presets_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_presets"),
    )
    op.create_index("ix_presets_user_id_kind", "presets", ["user_id", "kind"])


def downgrade() -> None:
    op.drop_table("presets")
