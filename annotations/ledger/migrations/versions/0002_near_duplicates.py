"""Near-duplicates of posts, erased posts; the schema's version is Alembic's from here on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "post_signatures",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("post_signatures_post", "post_signatures", ["post_id"])
    op.create_table(
        "near_duplicates",
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("post_id"),
    )
    op.create_index("near_duplicates_cluster", "near_duplicates", ["cluster"])
    op.create_table(
        "erasures",
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("erased_at", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("removed", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("post_id"),
    )
    op.drop_index("posts_revision", "posts")
    op.create_index("posts_revision", "posts", ["revision", "duplicate_of"])
    op.execute("DELETE FROM ledger_info WHERE key = 'schema_version'")
