"""Branches: a question knows the turn it follows, a thread its active branch.

Revision ID: 0006_branches
"""

import sqlalchemy as sa
from alembic import op

from app.storage.branches import join_up
from app.storage.tables import Json

revision = "0006_branches"
down_revision = "0005_usage_totals"
branch_labels = None
depends_on = None

_NODES = sa.text("kind IN ('question', 'turn')")


def upgrade() -> None:
    op.add_column("threads", sa.Column("leaf_id", sa.String(), nullable=True))
    op.add_column("threads", sa.Column("chosen", Json, nullable=True))
    join_up(op.get_bind())
    op.create_index(
        "ix_steps_branches",
        "steps",
        ["thread_id", "seq", "parent_id", "id"],
        unique=False,
        sqlite_where=_NODES,
        postgresql_where=_NODES,
    )


def downgrade() -> None:
    """Every branch stays: an older version shows them one after another, as they were written."""
    op.drop_index("ix_steps_branches", "steps")
    op.execute("UPDATE steps SET parent_id = NULL WHERE kind = 'question'")
    op.drop_column("threads", "chosen")
    op.drop_column("threads", "leaf_id")
