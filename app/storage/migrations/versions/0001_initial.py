"""Users, threads and what is said in them, usage, documents, search.

Revision ID: 0001_initial
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables import Json, Money, Serial, StorableText, UtcDateTime
from app.storage.thread_pages import search_schema

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("scope", StorableText(), nullable=False),
        sa.Column("key", StorableText(), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_documents"),
    )
    op.create_table(
        "processes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.create_table(
        "usage",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("key_id", sa.String(), nullable=True),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("turn_id", sa.String(), nullable=True),
        sa.Column("step_id", sa.String(), nullable=True),
        sa.Column("mode", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("model", StorableText(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("cached_tokens", sa.Integer(), nullable=True),
        sa.Column("reasoning_tokens", sa.Integer(), nullable=True),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("load_s", sa.Float(), nullable=True),
        sa.Column("prompt_s", sa.Float(), nullable=True),
        sa.Column("generation_s", sa.Float(), nullable=True),
        sa.Column("first_token_s", sa.Float(), nullable=True),
        sa.Column("total_s", sa.Float(), nullable=True),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("cost_amount", Money(), nullable=True),
        sa.Column("cost_currency", sa.String(), nullable=True),
        sa.Column("cost_rub", Money(), nullable=True),
        sa.Column("finish_reason", sa.String(), nullable=True),
        sa.Column("cache", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("request_id", StorableText(), nullable=True),
        sa.Column("streaming", sa.Boolean(), nullable=False),
        sa.Column("saved_tokens", sa.Integer(), nullable=True),
        sa.Column("parallel", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_usage"),
    )
    op.create_index("ix_usage_key_id_started_at", "usage", ["key_id", "started_at"], unique=False)
    op.create_index(
        "ix_usage_server_model_started_at", "usage", ["server", "model", "started_at"], unique=False
    )
    op.create_index("ix_usage_started_at", "usage", ["started_at"], unique=False)
    op.create_index("ix_usage_thread_id", "usage", ["thread_id"], unique=False)
    op.create_index("ix_usage_user_id_started_at", "usage", ["user_id", "started_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("identifier", StorableText(), nullable=False),
        sa.Column("display_name", StorableText(), nullable=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("identifier", name="uq_users_identifier"),
    )
    op.create_index("ix_users_disabled_at", "users", ["disabled_at"], unique=False)
    op.create_table(
        "threads",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("title", StorableText(), nullable=True),
        sa.Column("titled_by", sa.String(), nullable=True),
        sa.Column("folded_title", StorableText(), nullable=True),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("shared_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("active_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_threads_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_threads"),
    )
    op.create_index(
        "ix_threads_user_id_active_at", "threads", ["user_id", "active_at", "id"], unique=False
    )
    op.create_table(
        "elements",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("step_id", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("name", StorableText(), nullable=False),
        sa.Column("mime", sa.String(), nullable=True),
        sa.Column("display", sa.String(), nullable=False),
        sa.Column("url", StorableText(), nullable=True),
        sa.Column("has_file", sa.Boolean(), nullable=False),
        sa.Column("props", Json, nullable=True),
        sa.Column("extra", Json, nullable=False),
        sa.Column("text", StorableText(), nullable=True),
        sa.Column("image_mime", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_elements_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_elements"),
        sa.UniqueConstraint("id", name="uq_elements_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_elements_thread_id", "elements", ["thread_id", "seq"], unique=False)
    op.create_table(
        "running_turns",
        sa.Column("turn_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("process_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_running_turns_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("turn_id", name="pk_running_turns"),
    )
    op.create_index("ix_running_turns_thread_id", "running_turns", ["thread_id"], unique=False)
    op.create_table(
        "steps",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("turn_id", sa.String(), nullable=True),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", StorableText(), nullable=False),
        sa.Column("input", StorableText(), nullable=False),
        sa.Column("output", StorableText(), nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("is_error", sa.Boolean(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("modes", Json, nullable=True),
        sa.Column("favorite", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_steps_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_steps"),
        sa.UniqueConstraint("id", name="uq_steps_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_steps_favorite",
        "steps",
        ["user_id", "seq"],
        unique=False,
        sqlite_where=sa.text("favorite"),
        postgresql_where=sa.text("favorite"),
    )
    op.create_index("ix_steps_thread_id", "steps", ["thread_id", "seq"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("step_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("comment", StorableText(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_id"], ["steps.id"], name="fk_feedback_step_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["threads.id"], name="fk_feedback_thread_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint("step_id", name="uq_feedback_step_id"),
    )
    op.create_index("ix_feedback_thread_id", "feedback", ["thread_id"], unique=False)

    for statement in search_schema(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE spoken_index")
        op.execute("DROP VIEW spoken")
    for table in (
        "feedback",
        "steps",
        "running_turns",
        "elements",
        "threads",
        "users",
        "usage",
        "processes",
        "documents",
    ):
        op.drop_table(table)
