"""Votes on answers that stood side by side.

Revision ID: 0010_votes
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import Json, UtcDateTime

revision = "0010_votes"
down_revision = "0009_turn_leases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "votes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("sides", Json, nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("winner", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_votes"),
    )
    op.create_index("ix_votes_user_id_at", "votes", ["user_id", "at"])
    op.create_index("ix_votes_at", "votes", ["at"])


def downgrade() -> None:
    op.drop_table("votes")
