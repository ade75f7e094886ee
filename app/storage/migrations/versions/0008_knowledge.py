"""Knowledge bases: documents, passages with their index, vectors.

Revision ID: 0008_knowledge
"""

import sqlalchemy as sa
from alembic import op

from app.storage.knowledge_search import search_schema, search_undone
from app.storage.tables import Serial, StorableText, UtcDateTime

revision = "0008_knowledge"
down_revision = "0007_bin"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "knowledge_bases",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("name", StorableText(), nullable=False),
        sa.Column("shared_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_knowledge_bases_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_bases"),
    )
    op.create_index(
        "ux_knowledge_bases_user_id_name", "knowledge_bases", ["user_id", "name"], unique=True
    )
    op.create_table(
        "knowledge_documents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("base_id", sa.String(), nullable=False),
        sa.Column("name", StorableText(), nullable=False),
        sa.Column("mime", StorableText(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["base_id"],
            ["knowledge_bases.id"],
            name="fk_knowledge_documents_base_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_documents"),
    )
    op.create_index(
        "ux_knowledge_documents_base_id_name",
        "knowledge_documents",
        ["base_id", "name"],
        unique=True,
    )
    op.create_table(
        "knowledge_passages",
        sa.Column("seq", Serial, nullable=False, autoincrement=True),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("base_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("heading", StorableText(), nullable=False),
        sa.Column("text", StorableText(), nullable=False),
        sa.Column("terms", StorableText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["knowledge_documents.id"],
            name="fk_knowledge_passages_document_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_knowledge_passages"),
    )
    op.create_index(
        "ux_knowledge_passages_document_id_number",
        "knowledge_passages",
        ["document_id", "number"],
        unique=True,
    )
    op.create_index("ix_knowledge_passages_base_id", "knowledge_passages", ["base_id"])
    op.create_table(
        "knowledge_vectors",
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("model", StorableText(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("vectors", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["knowledge_documents.id"],
            name="fk_knowledge_vectors_document_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", name="pk_knowledge_vectors"),
    )
    for statement in search_schema(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    for statement in search_undone(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)
    for table in ("vectors", "passages", "documents", "bases"):
        op.drop_table(f"knowledge_{table}")
