"""Suggestions and who saw them, the service as Label Studio's backend, trainings in the background."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Take the step."""

    op.create_table(
        "trainings",
        sa.Column("training_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("finished_at", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("compared_with", sa.String(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("training_id"),
    )
    op.create_table(
        "studio_arms",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("is_blind", sa.Boolean(), nullable=False),
        sa.Column("blind_share", sa.Float(), nullable=False),
        sa.Column("decided_at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project", "post_id"),
    )
    op.create_table(
        "studio_backends",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("backend_id", sa.Integer(), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("connected_at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project"),
    )
    op.create_table(
        "studio_shown",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("annotation_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project", "annotation_id"),
    )
    op.create_table(
        "studio_suggestions",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("codebook", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.Column("given_at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project", "task_id", "model_version"),
    )
    op.create_table(
        "studio_switches",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("changed_at", sa.String(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.Column("blind_share", sa.Float(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project", "changed_at"),
    )
