"""The ledger's rows of projects and tasks of Label Studio: what was announced, what is known to be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_lock import StudioLock
from annotations.ledger.tables import posts, revisions, studio_projects, studio_tasks

T = TypeVar("T")
Key = tuple[str, str]
"""(post_id, revision)."""

_CHUNK = 400  # below every database's limit of bound values


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project that the ledger knows; ``key`` is ``SERVER#NUMBER``."""

    key: str
    title: str
    codebook: str
    created_at: str
    pulled_until: str | None
    foreign_tasks: int
    foreign_annotations: int

    @property
    def project_id(self) -> int:
        """Its number in Label Studio."""
        return int(self.key.rpartition("#")[2])


@dataclass(frozen=True, slots=True)
class TaskRow:
    """The task of one revision of a post; without a number it is announced, not confirmed."""

    post_id: str
    revision: str
    task_id: int | None
    pushed_at: str
    updated_at: str | None
    deleted_at: str | None

    @property
    def key(self) -> Key:
        """The post and its revision."""
        return self.post_id, self.revision

    @property
    def is_live(self) -> bool:
        """Tell whether the task is known to be in Label Studio."""
        return self.task_id is not None and self.deleted_at is None


def chunks(items: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """Yield the items in lists of at most ``size``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def latest_project(ledger: Ledger, server: str) -> ProjectRow | None:
    """Return the newest project on a server, None where there is none."""
    query = (
        select(studio_projects)
        .where(studio_projects.c.project.startswith(f"{server}#", autoescape=True))
        .order_by(studio_projects.c.created_at.desc())
        .limit(1)
    )
    with ledger.begin() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else _project(row._mapping)


def project_row(ledger: Ledger, key: str) -> ProjectRow | None:
    """Return a project by its key."""
    with ledger.begin() as connection:
        row = connection.execute(
            select(studio_projects).where(studio_projects.c.project == key)
        ).one_or_none()
    return None if row is None else _project(row._mapping)


def save_project(ledger: Ledger, row: ProjectRow) -> None:
    """Remember a project; one known already gets the title and codebook, and is pulled in full next time."""
    values = {"title": row.title, "codebook": row.codebook, "pulled_until": None}
    with ledger.begin() as connection:
        found = connection.execute(
            update(studio_projects).where(studio_projects.c.project == row.key).values(**values)
        )
        if not found.rowcount:
            connection.execute(
                insert(studio_projects).values(project=row.key, created_at=row.created_at, **values)
            )


def task_rows(ledger: Ledger, project: str) -> dict[Key, TaskRow]:
    """Return the tasks of a project by post and revision."""
    columns = [studio_tasks.c[name] for name in TaskRow.__dataclass_fields__]
    with ledger.begin() as connection:
        rows = connection.execute(select(*columns).where(studio_tasks.c.project == project)).all()
    return {(row.post_id, row.revision): TaskRow(*row) for row in rows}


def n_unpushed(ledger: Ledger, project: str, *, include_duplicates: bool) -> int:
    """Return how many current posts have no task in a project."""
    task = and_(
        studio_tasks.c.project == project,
        studio_tasks.c.post_id == posts.c.post_id,
        studio_tasks.c.revision == posts.c.revision,
    )
    query = select(func.count()).select_from(posts.outerjoin(studio_tasks, task))
    query = query.where(studio_tasks.c.post_id.is_(None))
    if not include_duplicates:
        query = query.where(posts.c.duplicate_of.is_(None))
    with ledger.begin() as connection:
        return int(connection.scalar(query) or 0)


def superseded(ledger: Ledger, project: str) -> list[TaskRow]:
    """Return the tasks that show an older text of a post that has been edited."""
    columns = [studio_tasks.c[name] for name in TaskRow.__dataclass_fields__]
    joined = studio_tasks.join(posts, studio_tasks.c.post_id == posts.c.post_id)
    query = (
        select(*columns)
        .select_from(joined)
        .where(studio_tasks.c.project == project, studio_tasks.c.revision != posts.c.revision)
        .where(studio_tasks.c.task_id.is_not(None), studio_tasks.c.deleted_at.is_(None))
    )
    with ledger.begin() as connection:
        return [TaskRow(*row) for row in connection.execute(query).all()]


def announce(ledger: Ledger, project: str, keys: Sequence[Key], lock: StudioLock) -> None:
    """Note, before Label Studio is called, that tasks are about to be made."""
    moment = now()
    rows = [
        {"project": project, "post_id": post_id, "revision": revision, "pushed_at": moment}
        for post_id, revision in keys
    ]
    with ledger.begin() as connection:
        lock.renew(connection)
        connection.execute(insert(studio_tasks), rows)


def confirm(ledger: Ledger, project: str, numbers: Mapping[Key, int]) -> None:
    """Note the numbers of tasks that were announced."""
    with ledger.begin() as connection:
        set_numbers(connection, project, numbers)
        connection.execute(
            update(studio_projects).where(studio_projects.c.project == project).values(pushed_at=now())
        )


def set_numbers(connection: Connection, project: str, numbers: Mapping[Key, int]) -> None:
    """Give rows of tasks their number and mark them as being there."""
    if numbers:
        statement = _where_key(project).values(task_id=bindparam("number"), deleted_at=None)
        connection.execute(
            statement,
            [{"post": key[0], "rev": key[1], "number": number} for key, number in numbers.items()],
        )


def forget(ledger: Ledger, project: str, keys: Collection[Key]) -> None:
    """Remove rows: the task was announced and never made, or has been deleted by us without any label."""
    statement = delete(studio_tasks).where(
        studio_tasks.c.project == project,
        studio_tasks.c.post_id == bindparam("post"),
        studio_tasks.c.revision == bindparam("rev"),
    )
    with ledger.begin() as connection:
        if keys:
            connection.execute(statement, [{"post": key[0], "rev": key[1]} for key in keys])


def adopt(connection: Connection, project: str, numbers: Mapping[Key, int]) -> set[Key]:
    """Add rows for tasks of ours that the caller found none for, where the ledger has the post; return which."""
    known = _present(connection, revisions, numbers)
    # A push may have made the row since the caller looked.
    rows = _present(connection, studio_tasks, known, studio_tasks.c.project == project)
    moment = now()
    fresh = [
        {"project": project, "post_id": post, "revision": rev, "task_id": numbers[post, rev]}
        for post, rev in sorted(known - rows)
    ]
    if fresh:
        connection.execute(insert(studio_tasks).values(pushed_at=moment), fresh)
    set_numbers(connection, project, {key: numbers[key] for key in rows})
    return known


def _present(
    connection: Connection, table: Table, keys: Collection[Key], *where: ColumnElement[bool]
) -> set[Key]:
    found: set[Key] = set()
    for chunk in chunks(keys, _CHUNK // 2):
        wanted = [and_(table.c.post_id == post, table.c.revision == rev) for post, rev in chunk]
        rows = connection.execute(select(table.c.post_id, table.c.revision).where(or_(*wanted), *where))
        found |= {(row.post_id, row.revision) for row in rows}
    return found


def _where_key(project: str) -> Update:
    return update(studio_tasks).where(
        studio_tasks.c.project == project,
        studio_tasks.c.post_id == bindparam("post"),
        studio_tasks.c.revision == bindparam("rev"),
    )


def _project(row: RowMapping) -> ProjectRow:
    values = {name: row[name] for name in ProjectRow.__dataclass_fields__ if name != "key"}
    return ProjectRow(key=str(row["project"]), **values)
