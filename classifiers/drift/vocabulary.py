"""Whether posts use the words of the training posts, month by month.

Two figures: the share of words whose stem the model does not know, and the Jensen-Shannon divergence (J. Lin,
"Divergence measures based on the Shannon entropy", 1991; in bits, 0 the same, 1 nothing in common) between the stems of
a month and those of the training posts.  A training post's own words are known to the model, so the first is put
beside the share of words of training posts that no other training post has: what would be unknown if that post had not
been there.

A divergence of samples is never 0.  What noise alone makes is found by dealing the same posts out to the two samples at
random; at most 400 posts a month, drawn by a hash of their ids, are compared with as many of training.  Near-duplicates
count once.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from classifiers.drift.training import Training
from classifiers.trends.corpus import UNDATED, TaggedBatch
from classifiers.trends.intervals import false_discovery
from classifiers.trends.timelines import Period, period_name, period_starts
from classifiers.wording import Keys, Worded

Floats = npt.NDArray[np.float64]
_MOST_POSTS = 400
_DRAWS = 999
_AT_ONCE = 100
_LEAST_POSTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WordShift:
    """The words of one period beside those of training.

    Attributes
    ----------
    n_posts, n_words
        Posts and words of the period; training posts and near-duplicates of earlier posts left out.
    unknown, unknown_expected
        The share of words that the model does not know, and what would be expected of another training post; None
        where no training post is in the corpus.
    divergence, divergence_noise
        From the training posts, in bits, and what noise alone stays below in 95 of 100 cases; None where too few
        posts can be compared.
    n_compared
        Posts on each side of the comparison, at most.
    p
        Of the divergence, adjusted for the number of periods (Benjamini and Hochberg 1995).
    """

    period: str
    n_posts: int
    n_words: int
    unknown: float | None
    unknown_expected: float | None
    divergence: float | None
    divergence_noise: float | None
    n_compared: int
    p: float | None


class _Kept:
    """The posts with the smallest hashes: a sample that does not depend on the order."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Keys]] = []

    def add(self, post_id: str, keys: Keys) -> None:
        digest = hashlib.blake2b(post_id.encode("utf-8", "surrogatepass"), digest_size=7).digest()
        item = (-int.from_bytes(digest, "big"), keys)
        if len(self._heap) < _MOST_POSTS:
            heapq.heappush(self._heap, item)
        elif item[0] > self._heap[0][0]:
            heapq.heapreplace(self._heap, item)

    @property
    def posts(self) -> list[Keys]:
        return [keys for _, keys in sorted(self._heap, key=lambda item: -item[0])]


class VocabularyDrift:
    """Counts words by period while the batches of a corpus pass by."""

    def __init__(self, training: Training, period: Period = "month", seed: int = 0) -> None:
        self._training, self._period, self._seed = training, period, seed
        self._counts: dict[int, list[int]] = {}
        self._kept: dict[int, _Kept] = {}
        self._trained = _Kept()
        self._met: dict[int, int] = {}
        self._n_trained = 0

    def add(self, batch: TaggedBatch, words: Worded, in_training: npt.NDArray[np.bool_]) -> None:
        """Count a batch with its words; ``in_training`` says which of its posts the model was trained on."""
        starts = period_starts(batch.days, self._period)
        bounds = np.searchsorted(words.post_of, np.arange(words.n_posts + 1))
        unknown = np.concatenate([[0], np.cumsum(~self._training.knows(words.keys))])
        for row, stored in enumerate(batch.posts):
            first, last = int(bounds[row]), int(bounds[row + 1])
            if first == last or not batch.is_first[row]:
                continue
            keys = words.keys[first:last]
            if in_training[row]:
                self._trained.add(stored.post.post_id, keys)
                self._count_training(keys)
            elif starts[row] != UNDATED:
                start = int(starts[row])
                counts = self._counts.setdefault(start, [0, 0, 0])
                for number, more in enumerate((1, last - first, int(unknown[last] - unknown[first]))):
                    counts[number] += more
                self._kept.setdefault(start, _Kept()).add(stored.post.post_id, keys)

    def shifts(self) -> list[WordShift]:
        """Return the figures of every period."""
        rng = np.random.default_rng(self._seed)
        trained, expected = self._trained.posts, self._expected()
        found = []
        for start, (n_posts, n_words, n_unknown) in sorted(self._counts.items()):
            mine = self._kept[start].posts
            enough = min(len(mine), len(trained)) >= _LEAST_POSTS
            divergence, noise, p = compared(mine, trained, rng) if enough else (None, None, None)
            found.append(
                WordShift(
                    period=period_name(start, self._period),
                    n_posts=n_posts,
                    n_words=n_words,
                    unknown=n_unknown / n_words,
                    unknown_expected=expected,
                    divergence=divergence,
                    divergence_noise=noise,
                    n_compared=max(len(mine), len(trained)) if enough else 0,
                    p=p,
                )
            )
        asked = {shift.period: shift.p for shift in found if shift.p is not None}
        adjusted = dict(zip(asked, false_discovery(list(asked.values())).tolist(), strict=True))
        return [replace(shift, p=adjusted.get(shift.period)) for shift in found]

    def _count_training(self, keys: Keys) -> None:
        """Remember the stems of one training post: how often it has them, or 0 where another has them too."""
        different, times = np.unique(keys, return_counts=True)
        for key, count in zip(different.tolist(), times.tolist(), strict=True):
            self._met[key] = 0 if key in self._met else count
        self._n_trained += len(keys)

    def _expected(self) -> float | None:
        return sum(self._met.values()) / self._n_trained if self._met else None


def compared(
    one: Sequence[Keys], other: Sequence[Keys], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the divergence between two samples of posts, the 95 % quantile of noise, and the p-value.

    The posts are given as the numbers of their stems.
    """
    matrix = _counted([*one, *other])
    n = len(one) + len(other)
    is_one = np.zeros((1, n))
    is_one[0, : len(one)] = 1
    seen = float(_divergences(matrix, is_one)[0])
    noise = np.concatenate(
        [
            _divergences(matrix, rng.permuted(np.tile(is_one, (min(_AT_ONCE, _DRAWS - first), 1)), axis=1))
            for first in range(0, _DRAWS, _AT_ONCE)
        ]
    )
    p = (int((noise >= seen - 1e-12).sum()) + 1) / (_DRAWS + 1)
    return seen, float(np.quantile(noise, 0.95)), p


def _counted(posts: Sequence[Keys]) -> Any:
    """Return the counts of stems, a sparse matrix (n_posts, n_stems)."""
    sizes = [len(keys) for keys in posts]
    _, columns = np.unique(np.concatenate(posts), return_inverse=True)
    rows = np.repeat(np.arange(len(posts)), sizes)
    return sparse.csr_array((np.ones(len(rows)), (rows, columns.ravel())))


def _divergences(matrix: Any, is_one: Floats) -> Floats:
    """Return the Jensen-Shannon divergences in bits of splits of the posts, shape (n_splits,)."""
    counts = is_one @ matrix
    rest = np.asarray(matrix.sum(axis=0))[None, :] - counts
    p, q = (of / of.sum(axis=1, keepdims=True) for of in (counts, rest))
    middle = (p + q) / 2
    found = np.zeros(len(p))
    for share in (p, q):
        logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
        logs -= np.log2(middle, out=np.zeros_like(middle), where=middle > 0)
        found += (share * logs).sum(axis=1) / 2
    return found
