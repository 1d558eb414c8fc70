"""Intervals of shares, and p-values that bear with many questions at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from classifiers.prevalence import intervals

Floats = npt.NDArray[np.float64]
Z95 = intervals.normal_quantile()


def wilson(n_yes: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % score interval of counts; 0 and 1 where n is 0.

    See :func:`classifiers.prevalence.intervals.wilson`.
    """
    k, m = np.asarray(n_yes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    known = np.maximum(m, 1)
    low, high = intervals.wilson(k / known, known)
    return np.where((m > 0) & (k > 0), low, 0.0), np.where((m > 0) & (k < m), high, 1.0)


def false_discovery(p: npt.ArrayLike, n_tests: int | None = None) -> Floats:
    """Return p-values adjusted for the false discovery rate.

    Parameters
    ----------
    n_tests
        How many tests there were in all, where only those with the smallest p-values are given.

    References
    ----------
    Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57
    (1995).
    """
    values = np.asarray(p, dtype=np.float64)
    if not len(values):
        return values
    more = max((n_tests or len(values)) - len(values), 0)
    adjusted = stats.false_discovery_control(np.concatenate([values, np.ones(more)]))[: len(values)]
    return np.asarray(adjusted, dtype=np.float64)
