"""The ledger's rows of annotations, written page by page while they are pulled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_tasks import Key, adopt, set_numbers
from annotations.ledger.suggestions import Shown, write_shown
from annotations.ledger.tables import studio_annotations, studio_projects, studio_tasks


@dataclass(frozen=True, slots=True)
class KnownAnnotation:
    """What the ledger has of an annotation, enough to tell whether it has changed."""

    annotation_id: int
    task_id: int
    revision: str
    user_id: int | None
    codebook: str
    updated_at: str
    deleted_at: str | None


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """One annotation as it goes into the ledger."""

    annotation_id: int
    task_id: int
    post_id: str
    revision: str
    user_id: int | None
    annotator: str
    codebook: str
    received: Mapping[str, Any]
    parsed: Mapping[str, Any] | None
    problems: Sequence[str]
    updated_at: str
    lead_time: float | None
    skipped: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What one page of a pull changes: all of it or nothing is written."""

    new: Sequence[AnnotationRow]
    changed: Sequence[AnnotationRow]
    numbers: Mapping[Key, int]  # rows of tasks that get a number, or come back to life
    unknown: Mapping[Key, int]  # tasks of ours without a row
    times: Mapping[int, str]  # task number: Label Studio's time of it
    shown: Mapping[int, Shown | None] = field(default_factory=dict)  # annotation: the suggestion behind it


@dataclass(frozen=True, slots=True)
class PullEnd:
    """What the end of a pull changes in one transaction."""

    pulled_until: str
    vanished: Collection[int]
    deleted_tasks: Collection[int]
    times: Mapping[int, str]
    foreign: tuple[int, int] | None  # tasks and annotations of somebody else; None: as before


def known_annotations(ledger: Ledger, project: str) -> dict[int, KnownAnnotation]:
    """Return what the ledger has of every annotation of a project, tombstones too, by number."""
    columns = [studio_annotations.c[name] for name in KnownAnnotation.__dataclass_fields__]
    with ledger.begin() as connection:
        rows = connection.execute(select(*columns).where(studio_annotations.c.project == project)).all()
    return {row.annotation_id: KnownAnnotation(*row) for row in rows}


def live_counts(ledger: Ledger, project: str) -> tuple[int, int]:
    """Return how many tasks and annotations of a project the ledger takes to be in Label Studio."""
    tasks = select(func.count()).where(
        studio_tasks.c.project == project,
        studio_tasks.c.task_id.is_not(None),
        studio_tasks.c.deleted_at.is_(None),
    )
    annotations = select(func.count()).where(
        studio_annotations.c.project == project, studio_annotations.c.deleted_at.is_(None)
    )
    with ledger.begin() as connection:
        return int(connection.scalar(tasks) or 0), int(connection.scalar(annotations) or 0)


def has_other_codebook(ledger: Ledger, project: str, digest: str) -> bool:
    """Tell whether a live annotation was read by another codebook."""
    query = (
        select(studio_annotations.c.annotation_id)
        .where(studio_annotations.c.project == project, studio_annotations.c.deleted_at.is_(None))
        .where(studio_annotations.c.codebook != digest)
        .limit(1)
    )
    with ledger.begin() as connection:
        return connection.scalar(query) is not None


def tasks_changed(
    ledger: Ledger, project: str, after: str, until: str | None = None
) -> tuple[int, str | None]:
    """Return how many live tasks last changed in ``(after, until]`` by Label Studio's clock, and the latest."""
    query = select(func.count(), func.max(studio_tasks.c.updated_at)).where(
        studio_tasks.c.project == project,
        studio_tasks.c.deleted_at.is_(None),
        studio_tasks.c.updated_at > after,
    )
    if until is not None:
        query = query.where(studio_tasks.c.updated_at <= until)
    with ledger.begin() as connection:
        count, newest = connection.execute(query).one()
    return int(count), newest


def write_page(ledger: Ledger, project: str, page: Page) -> set[Key]:
    """Write one page and return the tasks that got a row."""
    with ledger.begin() as connection:
        set_numbers(connection, project, page.numbers)
        adopted = adopt(connection, project, page.unknown)
        if page.new:
            connection.execute(
                insert(studio_annotations), [{"project": project, **_values(row)} for row in page.new]
            )
        if page.changed:
            _update_annotations(connection, project, page.changed)
        write_shown(connection, project, page.shown)
        _write_times(connection, project, page.times)
    return adopted


def finish_pull(ledger: Ledger, project: str, end: PullEnd) -> None:
    """Write tombstones, lost tasks and how far the pull has come."""
    moment = now()
    values: dict[str, Any] = {"pulled_until": end.pulled_until, "pulled_at": moment}
    if end.foreign is not None:
        values |= {"foreign_tasks": end.foreign[0], "foreign_annotations": end.foreign[1]}
    with ledger.begin() as connection:
        _bury(connection, project, end.vanished, end.deleted_tasks)
        _write_times(connection, project, end.times)
        connection.execute(
            update(studio_projects).where(studio_projects.c.project == project).values(**values)
        )


def bury_everything(ledger: Ledger, project: str) -> None:
    """Write a tombstone for every annotation and task of a project that has been deleted."""
    moment = now()
    with ledger.begin() as connection:
        for table in (studio_annotations, studio_tasks):
            connection.execute(
                update(table)
                .where(table.c.project == project, table.c.deleted_at.is_(None))
                .values(deleted_at=moment)
            )


def _bury(
    connection: Connection, project: str, annotation_ids: Collection[int], task_ids: Collection[int]
) -> None:
    moment = now()
    for table, column, numbers in (
        (studio_annotations, studio_annotations.c.annotation_id, annotation_ids),
        (studio_tasks, studio_tasks.c.task_id, task_ids),
    ):
        if numbers:
            statement = (
                update(table)
                .where(table.c.project == project, column == bindparam("number"))
                .values(deleted_at=moment)
            )
            connection.execute(statement, [{"number": number} for number in numbers])


def _update_annotations(connection: Connection, project: str, rows: Sequence[AnnotationRow]) -> None:
    statement = update(studio_annotations).where(
        studio_annotations.c.project == project, studio_annotations.c.annotation_id == bindparam("number")
    )
    changes = [{"number": row.annotation_id, "deleted_at": None, **_values(row)} for row in rows]
    for change in changes:
        del change["annotation_id"]
    names = [name for name in changes[0] if name != "number"]
    connection.execute(statement.values({name: bindparam(name) for name in names}), changes)


def _write_times(connection: Connection, project: str, times: Mapping[int, str]) -> None:
    if times:
        statement = (
            update(studio_tasks)
            .where(studio_tasks.c.project == project, studio_tasks.c.task_id == bindparam("number"))
            .values(updated_at=bindparam("moment"))
        )
        connection.execute(
            statement, [{"number": number, "moment": moment} for number, moment in times.items()]
        )


def _values(row: AnnotationRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in AnnotationRow.__dataclass_fields__}
