"""The ledger's rows of predictions shown in Label Studio: announced before the call, confirmed after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_lock import StudioLock
from annotations.ledger.studio_tasks import chunks
from annotations.ledger.suggestions import GivenSuggestion, forget_suggestions, record_suggestions
from annotations.ledger.tables import studio_predictions


def predictions_shown(ledger: Ledger, project: str, model_version: str) -> dict[int, bool]:
    """Return the tasks that a model version was pushed to, and whether that is confirmed."""
    query = select(studio_predictions.c.task_id, studio_predictions.c.confirmed_at).where(
        studio_predictions.c.project == project, studio_predictions.c.model_version == model_version
    )
    with ledger.begin() as connection:
        return {row.task_id: row.confirmed_at is not None for row in connection.execute(query)}


def announce_predictions(
    ledger: Ledger, target: tuple[str, str], given: Sequence[GivenSuggestion], lock: StudioLock | None = None
) -> set[int]:
    """Note, before Label Studio has them, suggestions that it is about to store or (withheld) never gets.

    ``target`` is the key of the project and the model version. Returns the tasks that were not noted before.
    """
    project, model_version = target
    fixed = {"project": project, "model_version": model_version, "pushed_at": now()}
    with ledger.begin() as connection:
        if lock is not None:
            lock.renew(connection)
        there = _noted(connection, target, [each.task_id for each in given])
        fresh = [each for each in given if each.task_id not in there]
        sent = [each for each in fresh if not each.withheld]
        record_suggestions(connection, project, sent, replace=True)
        record_suggestions(connection, project, [each for each in fresh if each.withheld])
        if sent:
            connection.execute(
                insert(studio_predictions), [{**fixed, "task_id": each.task_id} for each in sent]
            )
    return {each.task_id for each in fresh}


def _noted(connection: Connection, target: tuple[str, str], task_ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for chunk in chunks(task_ids):
        query = select(studio_predictions.c.task_id).where(
            studio_predictions.c.project == target[0],
            studio_predictions.c.model_version == target[1],
            studio_predictions.c.task_id.in_(chunk),
        )
        found |= set(connection.scalars(query))
    return found


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
            numbers = [{"number": task_id} for task_id in absent]
            connection.execute(delete(studio_predictions).where(*here), numbers)
            forget_suggestions(connection, target, absent)


def latest_version(ledger: Ledger, project: str) -> str | None:
    """Return the version whose predictions were stored last in a project; None where there are none."""
    query = (
        select(studio_predictions.c.model_version)
        .where(studio_predictions.c.project == project, studio_predictions.c.confirmed_at.is_not(None))
        .order_by(studio_predictions.c.confirmed_at.desc())
        .limit(1)
    )
    with ledger.begin() as connection:
        return connection.scalar(query)
