"""The ledger's rows of administrators' acts: only added to, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from annotations.ledger.store import Ledger, now
from annotations.ledger.tables import audit


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: ``actor`` is a key's or a user's name, ``subject`` what it was done to.

    None of it is a secret or a text.
    """

    actor: str
    act: str
    subject: str = ""
    outcome: str = "done"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An act with its number and its time (ISO 8601 UTC)."""

    entry: int
    at: str
    actor: str
    act: str
    subject: str
    outcome: str


def record_act(ledger: Ledger, act: Act) -> None:
    """Record an act, as of now."""
    values = {"actor": act.actor, "act": act.act, "subject": act.subject, "outcome": act.outcome}
    with ledger.begin() as connection:
        connection.execute(insert(audit).values(at=now(), **values))


def read_audit(ledger: Ledger, limit: int) -> Sequence[AuditEntry]:
    """Return the last ``limit`` acts, the latest first."""
    query = select(audit).order_by(audit.c.entry.desc()).limit(limit)
    with ledger.reading() as connection:
        return [AuditEntry(**row) for row in connection.execute(query).mappings()]
