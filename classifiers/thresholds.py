"""From probabilities to decisions: thresholds by a stated policy, and the tags that are not predicted.

Thresholds follow from the probabilities alone, of posts that neither the model nor its calibration had seen: a
search over labels would fit the noise of a few positives.  Whatever the policy, no threshold says yes to
nearly everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from classifiers.predictions import DECISIONS, Decision

Floats = npt.NDArray[np.float64]
Policy = Literal["best-f1", "precision", "recall", "cost"]
_LOWEST = 0.01
_HIGHEST = float(np.nextafter(1, 0))


@dataclass(frozen=True, slots=True)
class ThresholdOptions:
    """The policy of decisions.

    Attributes
    ----------
    policy
        ``best-f1``: half the best F1 that can be expected.  ``precision``, ``recall``: the threshold that finds
        most, or errs least, among those whose expected precision or recall is at least ``floor``.  ``cost``:
        the least expected cost where a false yes costs ``false_yes_cost`` times as much as a false no.
    min_support
        The sum of label shares (positive posts, where annotators agree) below which a tag is not predicted,
        and likewise for posts without the tag.
    abstain_margin
        Scores nearer than this to the threshold are ``abstain``; by default the band is empty.
    """

    policy: Policy = "best-f1"
    floor: float = 0.8
    false_yes_cost: float = 1.0
    min_support: float = 5.0
    abstain_margin: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.floor <= 1:
            raise ValueError(f"a floor of precision or recall is above 0 and at most 1, not {self.floor:g}")
        if self.false_yes_cost <= 0 or not np.isfinite(self.false_yes_cost):
            raise ValueError(f"a cost is above 0, not {self.false_yes_cost:g}")


@dataclass(frozen=True, slots=True)
class TagRule:
    """How one tag is decided; ``threshold`` is None for a tag that is not predicted, and ``reason`` says why."""

    tag_id: str
    prevalence: float
    support: float
    threshold: float | None = None
    abstain_margin: float = 0.0
    reason: str = ""

    @property
    def predicted(self) -> bool:
        """Whether the model predicts the tag."""
        return self.threshold is not None


def decide(rules: Sequence[TagRule], scores: Floats) -> npt.NDArray[np.int8]:
    """Return the number in ``DECISIONS`` of the decision on every score, shape (n_texts, n_rules).

    A tag that is not predicted, and a score that is NaN, is ``abstain``.
    """
    threshold = np.array([np.nan if rule.threshold is None else rule.threshold for rule in rules])
    margin = np.array([rule.abstain_margin for rule in rules])
    abstains = np.isnan(scores - threshold) | (np.abs(scores - threshold) < margin)
    found = np.where(scores >= threshold, DECISIONS.index(Decision.YES), DECISIONS.index(Decision.NO))
    return np.where(abstains, DECISIONS.index(Decision.ABSTAIN), found).astype(np.int8)


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
    tag_ids: tuple[str, ...], log_odds: Floats, shares: Floats, options: ThresholdOptions
) -> tuple[TagRule, ...]:
    """Choose every tag's threshold.

    Parameters
    ----------
    log_odds
        Of unseen posts, shape (n_posts, n_tags); columns of refused tags are not looked at.
    shares
        Label shares of the same shape.
    """
    rules = []
    for k, tag in enumerate(tag_ids):
        share = shares[:, k]
        prevalence, support = float(share.mean()), float(share.sum())
        if reason := refusal(share, options):
            rules.append(TagRule(tag, prevalence, support, reason=reason))
            continue
        threshold = choose_threshold(expit(log_odds[:, k]), prevalence, options)
        rules.append(TagRule(tag, prevalence, support, threshold, options.abstain_margin))
    return tuple(rules)


def choose_threshold(probabilities: Floats, prevalence: float, options: ThresholdOptions) -> float:
    """Return the threshold of one tag from calibrated probabilities of unseen posts, shape (n_posts,).

    The F1-optimal threshold of a calibrated classifier is half the best F1 it can reach (Lipton, Elkan and
    Naryanaswamy 2014), here the best expected F1 under the probabilities themselves.  At most
    (1 + prevalence) / 2 of the posts get a yes.
    """
    ordered = np.sort(probabilities)[::-1]
    n = len(ordered)
    wanted = max(_wanted(ordered, options), _LOWEST)
    most = min(int(n * (1 + prevalence) / 2), n - 1)
    return min(max(wanted, _cut(ordered, most)), _HIGHEST)


def _wanted(ordered: Floats, options: ThresholdOptions) -> float:
    """Return the threshold that the policy asks for; ``ordered`` are the probabilities, descending."""
    found, ranks = np.cumsum(ordered), np.arange(1, len(ordered) + 1)
    if options.policy == "cost":
        return options.false_yes_cost / (1 + options.false_yes_cost)
    if options.policy == "precision":
        enough = np.flatnonzero(found / ranks >= options.floor)
        return float(ordered[enough[-1]]) if len(enough) else _HIGHEST
    if options.policy == "recall":
        return float(ordered[np.argmax(found >= options.floor * found[-1] * (1 - 1e-12))])
    return float((2 * found / (ranks + found[-1])).max()) / 2


def _cut(ordered: Floats, n_yes: int) -> float:
    """Return a threshold that at most ``n_yes`` of the descending probabilities reach (fewer where there are ties)."""
    n_yes = min(max(n_yes, 0), len(ordered) - 1)
    after = float(ordered[n_yes])
    above = ordered[:n_yes][ordered[:n_yes] > after]
    return (float(above[-1]) + after) / 2 if len(above) else float(np.nextafter(after, 1))
