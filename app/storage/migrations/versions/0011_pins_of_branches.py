"""A pinned fact belongs to the branch in which it was pinned; those of before to all.

Revision ID: 0011_pins_of_branches
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_pins_of_branches"
down_revision = ("0010_key_tools", "0010_votes")
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pinned_facts", sa.Column("node_id", sa.String(), nullable=True))


def downgrade() -> None:
    """An older version tells every fact in every branch."""
    op.drop_column("pinned_facts", "node_id")
