"""The tables of who may call the service, and of what administrators did."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table

from annotations.ledger.post_tables import metadata

api_keys = Table(
    # A key itself is never stored: only its SHA-256, which cannot be turned back into 256 random bits.
    "api_keys",
    metadata,
    Column("key_id", String, primary_key=True),  # the part of a key that may be shown
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    Column("revoked_at", String),
)

audit = Table(
    # Acts of administrators. Never a secret, never a text: subjects are versions, names and numbers.
    "audit",
    metadata,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("at", String, nullable=False),
    Column("actor", String, nullable=False),  # "key:NAME", "user:NAME" of the system, or "local"
    Column("act", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("outcome", String, nullable=False),
)
Index("audit_by_time", audit.c.at)
