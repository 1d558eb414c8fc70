"""What more annotations would bring: a learning curve, a power law through it, and a plain answer.

The curve is measured by grouped cross-validation: in every fold the training is done on growing parts of the
training posts and judged on the same held-out ones.  Through the points goes ``a - b * n ** -c``, the form
that learning curves have been found to follow (Cortes, Jackel, Solla, Vapnik and Denker 1994; Viering and
Loog 2022).  The interval comes from the folds: whole curves are drawn with replacement and fitted again.

What is judged is posts like those annotated.  Where they were chosen rather than drawn, the figures are not
those of the whole corpus; the gain is a guide all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.metrics import ranking_metrics
from classifiers.scorer import Scorer
from classifiers.splits import folds
from classifiers.training import TrainingOptions, train

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_EXPONENTS = np.geomspace(0.05, 2.0, 40)
_SMALLEST_SHARE = 0.25
_LEAST_POSTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveOptions:
    """How the curve is measured.

    ``more`` posts are to be added; a gain below ``worthwhile`` would not be worth them. ``n_sizes`` sizes from a
    quarter of the posts on, each in ``n_folds`` folds, ``n_repeats`` times; ``n_resamples`` for the interval.
    """

    training: TrainingOptions = field(default_factory=TrainingOptions)
    more: int = 100
    worthwhile: float = 0.01
    n_sizes: int = 5
    n_folds: int = 5
    n_repeats: int = 2
    n_resamples: int = 500


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``limit - height * n ** -exponent``, never falling."""

    limit: float
    height: float
    exponent: float

    def at(self, n: float) -> float:
        """Return the score with ``n`` posts."""
        return float(self.limit - self.height * n**-self.exponent)


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Mean scores at sizes, the law fitted, and the gain of ``more`` posts with a 95 % interval."""

    sizes: tuple[int, ...]
    scores: tuple[float, ...]
    law: PowerLaw
    n_posts: int
    more: int
    gain: float
    gain_low: float
    gain_high: float
    signal: str
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        return asdict(self)


def learning_curve(
    dataset: Dataset,
    codebook: Codebook,
    options: CurveOptions | None = None,
    progress: Progress = silent,
) -> LearningCurve:
    """Measure the learning curve of mean average precision.

    Raises
    ------
    DatasetError
        Too few posts to take parts of, or too alike to be split.
    """
    options = options or CurveOptions()
    if len(dataset) < _LEAST_POSTS:
        raise DatasetError(
            f"a learning curve needs at least {_LEAST_POSTS} annotated posts, there are {len(dataset)}",
            hint="Annotate more posts; so few always gain from more.",
        )
    n_train = int(len(dataset) * (1 - 1 / options.n_folds))
    sizes = np.unique(np.geomspace(_SMALLEST_SHARE * n_train, n_train, options.n_sizes).astype(np.int64))
    curves = _measured(dataset, codebook, sizes, options, progress)
    return summary(sizes, curves, len(dataset), options)


def summary(sizes: Ints, curves: Floats, n_posts: int, options: CurveOptions) -> LearningCurve:
    """Fit the law to measured curves of shape (n_curves, n_sizes), and judge the gain."""
    law = fit_power_law(sizes, curves.mean(axis=0))
    gain = law.at(n_posts + options.more) - law.at(n_posts)
    rng = np.random.default_rng(options.training.seed)
    gains = []
    for _ in range(options.n_resamples):
        drawn = curves[rng.integers(len(curves), size=len(curves))]
        other = fit_power_law(sizes, drawn.mean(axis=0))
        gains.append(other.at(n_posts + options.more) - other.at(n_posts))
    # The mean of few curves spreads less when drawn from themselves than it does in truth.
    wider = np.sqrt(len(curves) / (len(curves) - 1)) if len(curves) > 1 else 1.0
    ends = np.quantile(gain + (np.array(gains) - gain) * wider, [0.025, 0.975])
    low, high = min(max(float(ends[0]), 0.0), gain), max(float(ends[1]), gain)
    signal, advice = _judged(low, high, options)
    scores = tuple(float(score) for score in curves.mean(axis=0))
    return LearningCurve(
        tuple(int(size) for size in sizes),
        scores,
        law,
        n_posts,
        options.more,
        gain,
        low,
        high,
        signal,
        advice,
    )


def fit_power_law(sizes: Sequence[int] | Ints, scores: Sequence[float] | Floats) -> PowerLaw:
    """Fit the law by least squares, with a limit of 1 at most and no fall; larger sizes weigh more."""
    n, y = np.asarray(sizes, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    weight = n / n.sum()
    best = PowerLaw(float((weight * y).sum()), 0.0, 1.0)
    least = float((weight * (y - best.limit) ** 2).sum())
    for exponent in _EXPONENTS:
        x = n**-exponent
        mean_x, mean_y = (weight * x).sum(), (weight * y).sum()
        spread = (weight * (x - mean_x) ** 2).sum()
        height = -(weight * (x - mean_x) * (y - mean_y)).sum() / spread if spread else 0.0
        limit = mean_y + height * mean_x
        if limit > 1:  # the best with the limit at 1
            limit, height = 1.0, float((weight * x * (1 - y)).sum() / (weight * x * x).sum())
        law = PowerLaw(float(limit), float(height), float(exponent))
        error = float((weight * (y - limit + height * x) ** 2).sum())
        if height >= 0 and error < least - 1e-15:
            best, least = law, error
    return best


def _measured(
    dataset: Dataset, codebook: Codebook, sizes: Ints, options: CurveOptions, progress: Progress
) -> Floats:
    """Return the scores of every fold and repeat, shape (n_curves, n_sizes)."""
    curves: list[list[float]] = []
    total = options.n_repeats * options.n_folds * len(sizes)
    progress(0, total)
    for repeat in range(options.n_repeats):
        seed = options.training.seed + repeat
        fold = folds(dataset, options.n_folds, seed)
        for number in np.unique(fold):
            held = np.flatnonzero(fold == number)
            order = _in_groups(dataset, np.flatnonzero(fold != number), seed)
            curve = []
            for size in sizes:
                curve.append(_score(dataset, codebook, order[:size], held, options.training))
                progress(len(curves) * len(sizes) + len(curve), total)
            curves.append(curve)
    return np.array(curves)


def _in_groups(dataset: Dataset, rows: Ints, seed: int) -> Ints:
    """Return the rows in random order, the posts of a group one after the other."""
    rng = np.random.default_rng(seed)
    rank = rng.permutation(int(dataset.groups.max()) + 1)
    ordered: Ints = rows[np.lexsort((rows, rank[dataset.groups[rows]]))]
    return ordered


def _score(dataset: Dataset, codebook: Codebook, rows: Ints, held: Ints, options: TrainingOptions) -> float:
    """Train on ``rows`` and return the mean average precision on ``held``; chance where nothing can be learnt."""
    gold = dataset.gold[held]
    try:
        model = train(dataset.subset(rows), codebook, replace(options, n_folds=3)).model
        scores = Scorer(model, "").probabilities([dataset.texts[row] for row in held])
    except DatasetError:
        scores = np.full(gold.shape, np.nan)
    return float(ranking_metrics(gold, scores).get("mean_average_precision", 0.0))


def _judged(low: float, high: float, options: CurveOptions) -> tuple[str, str]:
    worthwhile = options.worthwhile
    if high < worthwhile:
        return "stop", f"Stop: {options.more} more posts would hardly bring {worthwhile:g}."
    if low >= worthwhile:
        return "go on", f"Go on: {options.more} more posts bring {worthwhile:g} or more."
    return "unclear", (
        f"Unclear: {options.more} more posts may or may not bring {worthwhile:g}. Annotate them and ask again."
    )
