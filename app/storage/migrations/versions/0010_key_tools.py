"""Which tools an API key may use; none of those made before.

Revision ID: 0010_key_tools
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import Json

revision = "0010_key_tools"
down_revision = "0009_turn_leases"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("tools", Json, nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "tools")
