"""Samples in the ledger: what may be drawn, what was drawn and why, and the order in which it is to be annotated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from annotations.ledger.store import Ledger, now
from annotations.ledger.tables import near_duplicates, posts, sample_posts, samples, studio_annotations

Key = tuple[str, str]
"""(post_id, revision)."""

_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class SampledPost:
    """A post of a sample.

    ``inclusion_probability`` is that of the random quota's design, None for a post that was chosen;
    ``n_alike`` posts of the pool are nearly the same, this one among them, and only it is annotated;
    ``overlap`` annotators are to read it.
    """

    post_id: str
    revision: str
    quota: str
    position: int
    inclusion_probability: float | None
    n_alike: int
    overlap: int

    @property
    def key(self) -> Key:
        """The post and its revision."""
        return self.post_id, self.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRecord:
    """How a sample was made; ``n_pool`` clusters with ``n_pool_posts`` posts could be drawn."""

    seed: int
    codebook: str
    model_version: str | None
    n_pool: int
    n_pool_posts: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolPost:
    """A current post with its cluster of near-duplicates (of exact copies, where no more is known).

    ``is_used`` says that the post, in any revision, was annotated or drawn before.
    """

    post_id: str
    revision: str
    cluster: str
    is_used: bool


def pool_posts(ledger: Ledger) -> list[PoolPost]:
    """Return all current posts by post id, with their clusters and whether they have been used."""
    original = func.coalesce(near_duplicates.c.cluster, posts.c.duplicate_of, posts.c.post_id)
    query = (
        select(posts.c.post_id, posts.c.revision, posts.c.duplicate_of, original.label("cluster"))
        .select_from(posts.outerjoin(near_duplicates, near_duplicates.c.post_id == posts.c.post_id))
        .order_by(posts.c.post_id)
    )
    with ledger.begin() as connection:
        used = set(connection.scalars(select(sample_posts.c.post_id).distinct()))
        annotated = select(studio_annotations.c.post_id).where(studio_annotations.c.deleted_at.is_(None))
        used |= set(connection.scalars(annotated.distinct()))
        rows = connection.execute(query).all()
    # A copy of a post that itself is in a cluster belongs to that cluster.
    cluster = {row.post_id: row.cluster for row in rows}
    return [
        PoolPost(row.post_id, row.revision, cluster.get(row.duplicate_of, row.cluster), row.post_id in used)
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A sample as it was drawn: how many clusters were in the pool, when, and which posts it holds."""

    number: int
    made_at: datetime
    n_pool: int
    posts: tuple[SampledPost, ...]


def stored_samples(ledger: Ledger) -> list[StoredSample]:
    """Return all samples with their posts, older ones first."""
    columns = [sample_posts.c[name] for name in SampledPost.__dataclass_fields__]
    drawn: dict[int, list[SampledPost]] = {}
    with ledger.begin() as connection:
        made = connection.execute(select(samples).order_by(samples.c.sample)).all()
        query = select(sample_posts.c.sample, *columns).order_by(
            sample_posts.c.sample, sample_posts.c.position
        )
        for number, *values in connection.execute(query):
            drawn.setdefault(number, []).append(SampledPost(*values))
    return [
        StoredSample(
            row.sample, datetime.fromisoformat(row.made_at), row.n_pool, tuple(drawn.get(row.sample, ()))
        )
        for row in made
    ]


def first_annotated(ledger: Ledger) -> dict[str, datetime]:
    """Return when each post was first annotated, as far as Label Studio says."""
    columns = (studio_annotations.c.post_id, studio_annotations.c.received, studio_annotations.c.updated_at)
    found: dict[str, datetime] = {}
    with ledger.begin() as connection:
        for post_id, received, updated_at in connection.execute(select(*columns)):
            made = datetime.fromisoformat(str(received.get("created_at") or updated_at))
            found[post_id] = min(found.get(post_id, made), made)
    return found


def record_sample(ledger: Ledger, record: SampleRecord, chosen: Sequence[SampledPost]) -> int:
    """Store a sample and return its number."""
    with ledger.begin() as connection:
        values = {name: getattr(record, name) for name in SampleRecord.__dataclass_fields__}
        values["options"] = dict(record.options)
        number = connection.execute(insert(samples).values(made_at=now(), **values)).inserted_primary_key
        assert number is not None  # noqa: S101 - for the type checker: every database returns the key
        sample = int(number[0])
        rows = [
            {"sample": sample, **{name: getattr(each, name) for name in SampledPost.__dataclass_fields__}}
            for each in chosen
        ]
        for first in range(0, len(rows), _CHUNK):
            connection.execute(insert(sample_posts), rows[first : first + _CHUNK])
    return sample


def sampled_posts(ledger: Ledger) -> list[SampledPost]:
    """Return the posts of all samples in the order of annotation: older samples first."""
    return list(_sampled(ledger))


def n_samples(ledger: Ledger) -> int:
    """Return how many samples there are."""
    with ledger.begin() as connection:
        return int(connection.scalar(select(func.count()).select_from(samples)) or 0)


def _sampled(ledger: Ledger) -> Iterator[SampledPost]:
    columns = [sample_posts.c[name] for name in SampledPost.__dataclass_fields__]
    query = select(*columns).order_by(sample_posts.c.sample, sample_posts.c.position)
    with ledger.begin() as connection:
        rows = connection.execute(query).all()
    yield from (SampledPost(*row) for row in rows)
