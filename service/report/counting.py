"""One pass for all: posts counted, and what shares need kept, while another goes through a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from annotations.ledger.posts import current_posts
from annotations.ledger.store import Ledger
from classifiers.languages import identify
from classifiers.prevalence.tagged import TaggedPosts
from classifiers.trends import TaggedBatch, TaggedCorpus
from classifiers.trends.corpus import BATCH, UNDATED, day_of
from classifiers.trends.timelines import day_date
from service.report.content import UNKNOWN, Counts

Scores = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


class UntaggedPosts:
    """The posts of a ledger without tags: a corpus to count where there is no model."""

    tag_ids: tuple[str, ...] = ()
    model_version = ""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def batches(self) -> Iterator[TaggedBatch]:
        """Yield all posts."""
        posts = current_posts(self._ledger)
        while batch := list(islice(posts, BATCH)):
            n = len(batch)
            yield TaggedBatch(
                posts=batch,
                days=np.array([day_of(stored.post.date) for stored in batch], dtype=np.int64),
                languages=[stored.post.lang or identify(stored.post.text) for stored in batch],
                scores=np.zeros((n, 0)),
                decisions=np.zeros((n, 0), dtype=np.int8),
                is_first=np.ones(n, dtype=bool),
            )


class Counted:
    """A corpus that counts its posts while they are read; a name that comes again is held once."""

    def __init__(self, corpus: TaggedCorpus) -> None:
        self._corpus = corpus
        self.tag_ids, self.model_version = corpus.tag_ids, corpus.model_version
        self._start()

    def batches(self) -> Iterator[TaggedBatch]:
        """Yield all posts with their tags."""
        self._start()
        for batch in self._corpus.batches():
            self._add(batch)
            yield batch

    def counts(self) -> Counts:
        """Return how many posts have been read."""
        by_part = {part: Counter(names) for part, names in self._parts.items()}
        first, last = (
            (day_date(self._first).isoformat(), day_date(self._last).isoformat()) if self._last else ("", "")
        )
        return Counts(
            len(self._ids),
            dict(by_part["channel"].most_common()),
            dict(sorted(by_part["month"].items())),
            dict(by_part["language"].most_common()),
            first,
            last,
        )

    def tagged(self) -> TaggedPosts:
        """Return what has been read, as arrays; the lists are handed over, not copied."""
        n_tags = len(self.tag_ids)
        return TaggedPosts(
            tuple(self._ids),
            self.tag_ids,
            np.concatenate(self._scores) if self._scores else np.zeros((0, n_tags), dtype=np.float32),
            np.concatenate(self._yes) if self._yes else np.zeros((0, n_tags), dtype=bool),
            parts=self._parts,
            clusters=tuple(self._clusters()),
            revisions=tuple(self._revisions),
            model_version=self.model_version,
        )

    def _start(self) -> None:
        self._ids: list[str] = []
        self._revisions: list[str] = []
        self._near: dict[str, str] = {}
        self._copy_of: dict[str, str] = {}
        self._parts: dict[str, list[str]] = {"month": [], "channel": [], "language": []}
        self._scores: list[Scores] = []
        self._yes: list[Bools] = []
        self._names: dict[str, str] = {}
        self._months: dict[int, str] = {UNDATED: UNKNOWN}
        self._first, self._last = 2**40, 0

    def _add(self, batch: TaggedBatch) -> None:
        posts = [stored.post for stored in batch.posts]
        self._ids += [post.post_id for post in posts]
        self._revisions += [post.revision for post in posts]
        for stored in batch.posts:
            if stored.cluster is not None:
                self._near[stored.post.post_id] = stored.cluster
            if stored.duplicate_of is not None:
                self._copy_of[stored.post.post_id] = stored.duplicate_of
        self._parts["month"] += map(self._month, batch.days.tolist())
        self._parts["channel"] += [self._once(post.channel) for post in posts]
        self._parts["language"] += [self._once(language or UNKNOWN) for language in batch.languages]
        self._scores.append(batch.scores.astype(np.float32))
        self._yes.append(batch.yes)
        dated = batch.days[batch.days != UNDATED]
        if len(dated):
            self._first, self._last = min(self._first, int(dated.min())), max(self._last, int(dated.max()))

    def _once(self, name: str) -> str:
        return self._names.setdefault(name, name)

    def _month(self, day: int) -> str:
        if day not in self._months:
            self._months[day] = self._once(f"{day_date(day):%Y-%m}")
        return self._months[day]

    def _clusters(self) -> Iterator[str]:
        """Yield the cluster of every post, as the ledger names it; a copy is in that of its original."""
        for post_id in self._ids:
            original = self._copy_of.get(post_id)
            if original is not None and original in self._near:
                yield self._near[original]
            else:
                yield self._near.get(post_id, original or post_id)
