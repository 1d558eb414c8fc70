"""Erasing posts on request: every row that holds them goes; a record that they were erased stays.

Tables are found by their columns: whatever a table keeps by ``post_id``, or by the task of a post, is erased.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)

from annotations.ledger.erasure_plan import ErasurePlan, homes_of, matching, row_counts_of, tasks_of, texts_of
from annotations.ledger.erasures import Erasure
from annotations.ledger.near_duplicates import leave_clusters
from annotations.ledger.recording import one_at_a_time
from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_tasks import chunks
from annotations.ledger.tables import (
    erasures,
    metadata,
    posts,
    refusals,
)

_QUOTE = re.compile(r"'((?:[^'\\]|\\.){6,})'|\"((?:[^\"\\]|\\.){6,})\"")
ERASED_QUOTE = "[erased]"


def erase_posts(ledger: Ledger, plan: ErasurePlan, reason: str) -> None:
    """Erase the posts of a plan in one transaction, and record it.

    Whoever erases removes their tasks from Label Studio next; until then the record says where they are pending.
    """
    with ledger.begin() as connection:
        _erase(connection, set(plan.posts), now(), reason)


def erase_again(connection: Connection, done: Iterable[Erasure]) -> list[str]:
    """Erase, in a ledger of an earlier time, what was erased since; return the posts that it still had."""
    before = set(connection.scalars(select(erasures.c.post_id)))
    again = []
    for each in done:
        if each.post_id in before:
            continue
        here = list(matching(connection, posts.c.post_id, posts.c.post_id, {each.post_id}))
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
    counts = row_counts_of(connection, post_ids)
    tasks = tasks_of(connection, post_ids)
    pending: dict[str, list[str]] = {post_id: [] for post_id in post_ids}
    for project, post_id in homes_of(connection, post_ids):
        pending[post_id].append(project)
    quotes = _without_quotes(connection, texts_of(connection, post_ids))
    _name_other_owners(connection, post_ids)
    leave_clusters(connection, sorted(post_ids))
    for table in reversed(metadata.sorted_tables):
        if table is erasures:
            continue
        for chunk in chunks(sorted(post_ids)):
            if "post_id" in table.c:
                connection.execute(delete(table).where(table.c.post_id.in_(chunk)))
        if "post_id" not in table.c and {"project", "task_id"} <= set(table.c.keys()):
            for part in chunks(sorted(tasks)):
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
    for chunk in chunks(sorted(post_ids)):
        query = select(posts.c.duplicate_of, posts.c.first_import, posts.c.post_id)
        for owner, first, post_id in connection.execute(query.where(posts.c.duplicate_of.in_(chunk))):
            if post_id not in post_ids:
                groups.setdefault(owner, []).append((first, post_id))
    for members in groups.values():
        head = min(members)[1]
        for _, post_id in members:
            owner = None if post_id == head else head
            connection.execute(update(posts).where(posts.c.post_id == post_id).values(duplicate_of=owner))


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
