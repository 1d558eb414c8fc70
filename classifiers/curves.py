"""The figures behind a card's tables and plots, from the scores that training made of its own posts, out of fold.

Arrays are (n_posts, n_tags) over the predicted tags unless said; shares of nothing are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.metrics import precision_recall_curve

from classifiers import metrics
from classifiers.dataset import Dataset
from classifiers.predictions import DECISIONS, Decision
from classifiers.thresholds import TagRule, decide
from classifiers.training import TrainedModel

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_MOST_POINTS = 200
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Unseen:
    """What annotators and models that had not seen the posts say of the training posts.

    ``yes`` is the decision by the final thresholds; ``abstain`` counts as no.
    """

    rules: tuple[TagRule, ...]
    truth: Bools
    score: Floats
    yes: Bools

    @classmethod
    def of(cls, trained: TrainedModel, dataset: Dataset) -> Unseen:
        """Gather them; the dataset must be the one that the model was trained on."""
        kept = [k for k, rule in enumerate(trained.model.rules) if rule.predicted]
        rules = tuple(trained.model.rules[k] for k in kept)
        score = expit(trained.out_of_fold[:, kept])
        return cls(rules, dataset.gold[:, kept], score, decided(rules, score))


@dataclass(frozen=True, slots=True)
class Judged:
    """One tag's figures; NaN for an average precision without a positive post."""

    precision: float
    recall: float
    f1: float
    average_precision: float
    brier: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """Precision, recall and F1 (n_thresholds, n_tags) at ``thresholds`` (n_thresholds,); pooled: (n_thresholds, 3)."""

    thresholds: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    pooled: Floats


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins of equal width with any entries: mean probability, share of positives with its 95 % interval, entries."""

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    n: npt.NDArray[np.int64]


def decided(rules: Sequence[TagRule], score: Floats) -> Bools:
    """Return which probabilities (n_posts, n_rules) are decided ``yes``; none of a refused tag or a NaN."""
    return np.asarray(decide(rules, score) == DECISIONS.index(Decision.YES))


def judged(unseen: Unseen, k: int) -> Judged:
    """Return the figures of tag ``k``."""
    truth, score = unseen.truth[:, k], unseen.score[:, k]
    precision, recall, f1 = metrics.precision_recall_f1(truth, unseen.yes[:, k])
    found = metrics.average_precision(truth, score), metrics.brier(truth, score)
    return Judged(precision, recall, f1, *found)


def precision_recall(truth: Bools, score: Floats) -> tuple[Floats, Floats]:
    """Return recall (ascending) and precision of one tag, (n_points,) each, at most 200 of them."""
    precision, recall, _ = precision_recall_curve(truth, score)
    step = max(1, -(-len(recall) // _MOST_POINTS))
    return recall[::-1][::step], precision[::-1][::step]


def reliability(truth: Bools, score: Floats, n_bins: int = metrics.N_BINS) -> Reliability:
    """Return the reliability of probabilities, of one tag or pooled (DeGroot and Fienberg 1983; Wilson 1927)."""
    score, truth = score.ravel(), truth.ravel()
    bins = np.minimum((score * n_bins).astype(np.int64), n_bins - 1)
    n = np.bincount(bins, minlength=n_bins)
    used = n > 0
    count = n[used]
    predicted = np.bincount(bins, score, minlength=n_bins)[used] / count
    observed = np.bincount(bins, truth, minlength=n_bins)[used] / count
    centre = (observed + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z * np.sqrt(observed * (1 - observed) / count + _Z**2 / (4 * count**2)) / (1 + _Z**2 / count)
    return Reliability(predicted, observed, centre - half, centre + half, count)


def sweep(unseen: Unseen, n_steps: int = 50) -> Sweep:
    """Return what other thresholds would give, the same one for every tag in ``pooled``."""
    thresholds = np.arange(1, n_steps, dtype=np.float64) / n_steps
    yes = unseen.score[None] >= thresholds[:, None, None]
    hits, n_yes = (yes & unseen.truth[None]).sum(axis=1), yes.sum(axis=1)
    n_true = unseen.truth.sum(axis=0)
    pooled = np.stack(_figures(hits.sum(axis=1), n_yes.sum(axis=1), n_true.sum()), axis=1)
    return Sweep(thresholds, *_figures(hits, n_yes, n_true), pooled)


def confusions(unseen: Unseen) -> Floats:
    """Return (n_tags, n_tags): of the posts that bear tag i, the share in which tag j is a false yes.

    On the diagonal: the share in which tag i itself is missed.
    """
    truth = unseen.truth.astype(np.float64)
    false_yes = (unseen.yes & ~unseen.truth).astype(np.float64)
    missed = (unseen.truth & ~unseen.yes).sum(axis=0)
    n_true = truth.sum(axis=0)
    table = truth.T @ false_yes
    np.fill_diagonal(table, missed)
    blank = np.full(table.shape, np.nan)
    return np.asarray(np.divide(table, n_true[:, None], out=blank, where=n_true[:, None] > 0))


def _figures(hits: Floats, n_yes: Floats, n_true: Floats) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and F1; precision and recall of nothing are NaN."""
    shape = np.broadcast_shapes(np.shape(hits), np.shape(n_true))
    hits, n_yes, n_true = (np.broadcast_to(np.asarray(x, dtype=float), shape) for x in (hits, n_yes, n_true))
    blank = np.full(shape, np.nan)
    precision = np.divide(hits, n_yes, out=blank.copy(), where=n_yes > 0)
    recall = np.divide(hits, n_true, out=blank.copy(), where=n_true > 0)
    f1 = np.divide(2 * hits, n_yes + n_true, out=blank.copy(), where=n_yes + n_true > 0)
    return precision, recall, f1
