"""What the ledger knows from Label Studio: annotations as records, their authors, counts for ``status``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from annotations.labels import annotation_from_dict
from annotations.ledger.store import Ledger
from annotations.ledger.tables import (
    annotators,
    ledger_info,
    posts,
    studio_annotations,
    studio_projects,
    studio_tasks,
)
from annotations.records import Annotation

_PENDING = "studio_project_pending:"
_READABLE = (studio_annotations.c.deleted_at.is_(None), studio_annotations.c.parsed.is_not(None))


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """A live annotation; ``is_stale`` says that the post's text has changed since."""

    annotation: Annotation
    project: str
    annotation_id: int
    updated_at: str
    is_stale: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudioCounts:
    """What ``status`` shows of Label Studio."""

    n_tasks: int
    n_annotations: int
    by_annotator: Mapping[str, int]
    n_stale: int
    n_problems: int
    n_deleted: int
    pushed_at: str | None
    pulled_at: str | None


def stored_annotations(
    ledger: Ledger, project: str | None = None, *, stale: bool = False, pseudonyms: bool = False
) -> list[Annotation]:
    """Return the annotations that count: live, readable, the latest of each annotator on a revision.

    Parameters
    ----------
    ledger
        Where they were pulled to.
    project
        The key of one project; every project by default.
    stale
        Return those made on a text that the post no longer has, instead of those on the present one.
    pseudonyms
        Name the annotators ``annotator-1``, ``annotator-2``, the same every time.
    """
    found = latest_annotations(ledger, project, pseudonyms=pseudonyms)
    return [each.annotation for each in found if each.is_stale is stale]


def latest_annotations(
    ledger: Ledger,
    project: str | None = None,
    *,
    pseudonyms: bool = False,
    post_ids: Sequence[str] | None = None,
) -> list[StoredAnnotation]:
    """Return the live annotations, stale ones too, with where they come from; by post and annotator.

    ``post_ids`` (some hundreds at most) limits them to those of some posts.
    """
    latest: dict[tuple[str, str, str], StoredAnnotation] = {}
    for stored in _live(ledger, project, pseudonyms, post_ids):
        annotation = stored.annotation
        key = (annotation.post_id, annotation.revision, annotation.annotator)
        other = latest.get(key)
        if other is None or (other.updated_at, other.annotation_id) < (
            stored.updated_at,
            stored.annotation_id,
        ):
            latest[key] = stored
    return [latest[key] for key in sorted(latest)]


def has_annotations(ledger: Ledger) -> bool:
    """Tell whether there is any live annotation that could be read."""
    query = select(studio_annotations.c.annotation_id).where(*_READABLE).limit(1)
    with ledger.begin() as connection:
        return connection.scalar(query) is not None


def annotated_posts_unknown(ledger: Ledger) -> list[str]:
    """Return the ids of posts that have annotations and are not in the ledger, sorted."""
    query = (
        select(studio_annotations.c.post_id)
        .distinct()
        .select_from(studio_annotations.outerjoin(posts, posts.c.post_id == studio_annotations.c.post_id))
        .where(posts.c.post_id.is_(None), *_READABLE)
    )
    with ledger.begin() as connection:
        return sorted(connection.scalars(query))


def studio_counts(ledger: Ledger, project: str | None = None) -> StudioCounts:
    """Return the counts of one project, or of all."""
    counted = latest_annotations(ledger, project)
    here = [studio_annotations.c.project == project] if project else []
    with ledger.begin() as connection:
        tasks = select(func.count()).where(
            studio_tasks.c.task_id.is_not(None), studio_tasks.c.deleted_at.is_(None)
        )
        if project:
            tasks = tasks.where(studio_tasks.c.project == project)
        deleted = select(func.count()).where(studio_annotations.c.deleted_at.is_not(None), *here)
        times = select(func.max(studio_projects.c.pushed_at), func.max(studio_projects.c.pulled_at))
        if project:
            times = times.where(studio_projects.c.project == project)
        pushed_at, pulled_at = connection.execute(times).one()
        n_tasks, n_deleted = connection.scalar(tasks) or 0, connection.scalar(deleted) or 0
    return StudioCounts(
        n_tasks=n_tasks,
        n_annotations=len(counted),
        by_annotator=dict(sorted(Counter(each.annotation.annotator for each in counted).items())),
        n_stale=sum(each.is_stale for each in counted),
        n_problems=sum(bool(each.problems) for each in counted),
        n_deleted=n_deleted,
        pushed_at=pushed_at,
        pulled_at=pulled_at,
    )


