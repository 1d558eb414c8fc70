"""Requests that bear an Idempotency-Key: the first is carried out, the same one again gets the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from annotations.ledger.recording import insert_once
from annotations.ledger.store import Ledger, now, timestamp
from annotations.ledger.tables import idempotency_keys

KEPT = timedelta(hours=24)
_GIVEN_UP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Reservation:
    """A request that is to be carried out now; nobody else does while it is not answered."""

    key: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the request was answered before."""

    status: int
    answer: str


@dataclass(frozen=True, slots=True)
class InProgress:
    """The same request is being carried out."""


@dataclass(frozen=True, slots=True)
class Different:
    """The key was used for another request."""


def reserve(ledger: Ledger, key: str, digest: str) -> Reservation | Answered | InProgress | Different:
    """Look a request up, or note that it is carried out from now on.

    Keys are kept for 24 hours.  One whose request was not answered within a minute (its process was killed) is
    open again.
    """
    moment = datetime.now(UTC)
    with ledger.begin() as connection:
        old = idempotency_keys.c.created_at < timestamp(moment - KEPT)
        connection.execute(delete(idempotency_keys).where(old))
        open_again = idempotency_keys.c.created_at < timestamp(moment - _GIVEN_UP)
        connection.execute(
            delete(idempotency_keys).where(
                idempotency_keys.c.key == key, idempotency_keys.c.status.is_(None), open_again
            )
        )
        created = now()
        insert_once(connection, idempotency_keys, [{"key": key, "digest": digest, "created_at": created}])
        row = connection.execute(select(idempotency_keys).where(idempotency_keys.c.key == key)).one()
    if row.digest != digest:
        return Different()
    if row.status is not None:
        return Answered(row.status, row.answer)
    return Reservation(key, created) if row.created_at == created else InProgress()


def finish(connection: Connection, reservation: Reservation, answer: Answered) -> None:
    """Keep the answer to a request, best in the transaction that carries it out."""
    connection.execute(
        update(idempotency_keys)
        .where(
            idempotency_keys.c.key == reservation.key,
            idempotency_keys.c.created_at == reservation.created_at,
        )
        .values(status=answer.status, answer=answer.answer)
    )


def release(ledger: Ledger, reservation: Reservation) -> None:
    """Forget a request that failed: the next one with its key is carried out."""
    with ledger.begin() as connection:
        connection.execute(
            delete(idempotency_keys).where(
                idempotency_keys.c.key == reservation.key,
                idempotency_keys.c.created_at == reservation.created_at,
                idempotency_keys.c.status.is_(None),
            )
        )
