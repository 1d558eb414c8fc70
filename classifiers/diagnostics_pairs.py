"""Pairs of tags: those that people confuse, those of which one implies the other, those that exclude each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from annotations.agreement.readings import Reading
from annotations.codebook import Codebook
from classifiers.trends.cooccurrence import fisher
from classifiers.trends.intervals import false_discovery, wilson

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
_DRAWS = 4_999
_LEAST_SWAPS = 2
_LEAST_BEARING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Two tags of which one annotator gave the one and another gave the other.

    Attributes
    ----------
    n_swapped
        Readings of a post by two annotators in which one gave ``first`` and not ``second``, the other the reverse.
    n_same_words
        Those of them in which the two marked words in common.
    n_together
        Readings in which one gave both and the other neither: a hard post rather than a confusion.
    n_disputed
        Readings in which exactly one of the two gave ``first``, or exactly one ``second``; of these ``share`` are
        swapped, with the 95 % Wilson interval.
    expected
        Swaps to be expected if what is disputed about the one tag had nothing to do with the other.
    p
        How often that many come about by chance: disputes about the one tag are dealt out to the posts of the same two
        annotators at random; adjusted for all pairs of tags (Benjamini and Hochberg 1995).
    """

    first: str
    second: str
    n_swapped: int
    n_same_words: int
    n_together: int
    n_disputed: int
    share: float
    low: float
    high: float
    expected: float
    p: float
    post_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Implication:
    """Posts that bear ``tag`` bear ``implied`` as well, nearly always.

    ``confidence`` is the share that do, with its 95 % Wilson interval; ``support`` is the number of posts with both
    (R. Agrawal, T. Imieliński, A. Swami 1993).  ``declared``: the codebook says so, as ``implied`` is the parent.
    """

    tag: str
    implied: str
    n_tag: int
    support: int
    confidence: float
    low: float
    high: float
    p: float
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Two tags that come together more seldom than by chance; ``p`` is of Fisher's exact test, one-sided, adjusted."""

    first: str
    second: str
    n_first: int
    n_second: int
    n_both: int
    expected: float
    p: float


def confusions(readings: Sequence[Reading], tag_ids: Sequence[str], seed: int = 0) -> list[Confusion]:
    """Return the pairs of tags that annotators swapped twice or more, the surest first.

    ``readings`` has one reading of a post an annotator.
    """
    pairs = _double_readings(readings)
    if not pairs:
        return []
    signs, blocks = _signs(pairs, tag_ids)
    plus, minus = (signs == 1).astype(np.int64), (signs == -1).astype(np.int64)
    swapped, together = plus.T @ minus + minus.T @ plus, plus.T @ plus + minus.T @ minus
    rng = np.random.default_rng(seed)
    found: list[Confusion] = []
    asked = [(i, j) for i, j in combinations(range(len(tag_ids)), 2) if swapped[i, j] >= _LEAST_SWAPS]
    p_values = [_swap_p(signs[:, [i, j]], blocks, int(swapped[i, j]), rng) for i, j in asked]
    n_tests = len(tag_ids) * (len(tag_ids) - 1) // 2
    for (i, j), p in zip(asked, false_discovery(p_values, n_tests).tolist(), strict=True):
        rows = np.flatnonzero(signs[:, i] * signs[:, j] == -1).tolist()
        n_disputed = int(((signs[:, i] != 0) | (signs[:, j] != 0)).sum())
        low, high = wilson(swapped[i, j], n_disputed)
        found.append(
            Confusion(
                first=tag_ids[i],
                second=tag_ids[j],
                n_swapped=int(swapped[i, j]),
                n_same_words=sum(_same_words(pairs[row], tag_ids[i], tag_ids[j]) for row in rows),
                n_together=int(together[i, j]),
                n_disputed=n_disputed,
                share=int(swapped[i, j]) / n_disputed,
                low=float(low),
                high=float(high),
                expected=_expected(signs[:, [i, j]], blocks),
                p=p,
                post_ids=tuple(dict.fromkeys(pairs[row][0].post[0] for row in rows)),
            )
        )
    return sorted(found, key=lambda each: (each.p, -each.n_swapped, each.first, each.second))


def implications(
    gold: Bools, codebook: Codebook, least_confidence: float = 0.6, alpha: float = 0.05
) -> list[Implication]:
    """Return the implications whose confidence is surely above ``least_confidence``, the surest first.

    ``gold`` has shape (n_posts, n_tags), the tags of the codebook in its order.
    """
    tags = codebook.tag_ids
    n, bearing, both = _counts(gold)
    asked = [
        (i, j)
        for i in range(len(tags))
        for j in range(len(tags))
        if i != j and bearing[i] >= _LEAST_BEARING and bearing[j] < n
    ]
    at = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    p = false_discovery(fisher(np.full(len(asked), n), bearing[at[0]], bearing[at[1]], both[at[0], at[1]]))
    parent_of: Mapping[str, str | None] = {tag.id: tag.parent for tag in codebook.tags}
    found = []
    for (i, j), chance in zip(asked, p.tolist(), strict=True):
        low, high = (float(end) for end in wilson(both[i, j], bearing[i]))
        if low >= least_confidence and chance < alpha and both[i, j] * n > bearing[i] * bearing[j]:
            found.append(
                Implication(
                    tag=tags[i],
                    implied=tags[j],
                    n_tag=int(bearing[i]),
                    support=int(both[i, j]),
                    confidence=float(both[i, j] / bearing[i]),
                    low=low,
                    high=high,
                    p=chance,
                    declared=parent_of[tags[i]] == tags[j],
                )
            )
    return sorted(found, key=lambda each: (-each.low, each.tag, each.implied))