def annotator_names(ledger: Ledger, project: str) -> dict[int, str]:
    """Return the names in files of a project's users, by user number."""
    query = select(annotators.c.user_id, annotators.c.name).where(annotators.c.project == project)
    with ledger.begin() as connection:
        return {row.user_id: row.name for row in connection.execute(query)}


def remember_annotators(
    ledger: Ledger, project: str, accounts: Mapping[int, str], names: Mapping[str, str]
) -> dict[int, str]:
    """Give every account a name in files, once, and return the names by user number.

    Parameters
    ----------
    ledger
        Where names are kept.
    project
        The key of the project.
    accounts
        Addresses by user number.
    names
        Chosen names by address. Without one it is the part before the ``@``; where somebody else has that
        already, the whole address.
    """
    with ledger.begin() as connection:
        rows = connection.execute(select(annotators)).all()
        known = {row.user_id: row for row in rows if row.project == project}
        taken = {row.name: row.account for row in rows}
        pseudonyms = {row.name: row.pseudonym for row in rows}
        for user_id, account in sorted(accounts.items()):
            name = names.get(account) or _default_name(account, taken)
            if user_id in known:
                if account in names and known[user_id].name != name:
                    _rename(connection, project, user_id, name)
                continue
            taken[name] = account
            pseudonym = pseudonyms.setdefault(name, f"annotator-{len(set(pseudonyms.values())) + 1}")
            connection.execute(
                insert(annotators).values(
                    project=project, user_id=user_id, account=account, name=name, pseudonym=pseudonym
                )
            )
    return annotator_names(ledger, project)


def pending_project(ledger: Ledger, server: str) -> str | None:
    """Return the mark of a project whose making was announced and not finished."""
    query = select(ledger_info.c.value).where(ledger_info.c.key == _PENDING + server)
    with ledger.begin() as connection:
        return connection.scalar(query)


def remember_pending_project(ledger: Ledger, server: str, mark: str | None) -> None:
    """Announce the making of a project under a mark; None: it is finished."""
    with ledger.begin() as connection:
        connection.execute(delete(ledger_info).where(ledger_info.c.key == _PENDING + server))
        if mark is not None:
            connection.execute(insert(ledger_info).values(key=_PENDING + server, value=mark))


def _live(
    ledger: Ledger, project: str | None, pseudonyms: bool, post_ids: Sequence[str] | None
) -> Iterator[StoredAnnotation]:
    name = annotators.c.pseudonym if pseudonyms else annotators.c.name
    joined = studio_annotations.outerjoin(
        annotators,
        (annotators.c.project == studio_annotations.c.project)
        & (annotators.c.user_id == studio_annotations.c.user_id),
    ).outerjoin(posts, posts.c.post_id == studio_annotations.c.post_id)
    query = (
        select(
            studio_annotations.c.project,
            studio_annotations.c.annotation_id,
            studio_annotations.c.updated_at,
            studio_annotations.c.parsed,
            studio_annotations.c.problems,
            name.label("name"),
            posts.c.revision.label("present"),
        )
        .select_from(joined)
        .where(*_READABLE)
    )
    if project is not None:
        query = query.where(studio_annotations.c.project == project)
    if post_ids is not None:
        query = query.where(studio_annotations.c.post_id.in_(post_ids))
    with ledger.begin() as connection:
        rows = connection.execute(query).mappings().all()
    yield from map(_stored, rows)


def _stored(row: RowMapping) -> StoredAnnotation:
    annotation = annotation_from_dict(row["parsed"])
    if row["name"]:
        annotation = replace(annotation, annotator=row["name"])
    return StoredAnnotation(
        annotation=annotation,
        project=row["project"],
        annotation_id=row["annotation_id"],
        updated_at=row["updated_at"],
        is_stale=row["present"] is not None and row["present"] != annotation.revision,
        problems=tuple(row["problems"]),
    )


def _default_name(account: str, taken: Mapping[str, str]) -> str:
    short = account.partition("@")[0] or account
    return short if taken.get(short, account) == account else account


def _rename(connection: Connection, project: str, user_id: int, name: str) -> None:
    connection.execute(
        update(annotators)
        .where(annotators.c.project == project, annotators.c.user_id == user_id)
        .values(name=name)
    )
