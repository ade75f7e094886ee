"""Projects: conversations in folders.

Revision ID: 0015_projects
"""

import sqlalchemy as sa
from alembic import op

revision = "0015_projects"
down_revision = "0014_key_drop_params"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("project_id", sa.String(), nullable=True))
    op.create_index("ix_threads_project_id_active_at", "threads", ["project_id", "active_at", "id"])


def downgrade() -> None:
    """Conversations of projects are in the list again; an older version knows no projects."""
    op.drop_index("ix_threads_project_id_active_at", "threads")
    op.drop_column("threads", "project_id")
    op.execute("DELETE FROM presets WHERE kind = 'projects'")
