"""Who said it first, who followed and after how long: chains of copied posts and of similar sentences.

A chain of *copies* is a cluster of near-duplicates of the ledger.  A chain of *sentences* are sentences that speak for
the same tag and are much alike, in posts that need not be; sentences whose posts are all copies of one another are in
the other list already.  Of a source (a channel) only the first post counts as a step.  First means: first among the
posts that were imported; what a post was forwarded from is told with it.

Sentences are compared by MinHash signatures (A. Z. Broder, "On the resemblance and containment of documents", 1997),
found by locality-sensitive hashing (P. Indyk, R. Motwani 1998), and linked through one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from annotations.records import Post
from annotations.signatures import PLACES, Signatures
from classifiers.trends.corpus import TaggedBatch
from classifiers.trends.passages import Passage, signed

ALIKE = 0.6
"""From which similarity on two sentences are the same claim in other words, or hardly other."""

_BAND = 3
_QUOTE = 300
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The first post of a source in a chain.

    ``hours`` is the time since the chain's first post; ``start`` and ``end`` are where the sentence stands, None for
    a copied post; ``n_posts`` counts the source's posts in the chain.
    """

    post_id: str
    channel: str
    date: str
    hours: float
    start: int | None
    end: int | None
    forwarded_from: str | None
    n_posts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What several posts say, in the order of time.

    ``kind`` is ``copies`` or ``sentences``; ``tags`` are those that its posts bear, or that its sentences speak
    for; ``quote`` is the beginning of the first post, or the first sentence.  ``n_undated`` posts have no date and no
    place in the order.
    """

    kind: str
    tags: tuple[str, ...]
    quote: str
    n_posts: int
    n_sources: int
    n_undated: int
    hours: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    post_id: str
    channel: str
    date: datetime | None
    forwarded_from: str | None
    start: int | None = None
    end: int | None = None

    @classmethod
    def of(cls, post: Post, passage: Passage | None = None) -> _Place:
        ends = (None, None) if passage is None else (passage.start, passage.end)
        return cls(post.post_id, post.channel, post.date, post.forwarded_from, *ends)


@dataclass(slots=True)
class _Cluster:
    places: list[_Place] = field(default_factory=list)
    columns: set[int] = field(default_factory=set)
    quote: str = ""
    first: tuple[bool, float, str] | None = None


class Copies:
    """Gathers near-duplicates that bear a tag while the batches of a corpus pass by."""

    def __init__(self, tag_ids: Sequence[str]) -> None:
        self._tag_ids = tuple(tag_ids)
        self._clusters: dict[str, _Cluster] = {}

    def add(self, batch: TaggedBatch) -> None:
        """Look at the posts of a batch."""
        yes = batch.yes
        for row, stored in enumerate(batch.posts):
            if stored.cluster is None:
                continue
            cluster = self._clusters.setdefault(stored.cluster, _Cluster())
            cluster.places.append(_Place.of(stored.post))
            cluster.columns.update(np.flatnonzero(yes[row]).tolist())
            order = _order(cluster.places[-1])
            if cluster.first is None or order < cluster.first:
                cluster.first, cluster.quote = order, stored.post.text[:_QUOTE]

    def chains(self, least_sources: int = 2) -> list[Chain]:
        """Return the chains with a tag, those of most sources first."""
        found = (
            _chain("copies", tuple(self._tag_ids[c] for c in sorted(each.columns)), each.quote, each.places)
            for each in self._clusters.values()
            if each.columns
        )
        return _ranked(found, least_sources)


class SimilarSentences:
    """Gathers the sentences that speak for tags while the batches of a corpus pass by.

    About 500 bytes a sentence are held.
    """

    def __init__(self, tag_ids: Sequence[str], alike: float = ALIKE) -> None:
        self._tag_ids, self._alike = tuple(tag_ids), alike
        self._places: list[list[_Place]] = [[] for _ in tag_ids]
        self._quotes: list[list[str]] = [[] for _ in tag_ids]
        self._clusters: list[list[str]] = [[] for _ in tag_ids]
        self._signatures: list[list[Signatures]] = [[] for _ in tag_ids]

    def add(self, batch: TaggedBatch, passages: list[Passage]) -> None:
        """Look at the sentences of a batch."""
        for passage, signature in zip(passages, signed(passages), strict=True):
            stored = batch.posts[passage.row]
            self._places[passage.column].append(_Place.of(stored.post, passage))
            self._quotes[passage.column].append(passage.text)
            self._clusters[passage.column].append(stored.cluster or stored.post.post_id)
            self._signatures[passage.column].append(signature)

    def chains(self, least_sources: int = 2) -> list[Chain]:
        """Return the chains of all tags, those of most sources first."""
        merged: dict[frozenset[tuple[str, int | None]], Chain] = {}
        for column in range(len(self._tag_ids)):
            for chain, places in self._of_tag(column):
                key = frozenset((place.post_id, place.start) for place in places)
                known = merged.get(key)
                merged[key] = replace(chain, tags=known.tags + chain.tags) if known else chain
        return _ranked(merged.values(), least_sources)

    def _of_tag(self, column: int) -> Iterator[tuple[Chain, list[_Place]]]:
        places, clusters = self._places[column], self._clusters[column]
        if not places:
            return
        for rows in _groups(np.stack(self._signatures[column]), self._alike):
            if len({clusters[row] for row in rows}) > 1:
                first = min(rows, key=lambda row: _order(places[row]))
                linked = [places[row] for row in rows]
                yield (
                    _chain("sentences", (self._tag_ids[column],), self._quotes[column][first], linked),
                    linked,
                )


def _groups(signatures: Signatures, alike: float) -> Iterator[list[int]]:
    """Yield the rows of texts that are linked, groups of two and more.

    In every band, texts with the same numbers are compared with the first and the next of them.
    """
    n = len(signatures)
    pairs: list[tuple[Ints, Ints]] = []
    for first in range(0, PLACES, _BAND):
        band = np.ascontiguousarray(signatures[:, first : first + _BAND])
        values = np.unique(band, axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(values, kind="stable")
        starts = np.concatenate([[True], np.diff(values[order]) != 0])
        head = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
        pairs += [(head, order), (order[:-1][~starts[1:]], order[1:][~starts[1:]])]
    left, right = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    left, right = np.unique(np.stack([left, right])[:, left != right], axis=1)
    close = (signatures[left] == signatures[right]).sum(axis=1) >= alike * PLACES
    edges = (left[close], right[close])
    graph = sparse.coo_array((np.ones(int(close.sum()), dtype=bool), edges), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        if len(rows) > 1:
            yield rows.tolist()


def _chain(kind: str, tags: tuple[str, ...], quote: str, places: list[_Place]) -> Chain:
    by_post = {place.post_id: place for place in sorted(places, key=_order, reverse=True)}
    ordered = sorted(by_post.values(), key=_order)
    dated = [place for place in ordered if place.date is not None]
    firsts: dict[str, _Place] = {}
    counts: dict[str, int] = {}
    for place in dated:
        firsts.setdefault(place.channel, place)
        counts[place.channel] = counts.get(place.channel, 0) + 1
    steps = tuple(_step(place, dated[0], counts[place.channel]) for place in firsts.values())
    return Chain(
        kind=kind,
        tags=tags,
        quote=quote,
        n_posts=len(ordered),
        n_sources=len({place.channel for place in ordered}),
        n_undated=len(ordered) - len(dated),
        hours=_hours(dated[0], dated[-1]) if dated else 0.0,
        steps=steps,
    )


def _step(place: _Place, first: _Place, n_posts: int) -> Step:
    return Step(
        post_id=place.post_id,
        channel=place.channel,
        date=place.date.isoformat() if place.date else "",
        hours=_hours(first, place),
        start=place.start,
        end=place.end,
        forwarded_from=place.forwarded_from,
        n_posts=n_posts,
    )


def _hours(first: _Place, place: _Place) -> float:
    return (place.date - first.date).total_seconds() / 3600 if place.date and first.date else 0.0


def _order(place: _Place) -> tuple[bool, float, str]:
    """Return what sorts places by time, undated ones last."""
    return place.date is None, place.date.timestamp() if place.date else 0.0, place.post_id


def _ranked(chains: Iterable[Chain], least_sources: int) -> list[Chain]:
    kept = [chain for chain in chains if chain.n_posts > 1 and chain.n_sources >= least_sources]
    return sorted(kept, key=lambda chain: (-chain.n_sources, -chain.n_posts, chain.quote))
