"""Which tags come together: pairs of tags in different posts, with how much more often than by chance.

Near-duplicates count once.  A model whose tags help to decide one another makes some of this itself, so what
annotators say (``talkingpoints diagnose``) is to be read beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from classifiers.trends.corpus import TaggedBatch
from classifiers.trends.intervals import Z95, false_discovery

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two tags in the same posts.

    Attributes
    ----------
    n_posts
        Posts in which both are decided; ``n_first``, ``n_second`` and ``n_both`` of them bear the tags.
    lift, lift_low, lift_high
        How many times as often as by chance they come together, with its 95 % interval: by the delta method on the
        logarithm; where they never meet, from 0 to what half a post would give.
    pmi
        Pointwise mutual information in bits, log2 of the lift (K. W. Church, P. Hanks 1990); None where the two
        never meet.
    phi
        The correlation of the two yes/no answers (G. U. Yule 1912).
    p
        By Fisher's exact test, two-sided (the smaller tail doubled), adjusted for the number of pairs (Benjamini and
        Hochberg 1995).
    """

    first: str
    second: str
    n_posts: int
    n_first: int
    n_second: int
    n_both: int
    lift: float
    lift_low: float
    lift_high: float
    pmi: float | None
    phi: float
    p: float


class CoOccurrence:
    """Counts pairs of tags while the batches of a corpus pass by."""

    def __init__(self, tag_ids: Sequence[str]) -> None:
        self._tag_ids = tuple(tag_ids)
        self._both, self._first, self._decided = (np.zeros((len(tag_ids),) * 2) for _ in range(3))

    def add(self, batch: TaggedBatch) -> None:
        """Count a batch."""
        self.add_answers(batch.yes[batch.is_first], batch.decided[batch.is_first])

    def add_answers(self, yes: npt.NDArray[np.bool_], decided: npt.NDArray[np.bool_]) -> None:
        """Count posts by their answers and by whether there is one, both of shape (n, n_tags)."""
        said, known = yes.astype(np.float32), decided.astype(np.float32)
        self._both += said.T @ said
        self._first += said.T @ known
        self._decided += known.T @ known

    def pairs(self) -> list[Pair]:
        """Return the pairs of which both tags occur, the surest first."""
        n, both = self._decided, self._both
        first, second = self._first, self._first.T
        rows, columns = np.triu_indices(len(self._tag_ids), 1)
        asked = (first[rows, columns] > 0) & (second[rows, columns] > 0)
        rows, columns = rows[asked], columns[asked]
        at = (rows, columns)
        tables = (n[at], first[at], second[at], both[at])
        p = false_discovery(fisher(*tables))
        measured = zip(*_lift(*tables), _phi(*tables), p, strict=True)
        found = [
            self._pair(row, column, tuple(float(value) for value in values))
            for row, column, values in zip(rows.tolist(), columns.tolist(), measured, strict=True)
        ]
        return sorted(found, key=lambda pair: (pair.p, -abs(pair.phi), pair.first, pair.second))

    def _pair(self, row: int, column: int, values: tuple[float, ...]) -> Pair:
        lift, low, high, phi, p = values
        return Pair(
            first=self._tag_ids[row],
            second=self._tag_ids[column],
            n_posts=int(self._decided[row, column]),
            n_first=int(self._first[row, column]),
            n_second=int(self._first[column, row]),
            n_both=int(self._both[row, column]),
            lift=lift,
            lift_low=low,
            lift_high=high,
            pmi=float(np.log2(lift)) if lift > 0 else None,
            phi=phi,
            p=p,
        )


def fisher(n: Floats, first: Floats, second: Floats, both: Floats) -> Floats:
    """Return the two-sided p-values of Fisher's exact test: the smaller tail doubled."""
    of_all, of_first, of_second, seen = (np.rint(each).astype(np.int64) for each in (n, first, second, both))
    above = hypergeom.sf(seen - 1, of_all, of_first, of_second)
    below = hypergeom.cdf(seen, of_all, of_first, of_second)
    return np.asarray(np.minimum(2 * np.minimum(above, below), 1.0), dtype=np.float64)


def _lift(n: Floats, first: Floats, second: Floats, both: Floats) -> tuple[Floats, Floats, Floats]:
    lift = both * n / (first * second)
    seen = np.where(both > 0, both, 0.5)
    p_1, p_2, p_both = first / n, second / n, seen / n
    variance = (1 / p_both - 1 / p_1 - 1 / p_2 + 2 * p_both / (p_1 * p_2) - 1) / n
    reach = np.exp(Z95 * np.sqrt(np.maximum(variance, 0)))
    middle = seen * n / (first * second)
    return lift, np.where(both > 0, middle / reach, 0.0), middle * reach


def _phi(n: Floats, first: Floats, second: Floats, both: Floats) -> Floats:
    spread = np.sqrt(first * (n - first) * second * (n - second))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (both * n - first * second) / spread, 0.0)
