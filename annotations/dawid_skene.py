"""Who is right where annotators differ, estimated from how they differ: Dawid and Skene's observer error rates.

Libraries that have it (crowd-kit) bring deep-learning packages along; the algorithm itself is a few lines.

References
----------
A. P. Dawid, A. M. Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm",
Journal of the Royal Statistical Society C 28 (1979), equations 2.3 to 2.5 and 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """What was estimated.

    Attributes
    ----------
    classes
        Shape ``(n_items, n_classes)``: the probability of each class.
    marginals
        Shape ``(n_classes,)``: how frequent each class is.
    error_rates
        Shape ``(n_raters, n_classes, n_classes)``: how often a rater answers the second where the first is true.
    """

    classes: Floats
    marginals: Floats
    error_rates: Floats


def dawid_skene(
    counts: Floats, *, smoothing: float = 0.0, tolerance: float = 1e-7, max_rounds: int = 1000
) -> DawidSkene:
    """Estimate the classes of items.

    Parameters
    ----------
    counts
        Shape ``(n_items, n_raters, n_classes)``: how often each rater gave each class to each item; every item has
        an answer.
    smoothing
        Added to every count of answers, so that a rater with few items is not taken to be infallible.
    tolerance
        When to stop: the largest change of a probability in a round.
    max_rounds
        When to stop in any case.
    """
    answers = counts.sum(axis=1)
    classes = answers / answers.sum(axis=1, keepdims=True)
    for _ in range(max_rounds):
        marginals = classes.mean(axis=0)
        rates = np.einsum("ij,ikl->kjl", classes, counts) + smoothing
        rates = rates / np.maximum(rates.sum(axis=2, keepdims=True), np.finfo(float).tiny)
        with np.errstate(divide="ignore"):
            log_rates = np.where(rates > 0, np.log(rates), -1e9)  # times a count of 0 it stays 0
            log_likely = np.einsum("ikl,kjl->ij", counts, log_rates) + np.log(marginals)
        likely = np.exp(log_likely - log_likely.max(axis=1, keepdims=True))
        before, classes = classes, likely / likely.sum(axis=1, keepdims=True)
        if np.abs(classes - before).max() < tolerance:
            break
    return DawidSkene(classes, marginals, rates)
