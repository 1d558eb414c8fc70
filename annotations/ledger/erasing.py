"""Erasing posts on request: every row that holds them goes; a record that they were erased stays.

Tables are found by their columns: whatever a table keeps by ``post_id``, or by the task of a post, is erased.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    update,
)

from annotations.errors import LedgerError
from annotations.ledger.recording import _one_at_a_time as one_at_a_time
from annotations.ledger.store import Ledger, now
from annotations.ledger.tables import (
    erasures,
    imports,
    ledger_info,
    metadata,
    near_duplicates,
    posts,
    refusals,
    revisions,
    studio_annotations,
    studio_tasks,
)

T = TypeVar("T")

_CHUNK = 400
_QUOTE = re.compile(r"'((?:[^'\\]|\\.){6,})'|\"((?:[^\"\\]|\\.){6,})\"")
ERASED_QUOTE = "[erased]"


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


@dataclass(frozen=True, slots=True)
class Erasure:
    """The record of an erased post."""

    post_id: str
    erased_at: str
    reason: str
    removed: Mapping[str, Any]

    @property
    def pending(self) -> tuple[str, ...]:
        """Projects of Label Studio in which the post may still be."""
        return tuple(self.removed.get("pending", ()))

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is left to be done about it: no task pending, and every database compacted."""
        compacted = self.removed.get("compacted", False) and self.removed.get("studio_compacted", True)
        return bool(compacted) and not self.pending


def plan_erasure(ledger: Ledger, post_ids: Sequence[str], *, copies: bool = False) -> ErasurePlan:
    """Find what an erasure of posts would take with it.

    Raises
    ------
    LedgerError
        The ledger has never had one of the posts.
    """
    wanted = set(post_ids)
    with ledger.begin() as connection:
        known = set(_matching(connection, posts.c.post_id, posts.c.post_id, wanted))
        already = {each.post_id: each.erased_at for each in _erasures(connection, wanted - known)}
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
            rows=dict(sum(_row_counts(connection, chosen).values(), Counter[str]())),
            texts=tuple(_texts(connection, chosen)),
            files=tuple(_files(connection, chosen)),
            labelled_since=_labelled_since(connection, chosen),
            projects=tuple(sorted(_projects(connection, chosen))),
        )


def erase_posts(ledger: Ledger, plan: ErasurePlan, reason: str) -> None:
    """Erase the posts of a plan in one transaction, and record it.

    Whoever erases removes their tasks from Label Studio next; until then the record says where they are pending.
    """
    with ledger.begin() as connection:
        _erase(connection, set(plan.posts), now(), reason)


def read_erasures(ledger: Ledger) -> list[Erasure]:
    """Return the records of all erased posts, the oldest first."""
    with ledger.begin() as connection:
        return _erasures(connection, None)


def erased_posts(ledger: Ledger) -> set[str]:
    """Return the ids of all erased posts."""
    with ledger.begin() as connection:
        return set(connection.scalars(select(erasures.c.post_id)))


def settle(ledger: Ledger, post_ids: Collection[str], changes: Mapping[str, Any]) -> None:
    """Bring records up to date with what has been done since.

    ``changes`` may hold ``project`` (no longer pending), ``studio_tasks`` (how many went, by post), and any
    other field of ``removed``, which is put in its place.
    """
    with ledger.begin() as connection:
        one_at_a_time(connection)
        rows = []
        for each in _erasures(connection, post_ids):
            removed = dict(each.removed)
            for name, value in changes.items():
                if name == "project":
                    removed["pending"] = [project for project in each.pending if project != value]
                elif name == "studio_tasks":
                    removed[name] = removed.get(name, 0) + value.get(each.post_id, 0)
                else:
                    removed[name] = value
            rows.append({"key": each.post_id, "new": removed})
        if rows:
            here = erasures.c.post_id == bindparam("key")
            connection.execute(update(erasures).where(here).values(removed=bindparam("new")), rows)


def erased_since(connection: Connection) -> list[Erasure]:
    """Return the records of a ledger that may be of an earlier release, which had none."""
    return _erasures(connection, None) if inspect(connection).has_table(erasures.name) else []


def erase_again(connection: Connection, done: Iterable[Erasure]) -> list[str]:
    """Erase, in a ledger of an earlier time, what was erased since; return the posts that it still had."""
    before = set(connection.scalars(select(erasures.c.post_id)))
    again = []
    for each in done:
        if each.post_id in before:
            continue
        here = list(_matching(connection, posts.c.post_id, posts.c.post_id, {each.post_id}))
        again += here
        if here:
            _erase(connection, set(here), each.erased_at, each.reason)
        else:
            row = {name: getattr(each, name) for name in Erasure.__dataclass_fields__}
            connection.execute(insert(erasures).values(row))
    return again


