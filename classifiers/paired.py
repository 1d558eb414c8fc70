"""Two models on the same labelled posts, every post judged by scores that did not know it, with intervals.

A post that a model was trained on is judged by its out-of-fold score, which the bundle keeps; any other by the
model itself.  A post that a model was not trained on, but a near-duplicate of it among these posts was, is left
out.  The intervals are of a paired bootstrap over groups of near-duplicates (Efron and Tibshirani 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from annotations.progress import Progress, silent
from annotations.records import text_digest
from classifiers.bundle_documents import OutOfFold, read_out_of_fold
from classifiers.curves import decided
from classifiers.dataset import Dataset
from classifiers.scorer import Scorer

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_GROUPS = 10
N_SAMPLES = 1000
BETTER, WORSE, EVEN, OPEN = "better", "worse", "no clear difference", "cannot be judged"
_FIGURES = ("mean_average_precision", "micro_f1", "macro_f1")
_ENTRIES = 2_000_000


@dataclass(frozen=True, slots=True)
class Contender:
    """A model with what it says of the posts that it was trained on; None where its bundle does not say."""

    scorer: Scorer
    out_of_fold: OutOfFold | None

    @classmethod
    def load(cls, bundle: Path) -> Self:
        """Load it from the bundle in a folder.

        Raises
        ------
        BundleError
            The bundle is not sound.
        """
        return cls(Scorer.load(bundle), read_out_of_fold(bundle))


@dataclass(frozen=True, slots=True)
class ContestOptions:
    """``seed`` of the bootstrap; ``unseen_only`` leaves out posts that either model was trained on."""

    seed: int = 0
    unseen_only: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of both models; ``difference`` is the second minus the first, with its 95 % interval."""

    first: float
    second: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What the comparison of ``second`` with ``first`` came to.

    Attributes
    ----------
    known_to_first, known_to_second
        How many of the ``n_posts`` judged each was trained on (and is judged on out of fold).
    n_left_out
        Posts of which a near-duplicate was trained on, or that were trained on themselves with ``unseen_only``.
    n_tags
        Tags that both know and that occur.
    figures
        Mean average precision, micro and macro F1; empty where nothing can be judged.
    verdict
        Of the second by mean average precision: ``better``, ``worse``, ``no clear difference``, ``cannot be judged``.
    reason
        A sentence for people.
    """

    first: str
    second: str
    n_posts: int = 0
    n_groups: int = 0
    n_tags: int = 0
    n_left_out: int = 0
    known_to_first: int = 0
    known_to_second: int = 0
    figures: dict[str, Difference] = field(default_factory=dict)
    verdict: str = OPEN
    reason: str = ""

    @property
    def is_not_worse(self) -> bool:
        """Tell whether the second's mean average precision is at least the first's; no where nothing can be judged."""
        return bool(self.figures) and self.figures["mean_average_precision"].difference >= 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Answers:
    """Of one model on some posts and tags: probabilities and decisions (n_posts, n_tags)."""

    score: Floats
    yes: Bools


def contest(
    dataset: Dataset,
    first: Contender,
    second: Contender,
    options: ContestOptions | None = None,
    progress: Progress = silent,
) -> Contest:
    """Compare two models on the labels of ``dataset``.

    Parameters
    ----------
    progress
        Called with (resamples done, resamples to do).
    """
    options = options or ContestOptions()
    result = Contest(first=first.scorer.version, second=second.scorer.version)
    for each in (first, second):
        if each.out_of_fold is None:
            reason = f"model {each.scorer.version} does not say which posts it was trained on"
            return replace(result, reason=reason)
    known = [_known(each, dataset) for each in (first, second)]
    excluded = [_touched(each, dataset) for each in known] + (known if options.unseen_only else [])
    rows = np.flatnonzero(~np.any(excluded, axis=0))
    judged = dataset.subset(rows)
    tags = [
        tag
        for k, tag in enumerate(dataset.tag_ids)
        if tag in first.scorer.rules and tag in second.scorer.rules and judged.gold[:, k].any()
    ]
    n_groups = len(np.unique(judged.groups))
    result = replace(
        result,
        n_posts=len(judged),
        n_groups=n_groups,
        n_tags=len(tags),
        n_left_out=len(dataset) - len(judged),
        known_to_first=int(known[0][rows].sum()),
        known_to_second=int(known[1][rows].sum()),
    )
    if n_groups < MIN_GROUPS:
        reason = f"only {n_groups} different posts can be judged, at least {MIN_GROUPS} are needed"
        return replace(result, reason=reason)
    if not tags:
        return replace(result, reason="no tag that both models know occurs in the posts")
    answers = [_answers(each, judged, tags) for each in (first, second)]
    figures = _compared(judged, tags, answers, options.seed, progress)
    verdict, reason = _verdict(figures, n_groups)
    return replace(result, figures=figures, verdict=verdict, reason=reason)


def _known(contender: Contender, dataset: Dataset) -> Bools:
    """Tell which posts (n_posts,) the model was trained on."""
    row_of = contender.out_of_fold.row_of if contender.out_of_fold else {}
    return np.array([text_digest(text) in row_of for text in dataset.texts], dtype=bool)


def _touched(known: Bools, dataset: Dataset) -> Bools:
    """Tell which posts (n_posts,) are unknown to a model, but a near-duplicate of them is not."""
    return np.asarray(np.isin(dataset.groups, dataset.groups[known]) & ~known, dtype=bool)


def _answers(contender: Contender, dataset: Dataset, tags: Sequence[str]) -> _Answers:
    """Return what a model says of posts it has not seen; the base rate and no for a refused tag."""
    rules = [contender.scorer.rules[tag] for tag in tags]
    kept = contender.out_of_fold
    row_of = kept.row_of if kept else {}
    rows = np.array([row_of.get(text_digest(text), -1) for text in dataset.texts], dtype=np.int64)
    fresh = np.flatnonzero(rows < 0)
    score = np.full((len(dataset), len(tags)), np.nan)
    if len(fresh):
        order = {tag: k for k, tag in enumerate(contender.scorer.rules)}
        live = contender.scorer.probabilities([dataset.texts[row] for row in fresh])
        score[fresh] = live[:, [order[tag] for tag in tags]]
    for k, tag in enumerate(tags):
        if kept and tag in kept.tag_ids:
            score[rows >= 0, k] = expit(kept.log_odds[rows[rows >= 0], kept.tag_ids.index(tag)])
    yes = decided(tuple(rules), score)
    return _Answers(np.where(np.isnan(score), [rule.prevalence for rule in rules], score), yes)


def _compared(
    dataset: Dataset, tags: Sequence[str], answers: Sequence[_Answers], seed: int, progress: Progress
) -> dict[str, Difference]:
    truth = dataset.gold[:, [dataset.tag_ids.index(tag) for tag in tags]]
    one = np.ones((1, len(dataset)))
    points = [weighted_figures(truth, each.score, each.yes, one)[0] for each in answers]
    _, group_of = np.unique(dataset.groups, return_inverse=True)
    n_groups = int(group_of.max()) + 1
    generator = np.random.default_rng(seed)
    step = max(1, min(N_SAMPLES, _ENTRIES // len(dataset)))
    parts: list[Floats] = []
    for done in range(0, N_SAMPLES, step):
        progress(done, N_SAMPLES)
        n_drawn = min(step, N_SAMPLES - done)
        drawn = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_drawn)
        weights = drawn[:, group_of].astype(np.float64)
        found = [weighted_figures(truth, each.score, each.yes, weights) for each in answers]
        parts.append(found[1] - found[0])
    progress(N_SAMPLES, N_SAMPLES)
    low, high = np.nanquantile(np.concatenate(parts), [0.025, 0.975], axis=0)
    return {
        name: Difference(
            *map(float, (points[0][k], points[1][k], points[1][k] - points[0][k], low[k], high[k]))
        )
        for k, name in enumerate(_FIGURES)
    }


def weighted_figures(truth: Bools, score: Floats, yes: Bools, weights: Floats) -> Floats:
    """Return mean average precision, micro and macro F1 under weights of posts, shape (n_samples, 3).

    ``weights`` is (n_samples, n_posts), how often each post was drawn.  Over the tags drawn at least once.
    """
    n_true, n_yes = weights @ truth, weights @ yes
    hits = weights @ (truth & yes)
    here = n_true > 0
    n_here = here.sum(axis=1)
    precisions = np.stack(
        [_average_precision(truth[:, k], score[:, k], weights) for k in range(truth.shape[1])], axis=1
    )
    f1 = np.where(here, 2 * hits / np.maximum(n_true + n_yes, 1), 0.0)
    pooled = [np.where(here, part, 0).sum(axis=1) for part in (hits, n_true, n_yes)]
    micro = 2 * pooled[0] / np.maximum(pooled[1] + pooled[2], 1)
    figures = np.stack([precisions.sum(axis=1), micro * n_here, f1.sum(axis=1)], axis=1)
    blank = np.full(figures.shape, np.nan)
    return np.asarray(np.divide(figures, n_here[:, None], out=blank, where=n_here[:, None] > 0))


def _average_precision(truth: Bools, score: Floats, weights: Floats) -> Floats:
    """Return the average precision under weights, (n_samples,), equal scores being one step; 0 without a positive."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    drawn = weights[:, order]
    hits = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    n_yes = np.cumsum(drawn, axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0.0)
    total = (gained * hits / np.maximum(n_yes, 1)).sum(axis=1)
    return np.asarray(total / np.maximum(hits[:, -1], 1))


def _verdict(figures: dict[str, Difference], n_groups: int) -> tuple[str, str]:
    of = figures["mean_average_precision"]
    interval = (
        f"{of.difference:+.3f} (95 % interval {of.low:+.3f} to {of.high:+.3f}) on {n_groups} different posts"
    )
    if of.low > 0:
        return BETTER, f"the second is better: {interval}"
    if of.high < 0:
        return WORSE, f"the second is worse: {interval}"
    return EVEN, f"these posts do not tell which is better: {interval}"
