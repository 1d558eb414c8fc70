"""Estimators of the share of posts that bear a tag: pure functions on arrays.

The last axis is always the labelled posts, so that many samples can be judged in one call; a plain sample is a
vector.  ``docs/prevalence.md`` has the formulas, what each of them needs to be right, and how they fared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from classifiers.prevalence.intervals import LEVEL, normal_quantile, wilson

Floats = npt.NDArray[np.float64]

_LIKE_LABELS_ALONE = 2.0
"""Posts on which the model is taken to explain nothing, added to the residuals ..."""
_LIKE_A_MISS = 0.5
"""... and the squared error of half a post that the model overlooked altogether."""
_RIDGE = 4.0
"""Posts added to the regression that chooses how far the scores are used, with no covariance."""
_MOST_TUNING = 1.5
_STEP = 0.3
"""Posts by which the interval of labels alone is wider at either end: a share is a whole number of posts, and among
some dozens of them Wilson's interval would hold it in as few as 90 % of samples."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Labelled:
    """Posts with a human verdict, drawn with known probabilities; all arrays are (..., n).

    Attributes
    ----------
    truth
        1 where the post bears the tag, else 0.
    score
        The model's probability, of a model that has not learnt from this post.
    weight
        For how many posts each stands; 1 / inclusion probability, times near-duplicates that it stands for.
    spread
        What each contributes to the variance of a weighted total, beside its squared residual: weight² times
        (1 - inclusion probability); 0 for a post that was sure to be labelled.
    """

    truth: Floats
    score: Floats
    weight: Floats
    spread: Floats

    @classmethod
    def drawn(cls, truth: Floats, score: Floats, n_posts: int) -> Labelled:
        """Return a simple random sample without replacement from ``n_posts``."""
        n = truth.shape[-1]
        if not 0 < n <= n_posts:
            raise ValueError(f"{n} labelled posts cannot be drawn from {n_posts}")
        weight = n_posts / n
        spread = weight**2 * (n_posts - n) / max(n_posts - 1, 1)
        return cls(truth, score, np.full(truth.shape, weight), np.full(truth.shape, spread))


@dataclass(frozen=True, slots=True)
class Scored:
    """The model's scores over all posts: how many, their mean and variance."""

    n_posts: int
    mean: float
    variance: float

    @classmethod
    def of(cls, scores: Floats) -> Scored:
        """Sum up the scores of all posts, shape (n_posts,)."""
        return (
            cls(len(scores), float(scores.mean()), float(scores.var())) if len(scores) else cls(0, 0.0, 0.0)
        )


@dataclass(frozen=True, slots=True)
class Estimates:
    """Shares with their intervals; arrays of the leading shape.

    Attributes
    ----------
    low, high
        The ends of the interval; NaN where the estimator has none.
    n_effective
        The labels that a simple random sample from an endless population would need to be as exact.
    ratio
        The variance over that of the labels alone: what the model saves.
    tuning
        How far the scores are used: 0 not at all, 1 as they are.
    """

    value: Floats
    low: Floats
    high: Floats
    n_effective: Floats
    ratio: Floats
    tuning: Floats


def classify_and_count(n_yes: float, n_posts: int) -> float:
    """Return the share of posts that the model decides ``yes``: biased by every error that does not cancel out.

    The name is G. Forman's ("Counting positives accurately despite inaccurate classification", ECML 2005).
    """
    return n_yes / n_posts


def probabilistic_count(scores: Floats) -> float:
    """Return the mean score: right if the scores are calibrated on just these posts.

    A. Bella, C. Ferri, J. Hernández-Orallo, M. J. Ramírez-Quintana, "Quantification via probability estimators",
    ICDM 2010.
    """
    return float(scores.mean())


