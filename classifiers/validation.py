"""Honest figures without other labels: the whole training procedure, cross-validated by group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.evaluation import Evaluation, joined, outcomes, summarise
from classifiers.scorer import Scorer
from classifiers.splits import folds
from classifiers.training import TrainingOptions, train

N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Figures of the procedure and of the text-only baseline on the same folds.

    Every post is judged by a model that has seen neither it nor a near-duplicate of it: features,
    calibration and thresholds included.
    """

    n_folds: int
    model: Evaluation
    baseline: Evaluation

    def to_dict(self) -> dict[str, Any]:
        """Return the model's figures ready for JSON, with the baseline's under ``text_only``."""
        return self.model.to_dict() | {"n_folds": self.n_folds, "text_only": self.baseline.to_dict()}


def text_only(options: TrainingOptions) -> TrainingOptions:
    """Return the options of the baseline: texts and tags alone, without evidence, cues or other tags."""
    fit = replace(options.fit, views=("documents",), evidence=False, cues=False)
    return replace(options, fit=fit, coupling=False)


def cross_validate(
    dataset: Dataset, codebook: Codebook, options: TrainingOptions | None = None, progress: Progress = silent
) -> CrossValidation:
    """Cross-validate training on ``dataset`` in five folds, or as many as there are groups.

    Parameters
    ----------
    progress
        Called with (models trained, models to train).

    Raises
    ------
    DatasetError
        The posts cannot be split, or a fold leaves no tag with enough examples.
    """
    options = options or TrainingOptions()
    variants = (options, text_only(options))
    fold = folds(dataset, N_FOLDS, options.seed)
    numbers = np.unique(fold)
    found: list[Evaluation] = []
    progress(0, len(variants) * len(numbers))
    for variant in variants:
        parts = []
        for number in numbers:
            trained = train(dataset.subset(np.flatnonzero(fold != number)), codebook, variant)
            held_out = dataset.subset(np.flatnonzero(fold == number))
            parts.append(outcomes(Scorer(trained.model, "cross-validation"), held_out))
            progress(len(found) * len(numbers) + len(parts), len(variants) * len(numbers))
        found.append(summarise(joined(parts)))
    if not found[0].n_tags:
        raise DatasetError("no tag occurs in the posts", hint="Annotate posts that bear tags.")
    return CrossValidation(len(numbers), found[0], found[1])
