"""Whether what a model does not take is left out of a key's requests; not for those made before.

Revision ID: 0014_key_drop_params
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_key_drop_params"
down_revision = "0013_presets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column("drop_params", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    op.drop_column("api_keys", "drop_params")
