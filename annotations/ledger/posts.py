"""Posts in the ledger: recorded in batches, read back in a stable order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, tuple_

from annotations.ledger.store import Ledger
from annotations.ledger.tables import erasures, imports, near_duplicates, posts, refusals, revisions
from annotations.records import Post

_PAGE = 1_000
_AT_ONCE = 400  # below every database's limit of bound values


@dataclass(frozen=True, slots=True)
class StoredPost:
    """A post with its current text.

    ``duplicate_of`` is another post, the first seen with the same text; ``cluster`` is the name that
    near-duplicates share, the first of their post ids.
    """

    post: Post
    duplicate_of: str | None
    cluster: str | None = None


def current_posts(
    ledger: Ledger,
    *,
    channels: Collection[str] | None = None,
    limit: int | None = None,
    include_duplicates: bool = True,
    one_per_cluster: bool = False,
) -> Iterator[StoredPost]:
    """Yield the posts by date (those without one last) and post id.

    ``one_per_cluster`` leaves out all near-duplicates but the one that names their cluster.

    They are read a page at a time, each in a transaction of its own, so that the caller may write to the
    ledger between two of them.
    """
    wanted: list[ColumnElement[bool]] = []
    if channels is not None:
        wanted.append(posts.c.channel.in_(channels))
    if not include_duplicates:
        wanted.append(posts.c.duplicate_of.is_(None))
    if one_per_cluster:
        cluster = near_duplicates.c.cluster
        wanted.append(or_(cluster.is_(None), cluster == posts.c.post_id))
    yield from _pages(ledger, wanted, limit)


def posts_since(ledger: Ledger, since: datetime) -> Iterator[StoredPost]:
    """Yield the posts published at a moment or later, by date and post id; read as by :func:`current_posts`."""
    yield from _pages(ledger, [posts.c.date >= since.astimezone(UTC).isoformat()], None)


def _pages(ledger: Ledger, wanted: list[ColumnElement[bool]], limit: int | None) -> Iterator[StoredPost]:
    left = limit
    for dated in (True, False):
        last: tuple[str, str] | None = None
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            with ledger.begin() as connection:
                rows = connection.execute(_page(wanted, dated, last).limit(size)).all()
            yield from map(_stored, rows)
            left = None if left is None else left - len(rows)
            if len(rows) < size:
                break
            last = (rows[-1].date or "", rows[-1].post_id)


def chosen_posts(ledger: Ledger, post_ids: Sequence[str]) -> Iterator[StoredPost]:
    """Yield posts by their ids, in the order of ``post_ids``; what is not in the ledger is left out."""
    for first in range(0, len(post_ids), _AT_ONCE):
        wanted = post_ids[first : first + _AT_ONCE]
        found: dict[str, StoredPost] = {}
        for dated in (True, False):
            with ledger.begin() as connection:
                rows = connection.execute(_page([posts.c.post_id.in_(wanted)], dated, None)).all()
            found |= {row.post_id: _stored(row) for row in rows}
        yield from (found[post_id] for post_id in wanted if post_id in found)


def latest_date(ledger: Ledger) -> datetime | None:
    """Return when the last post was published; None where no post has a date."""
    with ledger.begin() as connection:
        return _moment(connection.scalar(select(func.max(posts.c.date))))


def post_counts(ledger: Ledger) -> dict[str, int]:
    """Return how many posts, revisions, channels, duplicates, imports and refused messages there are.

    ``near_duplicates`` counts the posts that are in one of the ``clusters``, ``erased`` those erased on request.
    """
    queries: Mapping[str, Select[Any]] = {
        "posts": select(func.count()).select_from(posts),
        "revisions": select(func.count()).select_from(revisions),
        "channels": select(func.count(posts.c.channel.distinct())),
        "duplicates": select(func.count(posts.c.duplicate_of)),
        "near_duplicates": select(func.count()).select_from(near_duplicates),
        "clusters": select(func.count(near_duplicates.c.cluster.distinct())),
        "erased": select(func.count()).select_from(erasures),
        "imports": select(func.count()).select_from(imports),
        "refused": select(func.count()).select_from(refusals),
    }
    with ledger.begin() as connection:
        return {name: int(connection.scalar(query) or 0) for name, query in queries.items()}


def _page(wanted: list[ColumnElement[bool]], dated: bool, last: tuple[str, str] | None) -> Select[Any]:
    here = list(wanted)
    here.append(posts.c.date.is_not(None) if dated else posts.c.date.is_(None))
    if last is not None and dated:
        here.append(tuple_(posts.c.date, posts.c.post_id) > last)
    elif last is not None:
        here.append(posts.c.post_id > last[1])
    alike = near_duplicates.c.post_id == posts.c.post_id
    current = and_(revisions.c.post_id == posts.c.post_id, revisions.c.revision == posts.c.revision)
    return (
        select(posts, revisions.c.text, revisions.c.raw, revisions.c.edited_at, near_duplicates.c.cluster)
        .select_from(posts.join(revisions, current).outerjoin(near_duplicates, alike))
        .where(*here)
        .order_by(posts.c.date, posts.c.post_id)
    )


def _stored(row: Row[Any]) -> StoredPost:
    post = Post(
        channel=row.channel,
        message_id=row.message_id,
        text=row.text,
        raw=row.raw,
        date=_moment(row.date),
        edited_at=_moment(row.edited_at),
        lang=row.lang,
        forwarded_from=row.forwarded_from,
        reply_to=row.reply_to,
        hashtags=tuple(row.hashtags),
        links=tuple(row.links),
        media=tuple(row.media),
        views=row.views,
        forwards=row.forwards,
        reactions=dict(row.reactions),
    )
    return StoredPost(post, row.duplicate_of, row.cluster)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
