"""The tables of what is asked of the service and must not be lost: posts to annotate, answers already given."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from annotations.ledger.post_tables import metadata

queued_posts = Table(
    # Posts that somebody asked to have annotated, one by one; a ticket names what was asked at once.
    "queued_posts",
    metadata,
    Column("ticket", String, primary_key=True),
    Column("position", Integer, primary_key=True),  # its place in the request, from 0
    Column("post_id", String, nullable=False),
    Column("outcome", String, nullable=False),  # what recording it was: new, edited, unchanged, duplicate
    Column("queued_at", String, nullable=False),
    Index("queued_posts_post", "post_id"),
)

idempotency_keys = Table(
    # Requests that bear an Idempotency-Key, with what they were answered.
    "idempotency_keys",
    metadata,
    Column("key", String, primary_key=True),
    Column("digest", String, nullable=False),  # of the method, the address and the body
    Column("created_at", String, nullable=False),
    Column("status", Integer),  # null: not answered yet
    Column("answer", Text),
)
