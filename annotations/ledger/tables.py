"""The tables of the ledger. Times are ISO 8601 UTC text, so that SQLite and PostgreSQL hold the same."""

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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

SCHEMA_VERSION = "0004"
"""The last step in ``migrations/versions``."""

metadata = MetaData()

ledger_info = Table(
    "ledger_info",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

channel_aliases = Table(
    # A channel known by its title, its number or its user name is one channel.
    "channel_aliases",
    metadata,
    Column("alias", String, primary_key=True),
    Column("channel", String, nullable=False),
)

posts = Table(
    "posts",
    metadata,
    Column("post_id", String, primary_key=True),
    Column("channel", String, nullable=False, index=True),
    Column("message_id", String),
    Column("revision", String, nullable=False),  # the current one
    Column("date", String),
    Column("lang", String),
    Column("forwarded_from", Text),
    Column("reply_to", String),
    Column("hashtags", JSON, nullable=False),
    Column("links", JSON, nullable=False),
    Column("media", JSON, nullable=False),
    Column("views", Integer),
    Column("forwards", Integer),
    Column("reactions", JSON, nullable=False),
    Column("duplicate_of", String),  # the first post seen with the same text
    Column("first_import", Integer, ForeignKey("imports.import_id"), nullable=False),
)
Index("posts_revision", posts.c.revision)
Index("posts_by_date", posts.c.date, posts.c.post_id)

revisions = Table(
    "revisions",
    metadata,
    Column("post_id", String, ForeignKey("posts.post_id"), primary_key=True),
    Column("revision", String, primary_key=True),
    Column("text", Text, nullable=False),
    # The text as received, where cleaning changed it; JSON keeps what UTF-8 cannot.
    Column("raw", JSON(none_as_null=True)),
    Column("edited_at", String),
    Column("cleaner", Integer, nullable=False),  # the version of the cleaner that made the text
    Column("import_id", Integer, ForeignKey("imports.import_id"), nullable=False),
    Column("seen_at", String, nullable=False),
)

post_signatures = Table(
    # MinHash signatures of current texts, in the order of their coming; an edited post gets another.
    "post_signatures",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("post_id", String, nullable=False),
    Column("revision", String, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Index("post_signatures_post", "post_id"),
    sqlite_autoincrement=True,  # a number is never used again: see near_duplicates.py
)

near_duplicates = Table(
    # Posts whose texts are nearly the same as another's; the cluster bears the name of one of its posts.
    "near_duplicates",
    metadata,
    Column("post_id", String, primary_key=True),
    Column("cluster", String, nullable=False),
    Index("near_duplicates_cluster", "cluster"),
)

erasures = Table(
    # Posts that were erased on request: what is left is that they were, and they are not imported again.
    "erasures",
    metadata,
    Column("post_id", String, primary_key=True),
    Column("erased_at", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("removed", JSON, nullable=False),  # how many rows, files and tasks
)

imports = Table(
    "imports",
    metadata,
    Column("import_id", Integer, primary_key=True, autoincrement=True),
    Column("file", Text, nullable=False),
    Column("format", String, nullable=False),
    Column("started_at", String, nullable=False),
    Column("finished_at", String),  # null: the run was ended before its file was read to the end
    Column("counts", JSON, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("import_id", Integer, ForeignKey("imports.import_id"), primary_key=True),
    Column("position", String, primary_key=True),
    Column("reason", Text, nullable=False),
)

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

samples = Table(
    # Choices of posts to annotate next, each from the posts that were in the pool at the time.
    "samples",
    metadata,
    Column("sample", Integer, primary_key=True, autoincrement=True),
    Column("made_at", String, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("codebook", String, nullable=False),  # digest
    Column("model_version", String),  # whose scores were used; null: none yet
    Column("n_pool", Integer, nullable=False),  # clusters of near-duplicates that could be drawn
    Column("n_pool_posts", Integer, nullable=False),  # posts in them
    Column("options", JSON, nullable=False),
)

sample_posts = Table(
    "sample_posts",
    metadata,
    Column("sample", Integer, ForeignKey("samples.sample"), primary_key=True),
    Column("position", Integer, primary_key=True),  # the order of annotation, from 1
    Column("post_id", String, nullable=False),
    Column("revision", String, nullable=False),
    Column("quota", String, nullable=False),
    Column("inclusion_probability", Float),  # of the random quota's posts; null: chosen, not drawn
    Column(
        "n_alike", Integer, nullable=False
    ),  # posts of the pool that this one stands for, itself among them
    Column("overlap", Integer, nullable=False),  # how many annotators are to read it
    Index("sample_posts_post", "post_id"),
)
