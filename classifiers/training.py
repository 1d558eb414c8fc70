"""Training: views, second stage and thresholds from a dataset.

The same data, seed and options give the same weights on any number of jobs: every fit is single-threaded and
independent of the others, and weights are float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from classifiers.combining import combine, evidence_scale
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.fitting import Bools, FitOptions, FittedViews, HeldOut, Material
from classifiers.linear import Combination, LinearModel
from classifiers.metrics import ranking_metrics
from classifiers.model import Model
from classifiers.splits import folds
from classifiers.thresholds import ThresholdOptions, fit_rules, refusal

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; nothing in it depends on the data.

    Attributes
    ----------
    seed
        Of the folds.
    n_jobs
        Processes, as in joblib.
    n_folds
        For the second stage, which is fitted on scores of posts that the views had not seen.
    coupling
        Whether the scores of other tags may tell about a tag.
    """

    seed: int = 0
    n_jobs: int = 1
    n_folds: int = 5
    coupling: bool = True
    fit: FitOptions = field(default_factory=FitOptions)
    thresholds: ThresholdOptions = field(default_factory=ThresholdOptions)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model with the log-odds (n_posts, n_tags) of its training posts by models that had not seen them.

    The thresholds were chosen on them; NaN for refused tags.
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
    linear, unseen = _fit_linear(dataset, codebook, kept, options, progress)
    log_odds = np.full(dataset.shares.shape, np.nan)
    log_odds[:, kept] = unseen
    model = Model(
        codebook,
        linear,
        fit_rules(dataset.tag_ids, log_odds, dataset.shares, options.thresholds),
        dataset.digest,
        options=_recorded(options),
        metrics={"out_of_fold": ranking_metrics(dataset.gold, expit(log_odds))},
        training=_summary(dataset),
    )
    return TrainedModel(model, log_odds)


def _fit_linear(
    dataset: Dataset,
    codebook: Codebook,
    kept: Sequence[int],
    options: TrainingOptions,
    progress: Progress,
) -> tuple[LinearModel, Floats]:
    """Fit the ``kept`` tags on all posts, and score every post by a model fitted without its fold."""
    fold = folds(dataset, options.n_folds, options.seed)
    numbers = np.unique(fold)
    progress(0, len(numbers) + 1)
    material = Material(dataset, codebook, kept, options.fit)
    jobs = [delayed(_fit_all)(material)] + [delayed(_fit_without)(material, fold == n) for n in numbers]
    results: list[Any] = []
    for result in Parallel(n_jobs=options.n_jobs, return_as="generator")(jobs):
        results.append(result)
        progress(len(results), len(jobs))
    fitted: FittedViews = results[0]
    parts: list[HeldOut] = results[1:]
    held_out = np.zeros((len(fitted.views), len(dataset), len(kept)))
    for number, part in zip(numbers, parts, strict=True):
        held_out[:, fold == number] = part.posts
    with threadpool_limits(limits=1):
        mix, offset, unseen = combine(held_out, dataset.shares[:, kept], fold, coupling=options.coupling)
        of_sentences = np.concatenate([part.sentences for part in parts], axis=1)
        scale, shift = evidence_scale(of_sentences, options.fit.views)
    tag_ids = [dataset.tag_ids[k] for k in kept]
    combination = Combination(mix, offset, scale, shift)
    return LinearModel(fitted.blocks, fitted.views, combination, tag_ids, material.languages), unseen


def _fit_all(material: Material) -> FittedViews:
    return material.fit(np.ones(len(material.corpus.texts), dtype=bool))


def _fit_without(material: Material, held_out: Bools) -> HeldOut:
    return material.score(material.fit(~held_out), held_out)


def _recorded(options: TrainingOptions) -> dict[str, Any]:
    """Return the options as JSON-able values, without ``n_jobs``, which changes nothing in the result."""
    values = asdict(options)
    del values["n_jobs"]
    values["fit"]["views"] = list(options.fit.views)
    return values


def _summary(dataset: Dataset) -> dict[str, Any]:
    return {
        "n_posts": len(dataset),
        "n_annotations": int(dataset.n_annotators.sum()),
        "n_groups": len(np.unique(dataset.groups)),
        "codebooks": list(dataset.codebooks),
    }
