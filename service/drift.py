"""How far the scores of late have drifted from those of the training posts.

The reference are the out-of-fold scores that a bundle keeps: what models that had not seen a post said about it.
Both measures are of a tag.  The population stability index compares the shares of ten classes that hold a tenth of the
reference each (source: Siddiqi, Credit Risk Scorecards, 2006): 0 is no difference.  It is not 0 for two samples of one
population either, but about 9 (1/n + 1/m).  The shift is the difference of the means in standard deviations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from classifiers.bundle_documents import OutOfFold

Floats = npt.NDArray[np.float64]

FEWEST_POSTS = 100
"""Of fewer posts, or training posts, nothing is said."""
_N_CLASSES = 10
_WINDOW = 5_000
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Drift:
    """Of one tag: the population stability index, and the shift of the mean log-odds in standard deviations."""

    stability_index: float
    shift: float


class RecentScores:
    """The scores of the last 5,000 posts by one model, one column a tag. Not safe to share between threads."""

    def __init__(self, version: str, tag_ids: Sequence[str]) -> None:
        self.version = version
        self.tag_ids = tuple(tag_ids)
        self._scores = np.full((_WINDOW, len(self.tag_ids)), np.nan, dtype=np.float32)
        self._n_seen = 0

    def add(self, scores: Sequence[float] | Floats) -> None:
        """Add the scores of a post, NaN where a tag is not predicted."""
        self._scores[self._n_seen % _WINDOW] = scores
        self._n_seen += 1

    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """The scores, shape (n_posts, n_tags), in no order."""
        return self._scores[: min(self._n_seen, _WINDOW)]


def drifts(recent: RecentScores, reference: OutOfFold) -> Mapping[str, Drift]:
    """Return the drift of every tag of which there are enough scores on both sides."""
    found = {}
    for column, tag_id in enumerate(recent.tag_ids):
        if tag_id in reference.tag_ids:
            now = recent.scores[:, column].astype(np.float64)
            now, then = now[~np.isnan(now)], reference.log_odds[:, reference.tag_ids.index(tag_id)]
            if min(len(now), len(then)) >= FEWEST_POSTS:
                found[tag_id] = _drift(now, then)
    return found


def _drift(now: Floats, then: Floats) -> Drift:
    before = expit(then)
    edges = np.quantile(before, np.linspace(0, 1, _N_CLASSES + 1)[1:-1])
    expected, actual = _shares(before, edges), _shares(now, edges)
    index = float(np.sum((actual - expected) * np.log(actual / expected)))
    odds = logit(np.clip(now, _EDGE, 1 - _EDGE))
    return Drift(index, float((odds.mean() - then.mean()) / max(then.std(), _EDGE)))


def _shares(scores: Floats, edges: Floats) -> Floats:
    """Return the share of every class; half a post is added to each, so that none is empty."""
    counts = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=_N_CLASSES) + 0.5
    shares: Floats = counts / counts.sum()
    return shares
