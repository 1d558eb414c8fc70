"""Estimates over posts in two arms, with 95 % intervals by a bootstrap that draws whole posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_N_SAMPLES = 1000
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate with its 95 % interval over posts; None where there is nothing to estimate it from."""

    value: float | None
    low: float | None
    high: float | None
    n_cases: int
    n_posts: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums over posts: what was counted (n_posts,), and out of how many (n_posts,)."""

    counted: Floats
    cases: Floats

    @classmethod
    def of(cls, sums: Mapping[str, tuple[float, float]]) -> Ratio:
        """Gather what was counted on each post, and out of how many; posts without any case do not count."""
        values = np.array([pair for pair in sums.values() if pair[1]], dtype=np.float64).reshape(-1, 2)
        return cls(values[:, 0], values[:, 1])

    @property
    def value(self) -> float | None:
        """The ratio, None where there is no case."""
        return float(self.counted.sum() / self.cases.sum()) if len(self.cases) else None

    def drawn(self, seed: int) -> Floats:
        """Return the ratio in resamples of the posts, empty with fewer than two posts."""
        n = len(self.cases)
        if n < 2:
            return np.zeros(0)
        weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_N_SAMPLES)
        drawn: Floats = (weights @ self.counted) / (weights @ self.cases)
        return drawn

    def figure(self, drawn: Floats) -> Figure:
        """Return the ratio with its interval."""
        return Figure(self.value, *interval(drawn), int(self.cases.sum()), len(self.cases))


def medians(posts: Sequence[Sequence[float]], seed: int) -> Floats:
    """Return the median of all values in resamples of the posts, empty with fewer than two posts."""
    if len(posts) < 2:
        return np.zeros(0)
    generator = np.random.default_rng(seed)
    arrays = [np.array(values) for values in posts]
    picks = generator.integers(len(arrays), size=(_N_SAMPLES, len(arrays)))
    return np.array([np.median(np.concatenate([arrays[i] for i in row])) for row in picks])


def difference(figures: Sequence[Figure], draws: Sequence[Floats]) -> Figure:
    """Return one arm minus the other; the arms are independent, so are their resamples."""
    one, other = figures
    cases, posts = min(one.n_cases, other.n_cases), min(one.n_posts, other.n_posts)
    if one.value is None or other.value is None:
        return Figure(None, None, None, cases, posts)
    drawn = draws[0] - draws[1] if len(draws[0]) and len(draws[1]) else np.zeros(0)
    return Figure(one.value - other.value, *interval(drawn), cases, posts)


def interval(drawn: Floats) -> tuple[float | None, float | None]:
    """Return the middle 95 % of what was drawn; None, None where nothing could be."""
    if not len(drawn):
        return None, None
    low, high = np.quantile(drawn, _LEVELS)
    return float(low), float(high)
