"""Percentile bootstrap over posts: every measure is a function of sums over posts, so one product resamples it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from annotations.agreement.figures import Estimate

Floats = npt.NDArray[np.float64]
_ROWS = 128  # resamples that are held as floats at a time


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are drawn: ``n_samples`` resamples of the posts, ``level`` coverage, a seed.

    Source of the percentile interval: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.
    """

    n_samples: int = 1000
    level: float = 0.95
    seed: int = 0


class Resamples:
    """Resamples of ``n_posts`` posts; row 0 is the posts as they are, so that it gives the estimate itself."""

    def __init__(self, n_posts: int, bootstrap: Bootstrap) -> None:
        rng = np.random.default_rng(bootstrap.seed)
        # A single post resamples to itself: an interval of no width would pretend to a certainty there is not.
        n_samples = bootstrap.n_samples if n_posts > 1 else 0
        self._level = bootstrap.level
        self._counts = np.ones((n_samples + 1, n_posts), dtype=np.uint16)
        for row in range(1, n_samples + 1):
            self._counts[row] = np.bincount(rng.integers(0, n_posts, n_posts), minlength=n_posts)

    def sums(
        self,
        statistics: Floats | sparse.csr_array,
        posts: Sequence[int] | npt.NDArray[np.int64] | None = None,
    ) -> Floats:
        """Sum statistics over the posts of each resample.

        Parameters
        ----------
        statistics
            Shape ``(n_posts, n_columns)``.
        posts
            Which posts the rows are of, all by default.

        Returns
        -------
        Shape ``(n_samples + 1, n_columns)``; row 0 is the plain sum.
        """
        counts = self._counts if posts is None else self._counts[:, np.asarray(posts)]
        rows = range(0, len(counts), _ROWS)
        return np.concatenate(
            [np.asarray(counts[row : row + _ROWS].astype(np.float64) @ statistics) for row in rows]
        )

    def estimate(self, draws: Floats) -> Estimate:
        """Return the estimate (the first of the draws) with its interval, over the draws that are defined."""
        if np.isnan(draws[0]):
            return Estimate()
        value = float(draws[0])
        defined = draws[1:][~np.isnan(draws[1:])]
        if not len(defined):
            return Estimate(value)
        low, high = np.quantile(defined, [(1 - self._level) / 2, (1 + self._level) / 2])
        return Estimate(value, float(low), float(high))


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide; NaN where the denominator is 0 or less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)
