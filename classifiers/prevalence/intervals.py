"""Intervals of a share, and the number of labels that a wanted width takes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


def normal_quantile(level: float = LEVEL) -> float:
    """Return z with ``level`` of a normal distribution between -z and z."""
    return float(stats.norm.ppf((1 + level) / 2))


def wilson(share: Floats, n: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return the ends of Wilson's score interval, at least 0 and at most 1.

    Parameters
    ----------
    share
        Estimates; those of a difference estimator may lie outside of 0 to 1.
    n
        The number of labels that a simple random sample from an endless population would need to be as exact as
        this one: above the real number where a model helps or much of the population is labelled; infinite
        where everything is known.

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).  With an
    effective number of labels in place of n: E. L. Korn, B. I. Graubard, "Confidence intervals for proportions
    with small expected number of positive counts estimated from survey data", Survey Methodology 24 (1998).
    """
    z2 = normal_quantile(level) ** 2
    inverse = z2 / n
    inside = np.clip(share, 0, 1)
    centre = (share + inverse / 2) / (1 + inverse)
    half = np.sqrt(inverse * inside * (1 - inside) + inverse**2 / 4) / (1 + inverse)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def planned_n(
    width: float, n_posts: int, *, share: float = 0.5, ratio: float = 1.0, level: float = LEVEL
) -> int:
    """Return how many posts to draw at random so that an interval is about ``width`` wide, ``n_posts`` at most.

    Parameters
    ----------
    width
        From end to end: 0.05 is ± 2.5 points.
    share
        The share that is expected; 0.5 needs the most.
    ratio
        The variance with the model over that of labels alone.

    Raises
    ------
    ValueError
        The width is not between 0 and 1.
    """
    if not 0 < width < 1:
        raise ValueError(f"a width lies between 0 and 1, not at {width}")
    low, high = 0.0, 1.0
    while _width(share, high, level) > width:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _width(share, middle, level) > width else (low, middle)
    labels = high * ratio
    return min(n_posts, math.ceil(labels / (1 + labels / n_posts) - 1e-6)) if n_posts else 0


def _width(share: float, n: float, level: float) -> float:
    low, high = wilson(np.array(share), np.array(n), level)
    return float(high - low)
