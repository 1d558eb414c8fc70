"""The schema of release 0.1: posts and revisions, imports, and what Label Studio was sent and said."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "annotators",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("project", "user_id"),
    )
    op.create_table(
        "channel_aliases",
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("alias"),
    )
    op.create_table(
        "imports",
        sa.Column("import_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("finished_at", sa.String(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("import_id"),
    )
    op.create_table(
        "ledger_info",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "studio_locks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("renewed_at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "studio_predictions",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("pushed_at", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("project", "task_id", "model_version"),
    )
    op.create_table(
        "studio_projects",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("codebook", sa.String(), nullable=False),
        sa.Column("pulled_until", sa.String(), nullable=True),
        sa.Column("pulled_at", sa.String(), nullable=True),
        sa.Column("pushed_at", sa.String(), nullable=True),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("foreign_tasks", sa.Integer(), nullable=False),
        sa.Column("foreign_annotations", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project"),
    )
    op.create_table(
        "posts",
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("date", sa.String(), nullable=True),
        sa.Column("lang", sa.String(), nullable=True),
        sa.Column("forwarded_from", sa.Text(), nullable=True),
        sa.Column("reply_to", sa.String(), nullable=True),
        sa.Column("hashtags", sa.JSON(), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("media", sa.JSON(), nullable=False),
        sa.Column("views", sa.Integer(), nullable=True),
        sa.Column("forwards", sa.Integer(), nullable=True),
        sa.Column("reactions", sa.JSON(), nullable=False),
        sa.Column("duplicate_of", sa.String(), nullable=True),
        sa.Column("first_import", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["first_import"],
            ["imports.import_id"],
        ),
        sa.PrimaryKeyConstraint("post_id"),
    )
    op.create_index("ix_posts_channel", "posts", ["channel"], unique=False)
    op.create_index("posts_by_date", "posts", ["date", "post_id"], unique=False)
    op.create_index("posts_revision", "posts", ["revision"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.import_id"],
        ),
        sa.PrimaryKeyConstraint("import_id", "position"),
    )
    op.create_table(
        "studio_annotations",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("annotation_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("annotator", sa.String(), nullable=False),
        sa.Column("codebook", sa.String(), nullable=False),
        sa.Column("received", sa.JSON(), nullable=False),
        sa.Column("parsed", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.String(), nullable=False),
        sa.Column("lead_time", sa.Float(), nullable=True),
        sa.Column("skipped", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project", "annotation_id"),
    )
    op.create_index("ix_studio_annotations_post_id", "studio_annotations", ["post_id"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raw", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("edited_at", sa.String(), nullable=True),
        sa.Column("cleaner", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["imports.import_id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.post_id"],
        ),
        sa.PrimaryKeyConstraint("post_id", "revision"),
    )
    op.create_table(
        "studio_tasks",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("pushed_at", sa.String(), nullable=False),
        sa.Column("updated_at", sa.String(), nullable=True),
        sa.Column("deleted_at", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["post_id", "revision"],
            ["revisions.post_id", "revisions.revision"],
        ),
        sa.ForeignKeyConstraint(
            ["project"],
            ["studio_projects.project"],
        ),
        sa.PrimaryKeyConstraint("project", "post_id", "revision"),
    )
    op.create_index("studio_tasks_task", "studio_tasks", ["project", "task_id"], unique=False)
