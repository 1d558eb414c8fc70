"""The tables of the work at Label Studio: what was sent, suggested and received, and the trainings after it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
)

from annotations.ledger.post_tables import metadata

studio_projects = Table(
    "studio_projects",
    metadata,
    Column("project", String, primary_key=True),  # "<address>#<project id>"
    Column("title", String, nullable=False),
    Column("codebook", String, nullable=False),  # digest of the codebook whose labelling page it shows
    Column("pulled_until", String),  # tasks changed up to here have been pulled
    Column("pulled_at", String),
    Column("pushed_at", String),
    Column("created_at", String, nullable=False),  # by Label Studio; a later project may have its number
    # What somebody else put into the project, counted by the last full pull.
    Column("foreign_tasks", Integer, nullable=False, default=0),
    Column("foreign_annotations", Integer, nullable=False, default=0),
)

studio_locks = Table(
    # Who is pushing at the moment: two at once would make every task twice.
    "studio_locks",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("renewed_at", String, nullable=False),
)

studio_tasks = Table(
    "studio_tasks",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("post_id", String, primary_key=True),
    Column("revision", String, primary_key=True),
    Column("task_id", Integer),  # null: announced, not yet confirmed by Label Studio
    Column("pushed_at", String, nullable=False),
    Column("updated_at", String),  # Label Studio's time of the task as it was last pulled
    Column("deleted_at", String),  # found to be gone from Label Studio
    ForeignKeyConstraint(["post_id", "revision"], ["revisions.post_id", "revisions.revision"]),
    Index("studio_tasks_task", "project", "task_id"),
)

studio_predictions = Table(
    # Which model version's suggestions each task shows.
    "studio_predictions",
    metadata,
    Column("project", String, primary_key=True),
    Column("task_id", Integer, primary_key=True),
    Column("model_version", String, primary_key=True),
    Column("pushed_at", String, nullable=False),
    Column("confirmed_at", String),  # null: announced, not yet confirmed by Label Studio
)

studio_annotations = Table(
    "studio_annotations",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("annotation_id", Integer, primary_key=True),
    Column("task_id", Integer, nullable=False),
    Column("post_id", String, nullable=False, index=True),
    Column("revision", String, nullable=False),
    Column("user_id", Integer),
    Column("annotator", String, nullable=False),  # the name at the time; `annotators` has today's
    Column("codebook", String, nullable=False),  # digest of the codebook it was read by
    Column("received", JSON, nullable=False),  # as Label Studio sent it
    Column("parsed", JSON(none_as_null=True)),  # the line of labels.jsonl; null where it could not be read
    Column("problems", JSON, nullable=False),  # what was found wrong, sentences
    Column("updated_at", String, nullable=False),
    Column("lead_time", Float),
    Column("skipped", Boolean, nullable=False),
    Column("deleted_at", String),  # a tombstone: vanished from Label Studio, kept here
)

annotators = Table(
    # Accounts of Label Studio and the names that stand for them in files.
    "annotators",
    metadata,
    Column("project", String, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    Column("account", String, nullable=False),
    Column("name", String, nullable=False),
    Column("pseudonym", String, nullable=False),
)

studio_switches = Table(
    # Whether annotators see suggestions, and the share of posts that never have any; the latest row holds.
    "studio_switches",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("changed_at", String, primary_key=True),
    Column("shown", Boolean, nullable=False),
    Column("blind_share", Float, nullable=False),
    Column("seed", Integer, nullable=False),
)

studio_arms = Table(
    # Decided once for each post: a later share does not move a post from one arm to the other.
    "studio_arms",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("post_id", String, primary_key=True),
    Column("is_blind", Boolean, nullable=False),
    Column("blind_share", Float, nullable=False),  # the probability with which it was made blind
    Column("decided_at", String, nullable=False),
)

studio_suggestions = Table(
    # What was suggested on each task; withheld: it would have been, but the post is blind.
    "studio_suggestions",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("task_id", Integer, primary_key=True),
    Column("model_version", String, primary_key=True),
    Column("post_id", String, nullable=False),
    Column("revision", String, nullable=False),
    Column("codebook", String, nullable=False),  # digest of the codebook that its tags are from
    Column("tags", JSON, nullable=False),  # tag id: [[start, end], ...]
    Column("confidence", Float, nullable=False),
    Column("withheld", Boolean, nullable=False),
    Column("given_at", String, nullable=False),
)

studio_shown = Table(
    # Which suggestion the author of an annotation had, or (withheld) would have had, before their eyes.
    "studio_shown",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("annotation_id", Integer, primary_key=True),
    Column("task_id", Integer, nullable=False),
    Column("model_version", String, nullable=False),
    Column("withheld", Boolean, nullable=False),
)

studio_backends = Table(
    # Where Label Studio calls our service: its ML backend and its webhook.
    "studio_backends",
    metadata,
    Column("project", String, ForeignKey("studio_projects.project"), primary_key=True),
    Column("url", String, nullable=False),
    Column("backend_id", Integer, nullable=False),
    Column("webhook_id", Integer, nullable=False),
    Column("connected_at", String, nullable=False),
)

trainings = Table(
    # Trainings in the background: what came of each, and the figures that decided.
    "trainings",
    metadata,
    Column("training_id", Integer, primary_key=True, autoincrement=True),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),  # null: running, or ended before its end
    Column("outcome", String),
    Column("version", String),
    Column("compared_with", String),
    Column("report", JSON, nullable=False),
)
