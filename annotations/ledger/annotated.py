"""Whether the annotations of the ledger have changed since somebody last read them."""

from __future__ import annotations

from sqlalchemy import func, select

from annotations.ledger.store import Ledger
from annotations.ledger.tables import erasures, imports, studio_annotations


def annotation_mark(ledger: Ledger) -> tuple[object, ...]:
    """Return what differs after any annotation came, changed, went or was read again, or a post was edited."""
    table = studio_annotations.c
    counted = select(
        func.count(),
        func.count(table.deleted_at),
        func.count(table.parsed),
        func.max(table.updated_at),
        func.count(table.codebook.distinct()),
        func.min(table.codebook),
        func.max(table.codebook),
    )
    with ledger.reading() as connection:
        row = connection.execute(counted).one()
        last = connection.scalar(select(func.max(imports.c.import_id)))
        finished = connection.scalar(select(func.max(imports.c.finished_at)))
        erased = connection.scalar(select(func.count()).select_from(erasures))
    return (*row, last, finished, erased)
