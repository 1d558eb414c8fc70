"""Intervals of shares, and p-values that bear with many questions at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Z95 = 1.959963984540054


def wilson(n_yes: npt.ArrayLike, n: npt.ArrayLike, z: float = Z95) -> tuple[Floats, Floats]:
    """Return the ends of the score interval of a share, 95 % by default; 0 and 1 where n is 0.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927).
    """
    k, m = np.asarray(n_yes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / m
        middle = (share + z * z / (2 * m)) / (1 + z * z / m)
        half = z / (1 + z * z / m) * np.sqrt(share * (1 - share) / m + z * z / (4 * m * m))
        low = np.where(m > 0, np.where(k > 0, middle - half, 0.0), 0.0)
        high = np.where(m > 0, np.where(k < m, middle + half, 1.0), 1.0)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


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
