"""What an erasure would take with it, found before anything is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from annotations.errors import LedgerError
from annotations.ledger.erasures import erasures_of
from annotations.ledger.store import Ledger
from annotations.ledger.studio_tasks import chunks
from annotations.ledger.tables import (
    erasures,
    imports,
    metadata,
    near_duplicates,
    posts,
    revisions,
    studio_annotations,
    studio_tasks,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePlan:
    """What an erasure takes with it, found before anything is touched.

    Attributes
    ----------
    posts
        What is erased: the posts asked for, and their copies where that is wanted.
    already
        Posts asked for that were erased before, with the time.
    copies
        Posts with the same text in any revision, and near-duplicates, that are not erased.
    rows
        How many rows of each table go.
    texts
        Every text of the posts, clean and as received, to look for elsewhere; never shown.
    files
        The files that the posts were imported from.
    labelled_since
        When the first annotation on them was made; None where there is none.
    projects
        The projects of Label Studio that have, or had, a task of them.
    """

    posts: tuple[str, ...]
    already: Mapping[str, str]
    copies: tuple[str, ...]
    rows: Mapping[str, int]
    texts: tuple[str, ...]
    files: tuple[str, ...]
    labelled_since: str | None
    projects: tuple[str, ...]


def plan_erasure(ledger: Ledger, post_ids: Sequence[str], *, copies: bool = False) -> ErasurePlan:
    """Find what an erasure of posts would take with it.

    Raises
    ------
    LedgerError
        The ledger has never had one of the posts.
    """
    wanted = set(post_ids)
    with ledger.begin() as connection:
        known = set(matching(connection, posts.c.post_id, posts.c.post_id, wanted))
        already = {each.post_id: each.erased_at for each in erasures_of(connection, wanted - known)}
        if unknown := sorted(wanted - known - already.keys()):
            raise LedgerError(
                f"has no post {unknown[0]!r}" + (f" (and {len(unknown) - 1} more)" if unknown[1:] else ""),
                where=ledger.where,
                hint="Nothing was erased. `talkingpoints posts` lists posts with their ids, CHANNEL/NUMBER.",
            )
        alike = _copies(connection, known)
        chosen = known | alike if copies else known
        return ErasurePlan(
            posts=tuple(sorted(chosen)),
            already=already,
            copies=tuple(sorted(alike - chosen)),
            rows=dict(sum(row_counts_of(connection, chosen).values(), Counter[str]())),
            texts=tuple(texts_of(connection, chosen)),
            files=tuple(_files(connection, chosen)),
            labelled_since=_labelled_since(connection, chosen),
            projects=tuple(sorted(_projects(connection, chosen))),
        )


def row_counts_of(connection: Connection, post_ids: Collection[str]) -> dict[str, Counter[str]]:
    """Return, for every post, how many rows of each table are its own."""
    counts: dict[str, Counter[str]] = {post_id: Counter() for post_id in post_ids}
    for table in metadata.sorted_tables:
        if table is erasures or "post_id" not in table.c:
            continue
        for chunk in chunks(sorted(post_ids)):
            query = select(table.c.post_id, func.count()).where(table.c.post_id.in_(chunk))
            for post_id, number in connection.execute(query.group_by(table.c.post_id)):
                counts[post_id][table.name] += number
    return counts


def texts_of(connection: Connection, post_ids: Collection[str]) -> list[str]:
    """Return every text of some posts, clean and as received."""
    found: dict[str, None] = {}
    for chunk in chunks(sorted(post_ids)):
        query = select(revisions.c.text, revisions.c.raw).where(revisions.c.post_id.in_(chunk))
        for clean, raw in connection.execute(query):
            found |= dict.fromkeys(each for each in (clean, raw) if isinstance(each, str))
    return list(found)


def homes_of(connection: Connection, post_ids: Collection[str]) -> set[tuple[str, str]]:
    """Return the projects that a post has, or had, a task in, with the post."""
    found: set[tuple[str, str]] = set()
    for table in (studio_tasks, studio_annotations):
        for chunk in chunks(sorted(post_ids)):
            query = select(table.c.project, table.c.post_id).where(table.c.post_id.in_(chunk)).distinct()
            found |= {(row.project, row.post_id) for row in connection.execute(query)}
    return found


def tasks_of(connection: Connection, post_ids: Collection[str]) -> set[tuple[str, int]]:
    """Return the tasks that show, or showed, some posts: project and number."""
    found: set[tuple[str, int]] = set()
    for table in (studio_tasks, studio_annotations):
        for chunk in chunks(sorted(post_ids)):
            query = select(table.c.project, table.c.task_id).where(
                table.c.post_id.in_(chunk), table.c.task_id.is_not(None)
            )
            found |= {(row.project, row.task_id) for row in connection.execute(query)}
    return found


def matching(
    connection: Connection, wanted: ColumnElement[Any], column: ColumnElement[Any], values: Collection[Any]
) -> Iterator[Any]:
    """Yield one column of the rows in which another has one of some values."""
    for chunk in chunks(sorted(values)):
        yield from connection.scalars(select(wanted).where(column.in_(chunk)))


def _copies(connection: Connection, post_ids: set[str]) -> set[str]:
    """Return the other posts that share a text with the posts or are in a cluster with them, and with those."""
    found: set[str] = set()
    fresh = set(post_ids)
    while fresh:
        texts = set(matching(connection, revisions.c.revision, revisions.c.post_id, fresh))
        alike = set(matching(connection, revisions.c.post_id, revisions.c.revision, texts))
        clusters = set(matching(connection, near_duplicates.c.cluster, near_duplicates.c.post_id, fresh))
        alike |= set(matching(connection, near_duplicates.c.post_id, near_duplicates.c.cluster, clusters))
        fresh = alike - post_ids - found
        found |= fresh
    return found


def _files(connection: Connection, post_ids: Collection[str]) -> list[str]:
    runs = set(matching(connection, revisions.c.import_id, revisions.c.post_id, post_ids))
    return sorted(set(matching(connection, imports.c.file, imports.c.import_id, runs)))


def _labelled_since(connection: Connection, post_ids: Collection[str]) -> str | None:
    table = studio_annotations.c
    moments = [str(each) for each in matching(connection, table.updated_at, table.post_id, post_ids)]
    for received in matching(connection, table.received, table.post_id, post_ids):
        created = received.get("created_at") if isinstance(received, dict) else None
        moments += [created] if isinstance(created, str) else []
    return min(moments, default=None)


def _projects(connection: Connection, post_ids: Collection[str]) -> set[str]:
    return {project for project, _ in homes_of(connection, post_ids)}
