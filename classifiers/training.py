"""Training: features, views and calibration from a dataset.

The same data, seed and options give the same weights on any number of jobs: every fit is single-threaded and
independent of the others, and weights are rounded to float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.features import BlockSpec, Corpus, Encoder, fit_blocks
from classifiers.fitting import Bools, FitOptions, Fitted, Material, ViewRows, fit_tag, score_tag
from classifiers.linear import LinearModel, View
from classifiers.metrics import ranking_metrics
from classifiers.model import Model
from classifiers.splits import folds
from classifiers.thresholds import ThresholdOptions, fit_rules, refusal

Floats = npt.NDArray[np.float64]
DEFAULT_BLOCKS = (BlockSpec("words", "words", 1, 2), BlockSpec("chars", "chars", 3, 5))


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; nothing in it depends on the data.

    ``evidence`` adds the annotators' quotes as training texts; ``sentence_view`` adds the view over
    sentences, which needs evidence. ``inverse_penalty`` is scikit-learn's ``C``; ``sharpness`` that of the
    pooling over sentences; ``n_folds`` is for calibration and thresholds. ``n_jobs`` as in joblib.
    """

    seed: int = 0
    n_jobs: int = 1
    evidence: bool = True
    sentence_view: bool = True
    inverse_penalty: float = 10.0
    sharpness: float = 1.0
    n_folds: int = 5
    blocks: tuple[BlockSpec, ...] = DEFAULT_BLOCKS
    thresholds: ThresholdOptions = field(default_factory=ThresholdOptions)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model with the out-of-fold scores (n_posts, n_tags.

    NaN for refused tags) that its rules were fitted on.
    """

    model: Model
    out_of_fold: Floats


def train(
    dataset: Dataset,
    codebook: Codebook,
    options: TrainingOptions | None = None,
    progress: Progress = silent,
) -> TrainedModel:
    """Train on ``dataset``.

    Parameters
    ----------
    progress
        Called with (fits done, fits to do).

    Raises
    ------
    DatasetError
        No tag has enough examples, or the posts cannot be split.
    """
    options = options or TrainingOptions()
    kept = [k for k in range(len(dataset.tag_ids)) if not refusal(dataset.shares[:, k], options.thresholds)]
    if not kept:
        raise DatasetError(
            "no tag has enough examples to learn from",
            hint=f"Annotate more posts: a tag needs {options.thresholds.min_support:g} positive ones.",
        )
    linear, scores = _fit_linear(dataset, kept, options, progress)
    rules = fit_rules(dataset.tag_ids, scores, dataset.shares, options.thresholds)
    calibrated = np.column_stack(
        [rule.calibrated(scores[:, k]) if rule.predicted else scores[:, k] for k, rule in enumerate(rules)]
    )
    model = Model(
        codebook,
        linear,
        rules,
        dataset.digest,
        options=_recorded(options),
        metrics={"out_of_fold": ranking_metrics(dataset.gold, calibrated)},
        training=_summary(dataset),
    )
    return TrainedModel(model, scores)


def _fit_linear(
    dataset: Dataset, kept: Sequence[int], options: TrainingOptions, progress: Progress
) -> tuple[LinearModel, Floats]:
    """Fit the ``kept`` tags on all posts, and score every post by a model fitted without its fold."""
    corpus = Corpus.of(dataset.texts)
    blocks = fit_blocks(corpus, options.blocks)
    material = Material(dataset, corpus, Encoder(blocks), evidence=options.evidence)
    fold = folds(dataset, options.n_folds, options.seed)
    min_df = np.repeat([spec.min_df for spec in options.blocks], [len(block.terms) for block in blocks])
    scores = np.full(dataset.shares.shape, np.nan)
    numbers = np.unique(fold)
    fits = _Fits(kept, options, progress, (len(numbers) + 1) * len(kept))
    for number in numbers:
        # A held-out post must look as a new post will: without the terms that only it brought in.
        views = material.views(material.known_terms(fold != number, min_df), fits.options)
        held = fold == number
        for k, fitted in zip(kept, fits.run(views, fold != number), strict=True):
            scores[held, k] = score_tag(views, fitted, corpus, fits.options)[held]
    views = material.views(None, fits.options)
    final = fits.run(views, np.ones(len(dataset), dtype=bool))
    stacked = [_stacked(view, [fitted[i] for fitted in final]) for i, view in enumerate(views)]
    return LinearModel(blocks, stacked, [dataset.tag_ids[k] for k in kept], options.sharpness), scores


class _Fits:
    """Runs the fits of all tags in parallel and tells how many are done."""

    def __init__(self, tags: Sequence[int], options: TrainingOptions, progress: Progress, total: int) -> None:
        self._tags = tags
        self._n_jobs = options.n_jobs
        self._progress = progress
        self._total = total
        self._done = 0
        self.options = FitOptions(
            options.inverse_penalty, options.sharpness, options.evidence and options.sentence_view
        )
        progress(0, total)

    def run(self, views: Sequence[ViewRows], posts: Bools) -> list[list[Fitted]]:
        """Fit every tag's views on ``posts`` (n_posts,)."""
        jobs = (delayed(fit_tag)(views, tag, posts, self.options) for tag in self._tags)
        found = []
        for fitted in Parallel(n_jobs=self._n_jobs, return_as="generator")(jobs):
            found.append(fitted)
            self._done += 1
            self._progress(self._done, self._total)
        return found


def _stacked(view: ViewRows, fitted: Sequence[Fitted]) -> View:
    weights = np.ascontiguousarray(np.stack([weights for weights, _ in fitted], axis=1))
    return View(view.name, view.scope, weights, np.array([bias for _, bias in fitted], dtype=np.float32))


def _recorded(options: TrainingOptions) -> dict[str, Any]:
    """Return the options as JSON-able values, without ``n_jobs``, which changes nothing in the result."""
    values = asdict(options)
    del values["n_jobs"]
    values["blocks"] = [asdict(spec) for spec in options.blocks]
    return values


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "n_posts": len(dataset),
        "n_annotations": int(dataset.n_annotators.sum()),
        "n_groups": len(np.unique(dataset.groups)),
        "codebooks": list(dataset.codebooks),
    }