def exclusions(gold: Bools, tag_ids: Sequence[str], alpha: float = 0.05) -> list[Exclusion]:
    """Return the pairs of tags that avoid each other, the surest first; ``gold`` has shape (n_posts, n_tags)."""
    n, bearing, both = _counts(gold)
    asked = [(i, j) for i, j in combinations(range(len(tag_ids)), 2) if bearing[i] and bearing[j]]
    at = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    chances = hypergeom.cdf(both[at[0], at[1]], n, bearing[at[0]], bearing[at[1]])
    found = [
        Exclusion(
            first=tag_ids[i],
            second=tag_ids[j],
            n_first=int(bearing[i]),
            n_second=int(bearing[j]),
            n_both=int(both[i, j]),
            expected=float(bearing[i] * bearing[j] / n),
            p=p,
        )
        for (i, j), p in zip(asked, false_discovery(chances).tolist(), strict=True)
        if p < alpha
    ]
    return sorted(found, key=lambda each: (each.p, each.first, each.second))


def _counts(gold: Bools) -> tuple[int, Ints, Ints]:
    said = gold.astype(np.int64)
    return len(said), said.sum(axis=0), said.T @ said


def _double_readings(readings: Sequence[Reading]) -> list[tuple[Reading, Reading]]:
    """Return every two readings of a post, ordered by the annotators' names and the post."""
    by_post: dict[tuple[str, ...], list[Reading]] = {}
    for each in readings:
        if not each.skipped:
            by_post.setdefault(each.post, []).append(each)
    found = [
        pair
        for each in by_post.values()
        for pair in combinations(sorted(each, key=lambda reading: reading.annotator), 2)
    ]
    return sorted(found, key=lambda pair: (pair[0].annotator, pair[1].annotator, pair[0].post))


def _signs(
    pairs: Sequence[tuple[Reading, Reading]], tag_ids: Sequence[str]
) -> tuple[npt.NDArray[np.int8], list[slice]]:
    """Return who alone gave each tag (n_pairs, n_tags): 1 the first, -1 the second; and the rows of each two."""
    signs = np.array(
        [[(tag in one.tags) - (tag in other.tags) for tag in tag_ids] for one, other in pairs], dtype=np.int8
    )
    names = [(one.annotator, other.annotator) for one, other in pairs]
    starts = [n for n in range(len(names)) if n == 0 or names[n] != names[n - 1]]
    return signs, [slice(a, b) for a, b in zip(starts, [*starts[1:], len(names)], strict=True)]


def _expected(signs: npt.NDArray[np.int8], blocks: list[slice]) -> float:
    total = 0.0
    for block in blocks:
        here = signs[block]
        plus, minus = (here == 1).sum(axis=0), (here == -1).sum(axis=0)
        total += float(plus[0] * minus[1] + minus[0] * plus[1]) / len(here)
    return total


def _swap_p(signs: npt.NDArray[np.int8], blocks: list[slice], seen: int, rng: np.random.Generator) -> float:
    """Return how often disputes dealt out at random among the posts of the same two people swap as often."""
    swaps = np.zeros(_DRAWS, dtype=np.int64)
    for block in blocks:
        first, second = signs[block, 0], signs[block, 1]
        places = np.flatnonzero(second)
        if not first.any() or not len(places):
            continue
        # What the other tag's disputed posts get is a draw without replacement from the first tag's answers.
        counts = [int((first == value).sum()) for value in (1, -1, 0)]
        up, down = int((second == 1).sum()), int((second == -1).sum())
        to_up = rng.multivariate_hypergeometric(counts, up, size=_DRAWS)
        left = np.array(counts) - to_up
        to_down = rng.hypergeometric(left[:, 0], left[:, 1] + left[:, 2], down) if down else np.zeros(_DRAWS)
        swaps += to_up[:, 1] + to_down.astype(np.int64)
    return (int((swaps >= seen).sum()) + 1) / (_DRAWS + 1)


def _same_words(pair: tuple[Reading, Reading], first: str, second: str) -> bool:
    one, other = pair if first in pair[0].tags else pair[::-1]
    return any(
        a.start < b.end and b.start < a.end
        for a in one.spans.get(first, ())
        for b in other.spans.get(second, ())
    )
