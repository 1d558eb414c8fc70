"""The ledger's rows of backends: which address of ours Label Studio calls for which project."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select

from annotations.ledger.store import Ledger, now
from annotations.ledger.tables import studio_backends


@dataclass(frozen=True, slots=True)
class BackendRow:
    """A connection: our address, and the numbers that Label Studio gave the backend and the webhook."""

    url: str
    backend_id: int
    webhook_id: int


def backend_row(ledger: Ledger, project: str) -> BackendRow | None:
    """Return the connection of a project; None where our service was never connected."""
    columns = [studio_backends.c[name] for name in BackendRow.__dataclass_fields__]
    with ledger.begin() as connection:
        row = connection.execute(select(*columns).where(studio_backends.c.project == project)).one_or_none()
    return None if row is None else BackendRow(*row)


def save_backend(ledger: Ledger, project: str, row: BackendRow) -> None:
    """Remember the connection of a project."""
    with ledger.begin() as connection:
        connection.execute(delete(studio_backends).where(studio_backends.c.project == project))
        connection.execute(insert(studio_backends).values(project=project, connected_at=now(), **asdict(row)))
