"""From scores to probabilities and decisions: calibration, thresholds, and the tags that are not predicted.

Everything here works on out-of-fold scores, so that no post helps to judge itself.  With few positives a
tag's own optimum is mostly noise; hence three restraints: the calibration's slope is drawn towards the
slope that all tags share, the threshold towards the one that says yes as often as the annotators do, and no
threshold may say yes to nearly everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from classifiers.predictions import Decision

Floats = npt.NDArray[np.float64]
_SLOPE_STRENGTH = 5.0
_PRIOR_POSITIVES = 20.0
_BOUNDS = (0.01, 0.99)
_HIGHEST = float(np.nextafter(1, 0))


@dataclass(frozen=True, slots=True)
class ThresholdOptions:
    """The policy of decisions.

    ``min_support`` is the sum of label shares (positive posts, where annotators agree) below which a tag is
    not predicted, and likewise for posts without the tag.  Scores nearer than ``abstain_margin`` to the
    threshold are ``abstain``; by default the band is empty.
    """

    min_support: float = 5.0
    abstain_margin: float = 0.0


@dataclass(frozen=True, slots=True)
class TagRule:
    """How one tag is decided; ``slope``, ``intercept`` and ``threshold`` are None for a tag that is not predicted.

    The score is ``1 / (1 + exp(-(slope * uncalibrated + intercept)))``, with ``slope > 0``.
    """

    tag_id: str
    prevalence: float
    support: float
    slope: float | None = None
    intercept: float | None = None
    threshold: float | None = None
    abstain_margin: float = 0.0
    reason: str = ""

    @property
    def predicted(self) -> bool:
        """Whether the model predicts the tag."""
        return self.threshold is not None

    def decide(self, score: float) -> Decision:
        """Return the decision at a calibrated score."""
        if self.threshold is None or abs(score - self.threshold) < self.abstain_margin:
            return Decision.ABSTAIN
        return Decision.YES if score >= self.threshold else Decision.NO

    def calibrated(self, scores: Floats) -> Floats:
        """Return the probabilities of uncalibrated scores."""
        if self.slope is None or self.intercept is None:
            raise ValueError(f"the tag '{self.tag_id}' is not predicted")
        return np.asarray(expit(self.slope * scores + self.intercept), dtype=np.float64)


def refusal(shares: Floats, options: ThresholdOptions) -> str:
    """Say why a tag with these label shares (n_posts,) is not predicted; empty if it is."""
    yes, no = float(shares.sum()), float((1 - shares).sum())
    least = options.min_support
    if yes < least:
        return f"too few examples: {yes:g} positive posts in training, at least {least:g} are needed"
    if no < least:
        return f"too few counter-examples: {no:g} posts without the tag in training, at least {least:g} are needed"
    return ""


def fit_rules(
    tag_ids: tuple[str, ...], scores: Floats, shares: Floats, options: ThresholdOptions
) -> tuple[TagRule, ...]:
    """Fit calibration and threshold of every tag.

    Parameters
    ----------
    scores
        Out-of-fold uncalibrated scores, shape (n_posts, n_tags); columns of refused tags are not looked at.
    shares
        Label shares of the same shape.
    """
    reasons = [refusal(shares[:, k], options) for k in range(len(tag_ids))]
    kept = [k for k, reason in enumerate(reasons) if not reason]
    pooled = _platt(scores[:, kept], shares[:, kept], 0.0, 1.0)[0] if kept else 0.0
    rules = []
    for k, (tag, reason) in enumerate(zip(tag_ids, reasons, strict=True)):
        share = shares[:, k]
        prevalence, support = float(share.mean()), float(share.sum())
        if reason:
            rules.append(TagRule(tag, prevalence, support, reason=reason))
            continue
        log_slope, intercepts = _platt(scores[:, [k]], share[:, None], pooled, _SLOPE_STRENGTH)
        slope, intercept = float(np.exp(log_slope)), float(intercepts[0])
        threshold = choose_threshold(expit(slope * scores[:, k] + intercept), share)
        rules.append(TagRule(tag, prevalence, support, slope, intercept, threshold, options.abstain_margin))
    return tuple(rules)


def choose_threshold(probabilities: Floats, shares: Floats) -> float:
    """Return the threshold of one tag from its calibrated out-of-fold probabilities and label shares, both (n_posts,).

    The F1-optimal threshold of a calibrated classifier is half the best F1 it can reach (Lipton, Elkan and
    Naryanaswamy 2014), here the best expected F1 under the probabilities themselves: no search over labels.
    It is averaged, on the log-odds scale, with the threshold that says yes as often as the annotators,
    which counts for 20 positives. At most (1 + prevalence) / 2 of the posts get a yes.
    """
    ordered = np.sort(probabilities)[::-1]
    n = len(ordered)
    expected = 2 * np.cumsum(ordered) / (np.arange(1, n + 1) + ordered.sum())
    best_f1 = float(expected.max()) / 2
    matching = _cut(ordered, round(float(shares.sum())))
    weight = float(shares.sum()) / (float(shares.sum()) + _PRIOR_POSITIVES)
    ends = np.clip([best_f1, matching], *_BOUNDS)
    mixed = float(expit(weight * logit(ends[0]) + (1 - weight) * logit(ends[1])))
    most = min(int(n * (1 + float(shares.mean())) / 2), n - 1)
    return min(max(mixed, _cut(ordered, most)), _HIGHEST)


def _cut(ordered: Floats, n_yes: int) -> float:
    """Return a threshold that at most ``n_yes`` of the descending probabilities reach (fewer where there are ties)."""
    n_yes = min(max(n_yes, 0), len(ordered) - 1)
    after = float(ordered[n_yes])
    above = ordered[:n_yes][ordered[:n_yes] > after]
    return (float(above[-1]) + after) / 2 if len(above) else float(np.nextafter(after, 1))


def _platt(scores: Floats, shares: Floats, prior: float, strength: float) -> tuple[float, Floats]:
    """Fit ``expit(exp(s) * score + b)`` with one s for all columns and one b each; s is drawn towards ``prior``.

    The targets are smoothed as in Platt (1999), "Probabilistic outputs for support vector machines".
    """
    yes, no = shares.sum(axis=0), (1 - shares).sum(axis=0)
    target = shares * (yes + 1) / (yes + 2) + (1 - shares) / (no + 2)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope, raw = np.exp(parameters[0]), parameters[1:]
        z = slope * scores + raw
        entropy = np.logaddexp(0, z) - target * z
        error = expit(z) - target
        penalty = strength / 2 * (parameters[0] - prior) ** 2
        gradient = np.concatenate(
            [[(error * slope * scores).sum() + strength * (parameters[0] - prior)], error.sum(axis=0)]
        )
        return float(entropy.sum() + penalty), gradient

    start = np.concatenate([[prior], logit((yes + 1) / (yes + no + 2))])
    bounds = [(-8.0, 8.0)] + [(-60.0, 60.0)] * scores.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), found.x[1:]
