"""Posts that somebody asked to have annotated: recorded like imported ones, and marked, in one transaction.

Near-duplicates among them are found by the next import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, select

from annotations.ledger.recording import ERASED, one_at_a_time, record_posts
from annotations.ledger.store import Ledger, among, now
from annotations.ledger.tables import (
    erasures,
    imports,
    posts,
    queued_posts,
    studio_annotations,
    studio_tasks,
)
from annotations.records import Post

KNOWN = "known"
"""The outcome of a post that was named by its id: it was in the ledger before."""
STORED, SENT, ANNOTATED, ERASED_SINCE = "stored", "sent", "annotated", "erased"


@dataclass(frozen=True, slots=True)
class QueuedPost:
    """A post of a ticket.

    ``outcome`` says what recording it was; ``state`` is ``stored`` (not yet in Label Studio), ``sent``,
    ``annotated`` (its present text, by anybody) or ``erased``.
    """

    position: int
    post_id: str
    outcome: str
    state: str


@dataclass(frozen=True, slots=True)
class Unqueueable:
    """A post that cannot be queued: its place in the request, and whether it was erased or never known."""

    position: int
    is_erased: bool


def find_unqueueable(connection: Connection, wanted: Sequence[Post | str]) -> list[Unqueueable]:
    """Return which of some posts, given whole or by their ids, cannot be queued."""
    one_at_a_time(connection)  # until the end of the transaction, in which they are then queued
    ids = [each if isinstance(each, str) else each.post_id for each in wanted]
    gone = set(
        connection.scalars(select(erasures.c.post_id).where(among(connection, erasures.c.post_id, set(ids))))
    )
    named = {each for each in wanted if isinstance(each, str)}
    known = set(
        connection.scalars(select(posts.c.post_id).where(among(connection, posts.c.post_id, named)))
        if named
        else ()
    )
    return [
        Unqueueable(position, post_id in gone)
        for position, post_id in enumerate(ids)
        if post_id in gone or (isinstance(wanted[position], str) and post_id not in known)
    ]


def queue_posts(
    connection: Connection, ticket: str, wanted: Sequence[Post | str], source: str
) -> list[QueuedPost]:
    """Record posts and mark them to be annotated; see :func:`find_unqueueable` for what must not be among them.

    ``source`` is what the ledger says of where they are from.
    """
    moment = now()
    whole = [each for each in wanted if isinstance(each, Post)]
    outcomes = iter(_recorded(connection, whole, source, moment) if whole else ())
    rows = [
        {
            "ticket": ticket,
            "position": position,
            "post_id": each if isinstance(each, str) else each.post_id,
            "outcome": KNOWN if isinstance(each, str) else next(outcomes),
            "queued_at": moment,
        }
        for position, each in enumerate(wanted)
    ]
    connection.execute(insert(queued_posts), rows)
    return queued_of(connection, ticket)


def queued_of(connection: Connection, ticket: str) -> list[QueuedPost]:
    """Return the posts of a ticket in their order; none where there is no such ticket."""
    annotated = exists().where(
        studio_annotations.c.post_id == posts.c.post_id,
        studio_annotations.c.revision == posts.c.revision,
        studio_annotations.c.deleted_at.is_(None),
    )
    query = (
        select(queued_posts, posts.c.revision, _is_sent().label("sent"), annotated.label("annotated"))
        .select_from(queued_posts.outerjoin(posts, posts.c.post_id == queued_posts.c.post_id))
        .where(queued_posts.c.ticket == ticket)
        .order_by(queued_posts.c.position)
    )
    found = []
    for row in connection.execute(query):
        state = ANNOTATED if row.annotated else SENT if row.sent else STORED
        state = ERASED_SINCE if row.revision is None else state
        found.append(QueuedPost(row.position, row.post_id, row.outcome, state))
    return found


def queued_post_ids(ledger: Ledger) -> list[str]:
    """Return the posts that were asked for, once each, the first asked first."""
    query = (
        select(queued_posts.c.post_id)
        .group_by(queued_posts.c.post_id)
        .order_by(func.min(queued_posts.c.queued_at), func.min(queued_posts.c.position))
    )
    with ledger.reading() as connection:
        return list(connection.scalars(query))


def has_unsent(ledger: Ledger, project: str) -> bool:
    """Tell whether a post was asked for whose present text has no task in a project, announced or made."""
    task = and_(
        studio_tasks.c.project == project,
        studio_tasks.c.post_id == posts.c.post_id,
        studio_tasks.c.revision == posts.c.revision,
        studio_tasks.c.task_id.is_not(None),
    )
    query = (
        select(queued_posts.c.post_id)
        .select_from(queued_posts.join(posts, posts.c.post_id == queued_posts.c.post_id))
        .where(~exists().where(task))
        .limit(1)
    )
    with ledger.reading() as connection:
        return connection.scalar(query) is not None


def _recorded(connection: Connection, whole: Sequence[Post], source: str, moment: str) -> list[str]:
    row = {"file": source, "format": "api", "started_at": moment, "counts": {}}
    number = connection.execute(insert(imports).values(row).returning(imports.c.import_id)).scalar_one()
    outcomes = record_posts(connection, number, whole)
    assert ERASED not in outcomes  # noqa: S101 - looked for in this very transaction
    counts = {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}
    done = {"counts": counts, "finished_at": moment}
    connection.execute(imports.update().where(imports.c.import_id == number).values(done))
    return outcomes


def _is_sent() -> ColumnElement[bool]:
    """Tell whether the present text of a post has a task in any project."""
    return exists().where(
        studio_tasks.c.post_id == posts.c.post_id,
        studio_tasks.c.revision == posts.c.revision,
        studio_tasks.c.task_id.is_not(None),
        studio_tasks.c.deleted_at.is_(None),
    )