def adjusted_count(yes_share: float, said: Floats, of: Labelled, level: float = LEVEL) -> Estimates:
    """Return the count of decisions corrected by the model's hits and false alarms among the labelled posts.

    (yes_share - false alarms) / (hits - false alarms), between 0 and 1; NaN where the model does not tell tagged
    posts from others.  The interval is that of the delta method and misses far too often with few positive
    posts, so it is indicative.

    Parameters
    ----------
    yes_share
        :func:`classify_and_count` over all posts.
    said
        1 where the model's decision on a labelled post was ``yes``, shape (..., n).

    Notes
    -----
    J. J. Gart, A. A. Buck, Am. J. Epidemiology 83 (1966); W. J. Rogan, B. Gladen, "Estimating prevalence from the
    results of a screening test", Am. J. Epidemiology 107 (1978); Forman 2005, "adjusted count".
    """
    share = _shares(of.weight)
    positive, negative = share * of.truth, share * (1 - of.truth)
    hits, alarms = (
        _ratio((positive * said).sum(-1), positive.sum(-1)),
        _ratio((negative * said).sum(-1), negative.sum(-1)),
    )
    gap = np.where(hits - alarms > _TINY, hits - alarms, np.nan)
    raw = (yes_share - alarms) / gap
    value = np.clip(raw, 0, 1)
    of_hits = hits * (1 - hits) * _ratio((positive**2).sum(-1), positive.sum(-1) ** 2)
    of_alarms = alarms * (1 - alarms) * _ratio((negative**2).sum(-1), negative.sum(-1) ** 2)
    half = normal_quantile(level) * np.sqrt(value**2 * of_hits + (1 - value) ** 2 * of_alarms) / gap
    unknown = np.full(value.shape, np.nan)
    return Estimates(value, np.clip(raw - half, 0, 1), np.clip(raw + half, 0, 1), unknown, unknown, unknown)


def prior_shift(scores: Floats, prior: float, n_steps: int = 1_000) -> float:
    """Return the share that explains the scores best if only the share has changed since the training.

    ``prior`` is the share in training, with which the scores are calibrated.  M. Saerens, P. Latinne,
    C. Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 14
    (2002): expectation-maximisation.
    """
    if not 0 < prior < 1:
        return prior
    share = prior
    for _ in range(n_steps):
        yes = scores * share / prior
        found = float((yes / (yes + (1 - scores) * (1 - share) / (1 - prior) + _TINY)).mean())
        if abs(found - share) < 1e-7:
            return found
        share = found
    return share


def human_labels(of: Labelled, level: float = LEVEL) -> Estimates:
    """Return the weighted share of labelled posts that bear the tag (Hájek), with Wilson's interval.

    W. G. Cochran, "Sampling techniques", 1977, chapters 2 and 3; the effective number of labels is L. Kish's
    ("Survey sampling", 1965), with the finite-population correction.
    """
    value = (_shares(of.weight) * of.truth).sum(-1)
    found = _with_interval(value, of, np.ones(value.shape), np.zeros(value.shape), level)
    step = np.where(np.isfinite(found.n_effective), _STEP / of.weight.sum(-1), 0)
    return replace(found, low=np.clip(found.low - step, 0, 1), high=np.clip(found.high + step, 0, 1))


def difference(of: Labelled, everything: Scored, level: float = LEVEL) -> Estimates:
    """Return the mean score of all posts plus the mean error of the score on the labelled ones.

    The difference estimator of survey sampling (C.-E. Särndal, B. Swensson, J. Wretman, "Model assisted survey
    sampling", 1992, section 6.3), which is prediction-powered inference for a mean (A. N. Angelopoulos, S. Bates,
    C. Fannjiang, M. I. Jordan, T. Zrnic, Science 382, 2023).  Right whatever the scores are, and wider than labels
    alone where they are poor.
    """
    residual = of.truth - (of.score - everything.mean)
    value = (_shares(of.weight) * residual).sum(-1)
    return _with_interval(value, of, _saving(residual, of), np.ones(value.shape), level)


