"""A bin: since when a thread is deleted.

Revision ID: 0007_bin
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import UtcDateTime

revision = "0007_bin"
down_revision = "0006_branches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("deleted_at", UtcDateTime(), nullable=True))
    op.create_index("ix_threads_deleted_at", "threads", ["deleted_at"])


def downgrade() -> None:
    """What is in the bin is in the list again: an older version has no bin."""
    op.drop_index("ix_threads_deleted_at", "threads")
    op.drop_column("threads", "deleted_at")
