"""The schema of the ledger. Times are ISO 8601 UTC text, so that SQLite and PostgreSQL hold the same."""

from __future__ import annotations

from annotations.ledger.access_tables import api_keys, audit
from annotations.ledger.post_tables import (
    channel_aliases,
    erasures,
    imports,
    ledger_info,
    metadata,
    near_duplicates,
    post_signatures,
    posts,
    refusals,
    revisions,
    sample_posts,
    samples,
)
from annotations.ledger.queue_tables import idempotency_keys, queued_posts
from annotations.ledger.studio_tables import (
    annotators,
    studio_annotations,
    studio_arms,
    studio_backends,
    studio_locks,
    studio_predictions,
    studio_projects,
    studio_shown,
    studio_suggestions,
    studio_switches,
    studio_tasks,
    trainings,
)

__all__ = [
    "SCHEMA_VERSION",
    "annotators",
    "api_keys",
    "audit",
    "channel_aliases",
    "erasures",
    "idempotency_keys",
    "imports",
    "ledger_info",
    "metadata",
    "near_duplicates",
    "post_signatures",
    "posts",
    "queued_posts",
    "refusals",
    "revisions",
    "sample_posts",
    "samples",
    "studio_annotations",
    "studio_arms",
    "studio_backends",
    "studio_locks",
    "studio_predictions",
    "studio_projects",
    "studio_shown",
    "studio_suggestions",
    "studio_switches",
    "studio_tasks",
    "trainings",
]

SCHEMA_VERSION = "0006"
"""The last step in ``migrations/versions``."""
