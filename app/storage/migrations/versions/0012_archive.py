"""An archive, and conversations that are not kept.

Revision ID: 0012_archive
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import UtcDateTime

revision = "0012_archive"
down_revision = "0011_pins_of_branches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("archived_at", UtcDateTime(), nullable=True))
    op.add_column(
        "threads",
        sa.Column("temporary", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    """What is in the archive is in the list again; what was not to be kept goes: an older version would
    list it."""
    op.execute("DELETE FROM threads WHERE temporary")
    op.drop_column("threads", "temporary")
    op.drop_column("threads", "archived_at")
