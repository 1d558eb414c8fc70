"""Is one model worse than another? Both judge the same posts, which neither has seen, groups kept together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifiers.dataset import Dataset
from classifiers.metrics import average_precision
from classifiers.scorer import Scorer

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

HOLD_OUT_SHARE = 0.5
MAX_SHARE = 0.2
MIN_GROUPS = 10
_N_SAMPLES = 500


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean average precision of two models on the same posts, over the tags that both know and that occur.

    ``difference`` is the candidate's minus the reference's; ``low`` and ``high`` are its 95 % interval by a
    paired bootstrap over groups (None with too few posts to draw one).
    """

    n_posts: int
    n_groups: int
    n_tags: int
    candidate: float
    reference: float
    difference: float
    low: float | None
    high: float | None

    @property
    def is_not_worse(self) -> bool:
        """Tell whether the candidate is at least as good on these posts."""
        return self.difference >= 0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures ready for JSON."""
        return asdict(self)


def held_out(dataset: Dataset, unseen: Bools, seed: int = 0) -> Bools:
    """Choose posts to compare on, shape (n_posts,): some of the groups of which no post was ever seen.

    Parameters
    ----------
    unseen
        Shape (n_posts,): the posts that the model in use was not trained on.

    Returns
    -------
    Half of those groups, and at most a fifth of all; none at all where that leaves fewer than ten groups.
    """
    seen_groups = np.unique(dataset.groups[~unseen])
    fresh = np.setdiff1d(np.unique(dataset.groups), seen_groups)
    n_groups = len(np.unique(dataset.groups))
    wanted = min(int(len(fresh) * HOLD_OUT_SHARE), max(int(n_groups * MAX_SHARE), MIN_GROUPS))
    if wanted < MIN_GROUPS:
        return np.zeros(len(dataset), dtype=bool)
    chosen = np.random.default_rng(seed).permutation(fresh)[:wanted]
    return np.isin(dataset.groups, chosen)


def compare(dataset: Dataset, candidate: Scorer, reference: Scorer, seed: int = 0) -> Comparison | None:
    """Compare two models on the posts of ``dataset``; None where no tag occurs that both know."""
    known = [tag for tag in dataset.tag_ids if tag in candidate.rules and tag in reference.rules]
    columns = [dataset.tag_ids.index(tag) for tag in known]
    truth = dataset.gold[:, columns]
    occurring = np.asarray(truth.any(axis=0))
    if not occurring.any():
        return None
    truth = truth[:, occurring]
    tags = [tag for tag, here in zip(known, occurring.tolist(), strict=True) if here]
    mine, theirs = _scores(candidate, dataset, tags), _scores(reference, dataset, tags)
    differences = _resampled(truth, mine, theirs, (dataset.groups, seed))
    low, high = np.quantile(differences, [0.025, 0.975]) if len(differences) else (None, None)
    own, other = _mean_precision(truth, mine), _mean_precision(truth, theirs)
    return Comparison(
        n_posts=len(dataset),
        n_groups=len(np.unique(dataset.groups)),
        n_tags=len(tags),
        candidate=own,
        reference=other,
        difference=own - other,
        low=None if low is None else float(low),
        high=None if high is None else float(high),
    )


def _scores(scorer: Scorer, dataset: Dataset, tags: list[str]) -> Floats:
    """Return the scores of some tags, shape (n_posts, n_tags): the base rate where a tag is refused."""
    order = list(scorer.rules)
    scores = scorer.probabilities(dataset.texts)[:, [order.index(tag) for tag in tags]]
    base = np.array([scorer.rules[tag].prevalence for tag in tags])
    return np.where(np.isnan(scores), base, scores)


def _mean_precision(truth: Bools, scores: Floats) -> float:
    values = [
        average_precision(truth[:, k], scores[:, k]) for k in range(truth.shape[1]) if truth[:, k].any()
    ]
    return float(np.mean(values)) if values else float("nan")


def _resampled(truth: Bools, mine: Floats, theirs: Floats, drawn: tuple[Ints, int]) -> Floats:
    groups, seed = drawn
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(_N_SAMPLES if len(members) >= MIN_GROUPS else 0):
        picks = generator.integers(len(members), size=len(members))
        rows = np.concatenate([members[pick] for pick in picks])
        found.append(_mean_precision(truth[rows], mine[rows]) - _mean_precision(truth[rows], theirs[rows]))
    return np.array([value for value in found if not np.isnan(value)])