def _erase(connection: Connection, post_ids: set[str], moment: str, reason: str) -> None:
    one_at_a_time(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    counts = _row_counts(connection, post_ids)
    tasks = _tasks(connection, post_ids)
    pending: dict[str, list[str]] = {post_id: [] for post_id in post_ids}
    for project, post_id in _homes(connection, post_ids):
        pending[post_id].append(project)
    quotes = _without_quotes(connection, _texts(connection, post_ids))
    _name_other_owners(connection, post_ids)
    _name_other_clusters(connection, post_ids)
    for table in reversed(metadata.sorted_tables):
        if table is erasures:
            continue
        for chunk in _chunks(sorted(post_ids)):
            if "post_id" in table.c:
                connection.execute(delete(table).where(table.c.post_id.in_(chunk)))
        if "post_id" not in table.c and {"project", "task_id"} <= set(table.c.keys()):
            for part in _chunks(sorted(tasks)):
                connection.execute(delete(table).where(_these_tasks(table, part)))
    rows = [
        {
            "post_id": post_id,
            "erased_at": moment,
            "reason": reason,
            "removed": {
                "rows": dict(counts[post_id]),
                "quotes": quotes,
                "pending": sorted(pending[post_id]),
                "compacted": False,
            },
        }
        for post_id in sorted(post_ids)
    ]
    connection.execute(insert(erasures), rows)


def _copies(connection: Connection, post_ids: set[str]) -> set[str]:
    """Return the other posts that share a text with the posts or are in a cluster with them, and with those."""
    found: set[str] = set()
    fresh = set(post_ids)
    while fresh:
        texts = set(_matching(connection, revisions.c.revision, revisions.c.post_id, fresh))
        alike = set(_matching(connection, revisions.c.post_id, revisions.c.revision, texts))
        clusters = set(_matching(connection, near_duplicates.c.cluster, near_duplicates.c.post_id, fresh))
        alike |= set(_matching(connection, near_duplicates.c.post_id, near_duplicates.c.cluster, clusters))
        fresh = alike - post_ids - found
        found |= fresh
    return found


def _row_counts(connection: Connection, post_ids: Collection[str]) -> dict[str, Counter[str]]:
    """Return, for every post, how many rows of each table are its own."""
    counts: dict[str, Counter[str]] = {post_id: Counter() for post_id in post_ids}
    for table in metadata.sorted_tables:
        if table is erasures or "post_id" not in table.c:
            continue
        for chunk in _chunks(sorted(post_ids)):
            query = select(table.c.post_id, func.count()).where(table.c.post_id.in_(chunk))
            for post_id, number in connection.execute(query.group_by(table.c.post_id)):
                counts[post_id][table.name] += number
    return counts


def _texts(connection: Connection, post_ids: Collection[str]) -> list[str]:
    found: dict[str, None] = {}
    for chunk in _chunks(sorted(post_ids)):
        query = select(revisions.c.text, revisions.c.raw).where(revisions.c.post_id.in_(chunk))
        for clean, raw in connection.execute(query):
            found |= dict.fromkeys(each for each in (clean, raw) if isinstance(each, str))
    return list(found)


def _files(connection: Connection, post_ids: Collection[str]) -> list[str]:
    runs = set(_matching(connection, revisions.c.import_id, revisions.c.post_id, post_ids))
    return sorted(set(_matching(connection, imports.c.file, imports.c.import_id, runs)))


def _labelled_since(connection: Connection, post_ids: Collection[str]) -> str | None:
    table = studio_annotations.c
    moments = [str(each) for each in _matching(connection, table.updated_at, table.post_id, post_ids)]
    for received in _matching(connection, table.received, table.post_id, post_ids):
        created = received.get("created_at") if isinstance(received, dict) else None
        moments += [created] if isinstance(created, str) else []
    return min(moments, default=None)


def _projects(connection: Connection, post_ids: Collection[str]) -> set[str]:
    return {project for project, _ in _homes(connection, post_ids)}


def _homes(connection: Connection, post_ids: Collection[str]) -> set[tuple[str, str]]:
    """Return the projects that a post has, or had, a task in, with the post."""
    found: set[tuple[str, str]] = set()
    for table in (studio_tasks, studio_annotations):
        for chunk in _chunks(sorted(post_ids)):
            query = select(table.c.project, table.c.post_id).where(table.c.post_id.in_(chunk)).distinct()
            found |= {(row.project, row.post_id) for row in connection.execute(query)}
    return found


def _tasks(connection: Connection, post_ids: Collection[str]) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for table in (studio_tasks, studio_annotations):
        for chunk in _chunks(sorted(post_ids)):
            query = select(table.c.project, table.c.task_id).where(
                table.c.post_id.in_(chunk), table.c.task_id.is_not(None)
            )
            found |= {(row.project, row.task_id) for row in connection.execute(query)}
    return found


def _these_tasks(table: Table, tasks: Iterable[tuple[str, int]]) -> ColumnElement[bool]:
    by_project: dict[str, list[int]] = {}
    for project, task_id in tasks:
        by_project.setdefault(project, []).append(task_id)
    return or_(
        *(
            and_(table.c.project == project, table.c.task_id.in_(numbers))
            for project, numbers in by_project.items()
        )
    )


def _name_other_owners(connection: Connection, post_ids: set[str]) -> None:
    """Let the first of the copies that stay be the owner of a text whose owner goes."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for chunk in _chunks(sorted(post_ids)):
        query = select(posts.c.duplicate_of, posts.c.first_import, posts.c.post_id)
        for owner, first, post_id in connection.execute(query.where(posts.c.duplicate_of.in_(chunk))):
            if post_id not in post_ids:
                groups.setdefault(owner, []).append((first, post_id))
    for members in groups.values():
        head = min(members)[1]
        for _, post_id in members:
            owner = None if post_id == head else head
            connection.execute(update(posts).where(posts.c.post_id == post_id).values(duplicate_of=owner))


def _name_other_clusters(connection: Connection, post_ids: set[str]) -> None:
    """Name the clusters after a post that stays; one that stays alone is no cluster."""
    table = near_duplicates
    named = set(_matching(connection, table.c.cluster, table.c.post_id, post_ids))
    named |= set(_matching(connection, table.c.cluster, table.c.cluster, post_ids))
    for cluster in sorted(named):
        members = connection.scalars(select(table.c.post_id).where(table.c.cluster == cluster))
        staying = sorted(set(members) - post_ids)
        if len(staying) == 1:
            connection.execute(delete(table).where(table.c.post_id == staying[0]))
        elif staying and cluster in post_ids:
            connection.execute(update(table).where(table.c.cluster == cluster).values(cluster=staying[0]))


def _without_quotes(connection: Connection, texts: Sequence[str]) -> int:
    """Take quotes of the texts out of the reasons of refusals; return how many were changed."""
    escaped = [repr(each)[1:-1] for each in texts]
    changed = 0

    def replaced(match: re.Match[str]) -> str:
        quote = match[1] or match[2]
        is_ours = any(quote in each for each in texts) or any(quote in each for each in escaped)
        return f"'{ERASED_QUOTE}'" if is_ours else match[0]

    query = select(refusals.c.import_id, refusals.c.position, refusals.c.reason)
    quoting = or_(refusals.c.reason.contains("'"), refusals.c.reason.contains('"'))
    for import_id, position, reason in connection.execute(query.where(quoting)).all():
        new = _QUOTE.sub(replaced, reason)
        if new != reason:
            here = and_(refusals.c.import_id == import_id, refusals.c.position == position)
            connection.execute(update(refusals).where(here).values(reason=new))
            changed += 1
    return changed


def _erasures(connection: Connection, post_ids: Collection[str] | None) -> list[Erasure]:
    query = select(erasures).order_by(erasures.c.erased_at, erasures.c.post_id)
    if post_ids is None:
        return [Erasure(**row) for row in connection.execute(query).mappings()]
    return [
        Erasure(**row)
        for chunk in _chunks(sorted(post_ids))
        for row in connection.execute(query.where(erasures.c.post_id.in_(chunk))).mappings()
    ]


def _matching(
    connection: Connection, wanted: ColumnElement[Any], column: ColumnElement[Any], values: Collection[Any]
) -> Iterator[Any]:
    for chunk in _chunks(sorted(values)):
        yield from connection.scalars(select(wanted).where(column.in_(chunk)))


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def backups_made(ledger: Ledger, key: str) -> dict[str, str]:
    """Return the places of backups by the time they were taken; ``key`` begins their keys."""
    query = select(ledger_info.c.key, ledger_info.c.value).where(ledger_info.c.key.startswith(key))
    with ledger.begin() as connection:
        return {row.key.removeprefix(key): row.value for row in connection.execute(query)}
