"""The ledger's rows of trainings in the background, and what has been annotated since one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from annotations.ledger.store import Ledger, now, timestamp
from annotations.ledger.tables import studio_annotations, trainings


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One training; without ``finished_at`` it runs, or was ended before its end."""

    training_id: int
    started_at: str
    finished_at: str | None
    outcome: str | None
    version: str | None
    compared_with: str | None
    report: Mapping[str, Any]


def begin_training(ledger: Ledger) -> int:
    """Note that a training begins and return its number."""
    with ledger.begin() as connection:
        done = connection.execute(insert(trainings).values(started_at=now(), report={}))
    (number,) = done.inserted_primary_key or (0,)
    return int(number)


def finish_training(ledger: Ledger, number: int, values: Mapping[str, Any]) -> None:
    """Note what came of a training: ``outcome``, ``version``, ``compared_with``, ``report``."""
    with ledger.begin() as connection:
        connection.execute(
            update(trainings)
            .where(trainings.c.training_id == number)
            .values(finished_at=now(), **dict(values))
        )


def latest_training(ledger: Ledger) -> TrainingRow | None:
    """Return the training that began last."""
    query = select(trainings).order_by(trainings.c.training_id.desc()).limit(1)
    with ledger.begin() as connection:
        row = connection.execute(query).mappings().one_or_none()
    return None if row is None else TrainingRow(**row)


def n_annotated_since(ledger: Ledger, moment: str) -> int:
    """Return how many live annotations were made or changed after a moment (by Label Studio's clock)."""
    query = select(func.count()).where(
        studio_annotations.c.deleted_at.is_(None),
        studio_annotations.c.skipped.is_(False),
        studio_annotations.c.updated_at > moment,
    )
    with ledger.begin() as connection:
        return int(connection.scalar(query) or 0)


def first_annotated(ledger: Ledger) -> dict[tuple[str, str], str]:
    """Return when each revision of a post was first annotated, by post and revision; tombstones count too."""
    columns = (
        studio_annotations.c.post_id,
        studio_annotations.c.revision,
        studio_annotations.c.updated_at,
        studio_annotations.c.received["created_at"].as_string().label("created_at"),
    )
    found: dict[tuple[str, str], str] = {}
    with ledger.begin() as connection:
        for row in connection.execute(select(*columns)):
            moment = _moment(row.created_at) or row.updated_at
            key = (row.post_id, row.revision)
            found[key] = min(found.get(key, moment), moment)
    return found


def _moment(value: str | None) -> str | None:
    try:
        return timestamp(datetime.fromisoformat(value or ""))
    except ValueError:
        return None
