"""Agreement on whole posts: a reading is the set of its tags, and sets that overlap are less far apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from annotations.agreement.resampling import Floats, Resamples, ratio

_BLOCK = 512


def masi_distance(first: frozenset[str], second: frozenset[str]) -> float:
    """Return 1 - MASI of two sets: 0 for equal ones (two empty sets are equal), 1 for disjoint ones.

    MASI is Jaccard's coefficient times monotonicity: 1 for equal sets, 2/3 where one holds the other, 1/3 where
    they overlap and each has something of its own, 0 where they are disjoint.

    References
    ----------
    R. Passonneau, "Measuring Agreement on Set-valued Items (MASI) for Semantic and Pragmatic Annotation", LREC 2006.
    """
    return float(_distances([first], [second])[0, 0])


@dataclass(frozen=True, slots=True)
class SetAgreement:
    """Alpha over whole posts and what each annotator's part is computed from.

    Attributes
    ----------
    alpha
        Shape ``(n_samples + 1,)``.
    expected
        The MASI distance expected by chance, shape ``(n_samples + 1,)``.
    distances
        For every post, the mean MASI distance of each of its readings to the others, in their order.
    """

    alpha: Floats
    expected: Floats
    distances: tuple[Floats, ...]


def set_agreement(posts: Sequence[Sequence[frozenset[str]]], resamples: Resamples) -> SetAgreement:
    """Krippendorff's alpha with MASI distance over posts, each with the tag sets of two annotators or more.

    References
    ----------
    Passonneau (2006), as :func:`masi_distance`; R. Artstein, M. Poesio, "Inter-Coder Agreement for Computational
    Linguistics", Computational Linguistics 34 (2008), section 2.6 (weighted coefficients).
    """
    values = SetValues([tags for post in posts for tags in post])
    observed, distances = np.zeros((len(posts), 1)), []
    counts: list[tuple[int, int, float]] = []
    for row, post in enumerate(posts):
        to_each_other = _distances(post, post)
        distances.append(to_each_other.sum(axis=1) / (len(post) - 1))
        observed[row] = distances[-1].sum()
        counts += [(row, values.number[tags], 1.0) for tags in post]
    totals = resamples.sums(values.table(counts, len(posts)))
    n_values = totals.sum(axis=1)
    expected = ratio(values.expected(totals), n_values * (n_values - 1))
    alpha = 1 - ratio(resamples.sums(observed)[:, 0] / np.maximum(n_values, 1), expected)
    return SetAgreement(alpha, expected, tuple(distances))


class SetValues:
    """The different sets that occur, numbered, with their MASI distances."""

    def __init__(self, sets: Sequence[frozenset[str]]) -> None:
        self.number = {each: number for number, each in enumerate(dict.fromkeys(sets))}
        self._sets = list(self.number)
        self._known: dict[tuple[int, int], float] = {}

    def table(self, entries: Sequence[tuple[int, int, float]], n_posts: int) -> sparse.csr_array:
        """Return (post, set, amount) entries as a table ``(n_posts, n_sets)``; equal places add up."""
        rows, columns, amounts = zip(*entries, strict=True) if entries else ((), (), ())
        return sparse.csr_array(
            (amounts, (rows, columns)), shape=(n_posts, len(self._sets)), dtype=np.float64
        )

    def distance(self, first: frozenset[str], second: frozenset[str]) -> float:
        """Return the MASI distance of two sets, computed once for each pair."""
        key = (self.number[first], self.number[second])
        if key not in self._known:
            self._known[key] = 0.0 if first == second else masi_distance(first, second)
        return self._known[key]

    def expected(self, totals: Floats) -> Floats:
        """Return the sum over ordered pairs of sets of total x total x distance, shape ``(n_samples + 1,)``."""
        result = np.zeros(len(totals))
        for start in range(0, len(self._sets), _BLOCK):
            block = _distances(self._sets[start : start + _BLOCK], self._sets)
            result += ((totals @ block.T) * totals[:, start : start + _BLOCK]).sum(axis=1)
        return result


def _distances(rows: Sequence[frozenset[str]], columns: Sequence[frozenset[str]]) -> Floats:
    names: dict[Hashable, int] = {}
    for each in (*rows, *columns):
        for tag in each:
            names.setdefault(tag, len(names))
    left, right = _membership(rows, names), _membership(columns, names)
    shared = left @ right.T
    size_1, size_2 = left.sum(axis=1)[:, None], right.sum(axis=1)[None, :]
    union = size_1 + size_2 - shared
    is_equal = (shared == size_1) & (shared == size_2)
    is_nested = (shared == size_1) | (shared == size_2)
    monotonicity = np.where(is_equal, 1.0, np.where(is_nested, 2 / 3, np.where(shared > 0, 1 / 3, 0.0)))
    jaccard = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
    return np.asarray(1 - jaccard * monotonicity)


def _membership(sets: Sequence[frozenset[str]], names: dict[Hashable, int]) -> Floats:
    table = np.zeros((len(sets), max(len(names), 1)))
    for row, each in enumerate(sets):
        table[row, [names[tag] for tag in each]] = 1.0
    return table
