"""Totals of the usage by hour and by turn, kept by a trigger (SQLite).

Revision ID: 0005_usage_totals
"""

from alembic import op

from app.storage.usage_totals import totals_schema, totals_undone

revision = "0005_usage_totals"
down_revision = "0004_cached_answers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for statement in totals_schema(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    for statement in totals_undone(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)
