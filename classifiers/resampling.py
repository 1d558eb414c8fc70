"""Percentile bootstrap of quality figures over groups of posts: all resamples at once, as weights of the posts.

Near-duplicates are drawn together, since they are one observation (B. Efron, R. Tibshirani, "An Introduction to
the Bootstrap", 1993, sections 8.3 and 13.3).  The first row of everything here is the posts as they are, so it
gives the figure itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from classifiers.metrics import N_BINS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Interval = tuple[float, float]

N_SAMPLES = 1000
LEVEL = 0.95
MIN_GROUPS = 10
"""With fewer groups there is no interval."""
_MOST_WEIGHTS = 20_000_000
_LEAST_SAMPLES = 200


class Resamples:
    """Resamples of groups of posts.

    Parameters
    ----------
    groups
        Shape (n_posts,).
    n_samples
        How many; fewer (at least 200) for very many posts, so that the weights fit in memory.

    Attributes
    ----------
    weights
        Shape (n_samples + 1, n_posts): how often each post is drawn; the first row is all ones.
    """

    def __init__(self, groups: Ints, n_samples: int = N_SAMPLES, seed: int = 0) -> None:
        known, group_of = np.unique(groups, return_inverse=True)
        n_groups = len(known)
        most = max(_LEAST_SAMPLES, _MOST_WEIGHTS // max(len(groups), 1))
        n_drawn = min(n_samples, most) if n_groups >= MIN_GROUPS else 0
        drawn = np.random.default_rng(seed).multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_drawn)
        self.weights: Floats = np.concatenate([np.ones((1, n_groups)), drawn])[:, group_of]


@dataclass(frozen=True, slots=True)
class TagDraws:
    """Figures of every tag in every resample, shape (n_samples + 1, n_tags).

    NaN where a resample leaves a figure undefined: average precision and recall without a positive post, the
    evidence figures without a marked one.  Precision and F1 are then 0, as in :mod:`classifiers.metrics`.
    """

    positives: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    average_precision: Floats
    brier: Floats
    expected_calibration_error: Floats


def tag_draws(truth: Bools, score: Floats, yes: Bools, weights: Floats) -> TagDraws:
    """Return the figures of every tag; ``truth``, ``score`` and ``yes`` are (n_posts, n_tags)."""
    n = weights.sum(axis=1, keepdims=True)
    positives = weights @ truth
    found, said = weights @ (truth & yes), weights @ yes
    gaps = np.abs(_bin_gaps(truth, score, weights))
    ranked = [average_precisions(truth[:, k], score[:, k], weights) for k in range(truth.shape[1])]
    return TagDraws(
        positives=positives,
        precision=ratio(found, said, 0.0),
        recall=ratio(found, positives, np.nan),
        f1=ratio(2 * found, positives + said, 0.0),
        average_precision=np.column_stack(ranked) if ranked else np.zeros(positives.shape),
        brier=weights @ (score - truth) ** 2 / n,
        expected_calibration_error=gaps.sum(axis=2) / n,
    )


def overall_draws(truth: Bools, score: Floats, yes: Bools, weights: Floats) -> dict[str, Floats]:
    """Return the figures over all tags, each of shape (n_samples + 1,); NaN or 0 without a tag.

    Means over tags are over those that a resample has a positive post of.
    """
    of = tag_draws(truth, score, yes, weights)
    n_entries = weights.sum(axis=1) * truth.shape[1]
    found = (weights @ (truth & yes)).sum(axis=1)
    said, positives = (weights @ yes).sum(axis=1), of.positives.sum(axis=1)
    occurs = of.positives > 0
    brier = mean_where(of.brier, np.ones_like(occurs))
    base = of.positives / weights.sum(axis=1, keepdims=True)
    pooled = np.abs(_bin_gaps(truth, score, weights).sum(axis=1)).sum(axis=1)
    return {
        "micro_precision": ratio(found, said, 0.0),
        "micro_recall": ratio(found, positives, 0.0),
        "micro_f1": ratio(2 * found, positives + said, 0.0),
        "macro_precision": mean_where(of.precision, occurs),
        "macro_recall": mean_where(of.recall, occurs),
        "macro_f1": mean_where(of.f1, occurs),
        "mean_average_precision": mean_where(of.average_precision, occurs),
        "brier": brier,
        "brier_skill": 1 - ratio(brier, mean_where(base * (1 - base), np.ones_like(occurs)), np.nan),
        "expected_calibration_error": ratio(pooled, n_entries, np.nan),
    }


def average_precisions(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Return the average precision of one tag in every resample, shape (n_samples + 1,); NaN without a positive.

    Equal scores are one step of the curve, as in scikit-learn's ``average_precision_score``.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    drawn = weights[:, order]
    found = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    seen = np.cumsum(drawn, axis=1)[:, ends]
    steps = np.diff(found, axis=1, prepend=0.0)
    return ratio((steps * ratio(found, seen, 0.0)).sum(axis=1), found[:, -1], np.nan)


def mean_draws(values: Floats, weights: Floats) -> Floats:
    """Return the weighted mean of the entries of ``values`` (n_posts, ...) that are not NaN, in every resample."""
    flat = values.reshape(len(values), -1)
    known = ~np.isnan(flat)
    total = weights @ np.where(known, flat, 0).sum(axis=1)
    return ratio(total, weights @ known.sum(axis=1).astype(np.float64), np.nan)


def interval(draws: Floats) -> Interval | None:
    """Return the 95 % percentile interval of draws (the first is the figure itself); None without resamples."""
    defined = draws[1:][~np.isnan(draws[1:])]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """Divide; ``otherwise`` where the denominator is 0."""
    empty = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), otherwise)
    return np.asarray(np.divide(numerator, denominator, out=empty, where=denominator > 0))


def mean_where(values: Floats, here: Bools) -> Floats:
    """Return the mean over the last axis of the entries that are ``here``; NaN where there is none."""
    return ratio(np.where(here, values, 0).sum(axis=-1), here.sum(axis=-1).astype(np.float64), np.nan)


def _bin_gaps(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Return the sums of score - truth by bin of the score, shape (n_samples + 1, n_tags, n_bins)."""
    n_posts, n_tags = truth.shape
    bins = np.minimum((score * N_BINS).astype(np.int64), N_BINS - 1) + N_BINS * np.arange(n_tags)
    rows = np.repeat(np.arange(n_posts), n_tags)
    values = ((score - truth).ravel(), (rows, bins.ravel()))
    gaps = sparse.csr_array(values, shape=(n_posts, n_tags * N_BINS))
    return np.asarray(weights @ gaps).reshape(len(weights), n_tags, N_BINS)
