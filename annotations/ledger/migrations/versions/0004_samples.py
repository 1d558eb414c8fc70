"""Samples: which posts were chosen for annotation, by which quota, and with which probability."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "samples",
        sa.Column("sample", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("made_at", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("codebook", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=True),
        sa.Column("n_pool", sa.Integer(), nullable=False),
        sa.Column("n_pool_posts", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sample"),
    )
    op.create_table(
        "sample_posts",
        sa.Column("sample", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("quota", sa.String(), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=True),
        sa.Column("n_alike", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample"],
            ["samples.sample"],
        ),
        sa.PrimaryKeyConstraint("sample", "position"),
    )
    op.create_index("sample_posts_post", "sample_posts", ["post_id"], unique=False)
