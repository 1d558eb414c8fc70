"""The ledger's rows of predictions shown in Label Studio: announced before the call, confirmed after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update

from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_lock import StudioLock
from annotations.ledger.tables import studio_predictions


def predictions_shown(ledger: Ledger, project: str, model_version: str) -> dict[int, bool]:
    """Return the tasks that a model version was pushed to, and whether that is confirmed."""
    query = select(studio_predictions.c.task_id, studio_predictions.c.confirmed_at).where(
        studio_predictions.c.project == project, studio_predictions.c.model_version == model_version
    )
    with ledger.begin() as connection:
        return {row.task_id: row.confirmed_at is not None for row in connection.execute(query)}


def announce_predictions(
    ledger: Ledger, target: tuple[str, str], task_ids: Sequence[int], lock: StudioLock
) -> None:
    """Note, before Label Studio is called, that predictions are about to be stored.

    ``target`` is the key of the project and the model version.
    """
    project, model_version = target
    fixed = {"project": project, "model_version": model_version, "pushed_at": now()}
    with ledger.begin() as connection:
        lock.renew(connection)
        connection.execute(
            insert(studio_predictions), [{**fixed, "task_id": task_id} for task_id in task_ids]
        )


def settle_predictions(
    ledger: Ledger, target: tuple[str, str], *, stored: Collection[int], absent: Collection[int]
) -> None:
    """Confirm the announced predictions that are there, and forget those that are not."""
    project, model_version = target
    here: list[ColumnElement[bool]] = [
        studio_predictions.c.project == project,
        studio_predictions.c.model_version == model_version,
        studio_predictions.c.task_id == bindparam("number"),
    ]
    with ledger.begin() as connection:
        if stored:
            statement = update(studio_predictions).where(*here).values(confirmed_at=now())
            connection.execute(statement, [{"number": task_id} for task_id in stored])
        if absent:
            connection.execute(
                delete(studio_predictions).where(*here), [{"number": task_id} for task_id in absent]
            )
