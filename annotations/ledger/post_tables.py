"""The tables of posts: what was imported, what is alike, what was erased, what was chosen for annotation."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

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
# With duplicate_of, so that the owner of a text is found at once among many copies.
Index("posts_revision", posts.c.revision, posts.c.duplicate_of)
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