def assisted(of: Labelled, everything: Scored, level: float = LEVEL) -> Estimates:
    """Return the difference estimator with scores used as far as they help; the default.

    How far (λ) is chosen for every labelled post from the others, by a ridge regression of truth on score, so
    that the choice does not bias the estimate: the generalised regression estimator (Särndal, Swensson, Wretman
    1992, section 6.4), which is PPI++ for a mean (A. N. Angelopoulos, J. C. Duchi, T. Zrnic, 2023), cross-fitted
    (T. Zrnic, E. J. Candès, "Cross-prediction-powered inference", PNAS 2024).  The interval is Wilson's at
    the effective number of labels n / ratio; the ratio of variances is shrunk towards 1, since with few positive
    posts it is hardly known.
    """
    share, part = _shares(of.weight), _parts(of)
    centred = of.score - (part * of.score).sum(-1, keepdims=True)
    truth = of.truth - (part * of.truth).sum(-1, keepdims=True)
    together = (part * centred * truth).sum(-1, keepdims=True)
    alone = (part * centred**2).sum(-1, keepdims=True)
    ridge = _RIDGE * everything.variance * (part**2).sum(-1, keepdims=True) + _TINY
    tuning = np.clip(together / (alone + ridge), 0, _MOST_TUNING)
    left = part / np.maximum(1 - part, _TINY)
    others = np.maximum(alone - left * centred**2, 0) + ridge
    without = np.clip((together - left * centred * truth) / others, 0, _MOST_TUNING)
    uncertain = np.clip(of.spread / np.maximum(of.weight, _TINY) ** 2, 0, 1)
    used = tuning + uncertain * (without - tuning)
    away = of.score - everything.mean
    value = (share * (of.truth - used * away)).sum(-1)
    return _with_interval(value, of, _saving(of.truth - without * away, of), tuning[..., 0], level)


def borrowed(of: Labelled, everything: Scored, there: Scored, level: float = LEVEL) -> Estimates:
    """Return the share among other posts (``there``) from labels of all: the synthetic estimate of a domain.

    Right only if the model errs there as it does elsewhere (J. N. K. Rao, I. Molina, "Small area estimation",
    2015, section 3.2); nothing in the data of the domain says so.
    """
    found = assisted(of, everything, level)
    value = found.value + found.tuning * (there.mean - everything.mean)
    low, high = wilson(value, found.n_effective, level)
    return Estimates(np.clip(value, 0, 1), low, high, found.n_effective, found.ratio, found.tuning)


def _with_interval(value: Floats, of: Labelled, ratio: Floats, tuning: Floats, level: float) -> Estimates:
    """Return estimates with Wilson's interval at the effective number of labels."""
    variance = ratio * of.spread.sum(-1) / of.weight.sum(-1) ** 2
    with np.errstate(divide="ignore"):
        n_effective = np.where(variance > 0, 1 / np.maximum(variance, 1e-300), np.inf)
    low, high = wilson(value, n_effective, level)
    return Estimates(np.clip(value, 0, 1), low, high, n_effective, ratio, tuning)


def _saving(residual: Floats, of: Labelled) -> Floats:
    """Return the variance of residuals over that of the truth, shrunk towards 1."""
    part = _parts(of)
    n = 1 / (part**2).sum(-1)
    mean = (part * of.truth).sum(-1)
    own = n * mean * (1 - mean)
    left = n * (part * (residual - (part * residual).sum(-1, keepdims=True)) ** 2).sum(-1)
    shrunk = _LIKE_LABELS_ALONE * np.maximum(mean * (1 - mean), 1 / n) + _LIKE_A_MISS
    return np.asarray((left + shrunk) / (own + shrunk))


def _shares(weight: Floats) -> Floats:
    return np.asarray(weight / weight.sum(-1, keepdims=True))


def _parts(of: Labelled) -> Floats:
    """Return each post's part in the variance; in the weight, where nothing is left to chance."""
    total = of.spread.sum(-1, keepdims=True)
    return np.where(total > 0, of.spread / np.where(total > 0, total, 1), _shares(of.weight))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1), np.nan)
