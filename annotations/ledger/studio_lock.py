"""One pusher at a time: a row in the ledger that a killed process cannot keep."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from annotations.errors import LedgerError, StudioError
from annotations.ledger.store import Ledger, now, timestamp
from annotations.ledger.tables import studio_locks

_LEASE = timedelta(minutes=15)  # for a holder on another machine, which cannot be asked whether it lives
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class StudioLock:
    """A lock that this run holds."""

    name: str
    holder: str

    def renew(self, connection: Connection) -> None:
        """Make sure, inside a transaction, that the lock is still ours.

        Raises
        ------
        StudioError
            Another run has taken it over; the transaction must not be committed.
        """
        renewed = connection.execute(
            update(studio_locks)
            .where(studio_locks.c.name == self.name, studio_locks.c.holder == self.holder)
            .values(renewed_at=now())
        )
        if renewed.rowcount != 1:
            raise StudioError("another run has taken over", where=self.name, hint="Run the command again.")


@contextmanager
def studio_lock(ledger: Ledger, name: str, wait_seconds: float = 30.0) -> Iterator[StudioLock]:
    """Hold the lock ``name``, waiting for another run to finish.

    Raises
    ------
    StudioError
        Another run still holds it after ``wait_seconds``.
    """
    lock = StudioLock(name, f"{uuid.uuid4().hex}:{_start_mark(os.getpid())}")
    deadline = time.monotonic() + wait_seconds
    while (pid := _take(ledger, lock)) is not None:
        if time.monotonic() > deadline:
            raise StudioError(
                f"another command is writing to this Label Studio (process {pid})",
                where=name,
                hint="Wait until it has finished; a killed one does not block.",
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield lock
    finally:
        with ledger.begin() as connection:
            connection.execute(
                delete(studio_locks).where(
                    studio_locks.c.name == lock.name, studio_locks.c.holder == lock.holder
                )
            )


def _take(ledger: Ledger, lock: StudioLock) -> int | None:
    """Take the lock and return None, or return the process that holds it."""
    try:
        return _take_or_read(ledger, lock)
    except LedgerError as error:
        if isinstance(error.__cause__, IntegrityError):  # PostgreSQL: another run was faster by a moment
            return 0
        raise


def _take_or_read(ledger: Ledger, lock: StudioLock) -> int | None:
    with ledger.begin() as connection:
        row = connection.execute(
            select(studio_locks).where(studio_locks.c.name == lock.name).with_for_update()
        ).one_or_none()
        if row is not None and _lives(row):
            return int(row.pid)
        if row is not None:
            connection.execute(delete(studio_locks).where(studio_locks.c.name == lock.name))
        connection.execute(
            insert(studio_locks).values(
                name=lock.name,
                holder=lock.holder,
                host=socket.gethostname(),
                pid=os.getpid(),
                renewed_at=now(),
            )
        )
    return None


def _lives(row: Row[Any]) -> bool:
    if row.renewed_at < timestamp(datetime.now(UTC) - _LEASE):
        return False
    if row.host != socket.gethostname():
        return True
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # The same number may belong to a later process by now.
    return str(row.holder).rpartition(":")[2] == _start_mark(row.pid)


def _start_mark(pid: int) -> str:
    """Return when a process began, as Linux counts it; empty on other systems."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
