"""One turn at a time in a thread, over all processes; turns that are asked to stop; how long a process
may be silent.

Revision ID: 0009_turn_leases
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_turn_leases"
down_revision = "0008_knowledge"
branch_labels = None
depends_on = None

_EARLIER = (
    "DELETE FROM running_turns WHERE EXISTS (SELECT 1 FROM running_turns AS other"
    " WHERE other.thread_id = running_turns.thread_id AND other.turn_id > running_turns.turn_id)"
)


def upgrade() -> None:
    op.execute(_EARLIER)  # processes of before knew nothing of each other's turns
    op.drop_index("ix_running_turns_thread_id", "running_turns")
    op.create_index("uq_running_turns_thread_id", "running_turns", ["thread_id"], unique=True)
    op.add_column(
        "running_turns",
        sa.Column("stopping", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column("processes", sa.Column("silence", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("processes", "silence")
    op.drop_column("running_turns", "stopping")
    op.drop_index("uq_running_turns_thread_id", "running_turns")
    op.create_index("ix_running_turns_thread_id", "running_turns", ["thread_id"])
