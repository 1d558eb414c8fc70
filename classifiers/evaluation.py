"""How good a model is on labelled posts.

Every codebook tag that some post bears counts, also one that the model refuses to predict: its F1 is 0, its
average precision its prevalence, its probability the base rate of the training posts.  ``abstain`` counts
as no.  Gold is a strict majority of a post's annotators; a tie is no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotations.progress import Progress, silent
from annotations.records import Annotation, Span
from classifiers import metrics
from classifiers.dataset import Dataset
from classifiers.predictions import Decision
from classifiers.scorer import Scorer

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a model said of labelled posts; all arrays are (n_posts, n_tags) unless said.

    ``score`` is the calibrated probability (the training base rate for a refused tag), ``hit`` whether the
    first passage overlaps an annotator's span (NaN where nobody marked one), ``threshold`` (n_tags,) is NaN
    for a refused tag.
    """

    tag_ids: tuple[str, ...]
    y_true: Bools
    score: Floats
    yes: Bools
    abstained: Bools
    hit: Floats
    threshold: Floats


@dataclass(frozen=True, slots=True)
class TagFigures:
    """Figures of one tag; ``threshold`` is None for a refused tag."""

    n_positive: int
    precision: float
    recall: float
    f1: float
    average_precision: float
    brier: float
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures over all tags that occur in the test posts.

    ``coverage`` is the share of (post, tag) decisions that are not ``abstain``. ``evidence_hit_rate`` is
    over the gold pairs with an annotated span, whatever the decision; None without such a pair.
    """

    n_posts: int
    n_tags: int
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_f1: float
    mean_average_precision: float
    brier: float
    brier_skill: float | None
    expected_calibration_error: float
    coverage: float
    evidence_hit_rate: float | None
    n_evidence: int
    tags: dict[str, TagFigures]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures ready for JSON."""
        return asdict(self)


def evaluate(scorer: Scorer, annotations: Iterable[Annotation], progress: Progress = silent) -> Evaluation:
    """Judge a model on labelled posts that it was not trained on.

    Raises
    ------
    DatasetError
        The annotations are not usable, see :meth:`classifiers.dataset.Dataset.from_annotations`.
    """
    dataset = Dataset.from_annotations(annotations, scorer.codebook, mixed_codebooks=True)
    return summarise(outcomes(scorer, dataset, progress))


def outcomes(scorer: Scorer, dataset: Dataset, progress: Progress = silent) -> Outcomes:
    """Let a model tag the posts of a dataset and set its answers beside the gold."""
    n = len(dataset)
    rules = list(scorer.rules.values())
    score, hit = np.zeros(dataset.shares.shape), np.full(dataset.shares.shape, np.nan)
    yes, abstained = np.zeros(score.shape, dtype=bool), np.zeros(score.shape, dtype=bool)
    for first in range(0, n, _BATCH):
        rows = range(first, min(first + _BATCH, n))
        for row, prediction in zip(rows, scorer.predict([dataset.texts[row] for row in rows]), strict=True):
            for k, tag in enumerate(prediction.tags):
                score[row, k] = rules[k].prevalence if tag.score is None else tag.score
                yes[row, k] = tag.decision is Decision.YES
                abstained[row, k] = tag.decision is Decision.ABSTAIN
            _judge_evidence(scorer, dataset, row, hit)
        progress(rows.stop, n)
    threshold = np.array([np.nan if rule.threshold is None else rule.threshold for rule in rules])
    return Outcomes(dataset.tag_ids, dataset.gold, score, yes, abstained, hit, threshold)


def _judge_evidence(scorer: Scorer, dataset: Dataset, row: int, hit: Floats) -> None:
    marked = dataset.evidence[row]
    wanted = [tag for k, tag in enumerate(dataset.tag_ids) if dataset.gold[row, k] and tag in marked]
    if not wanted:
        return
    found = scorer.passages(dataset.texts[row], wanted)
    for tag in wanted:
        passages = [Span(each.start, each.end) for each in found.get(tag, ())]
        hit[row, dataset.tag_ids.index(tag)] = metrics.evidence_hit(passages, marked[tag])


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Put the outcomes of several models on different posts together; a threshold is the mean of theirs."""
    thresholds = np.stack([part.threshold for part in parts])
    n_known = (~np.isnan(thresholds)).sum(axis=0)
    mean = np.where(n_known > 0, np.nansum(thresholds, axis=0) / np.maximum(n_known, 1), np.nan)
    return Outcomes(
        parts[0].tag_ids,
        np.concatenate([part.y_true for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.yes for part in parts]),
        np.concatenate([part.abstained for part in parts]),
        np.concatenate([part.hit for part in parts]),
        mean,
    )


def summarise(found: Outcomes) -> Evaluation:
    """Return the figures over the tags that occur; all are 0 where none does."""
    occurring = [k for k in range(len(found.tag_ids)) if found.y_true[:, k].any()]
    truth, score, yes = found.y_true[:, occurring], found.score[:, occurring], found.yes[:, occurring]
    tags = {found.tag_ids[k]: _tag_figures(found, k) for k in occurring}
    precision, recall, f1 = metrics.precision_recall_f1(truth, yes) if occurring else (0.0, 0.0, 0.0)
    judged = found.hit[~np.isnan(found.hit)]
    skill = metrics.brier_skill(truth, score) if occurring else float("nan")
    return Evaluation(
        n_posts=len(truth),
        n_tags=len(occurring),
        micro_precision=precision,
        micro_recall=recall,
        micro_f1=f1,
        macro_f1=_mean([tag.f1 for tag in tags.values()]),
        mean_average_precision=_mean([tag.average_precision for tag in tags.values()]),
        brier=metrics.brier(truth, score) if occurring else 0.0,
        brier_skill=None if np.isnan(skill) else skill,
        expected_calibration_error=metrics.expected_calibration_error(truth, score) if occurring else 0.0,
        coverage=float(1 - found.abstained.mean()),
        evidence_hit_rate=float(judged.mean()) if len(judged) else None,
        n_evidence=len(judged),
        tags=tags,
    )


def _tag_figures(found: Outcomes, k: int) -> TagFigures:
    truth, score = found.y_true[:, k], found.score[:, k]
    precision, recall, f1 = metrics.precision_recall_f1(truth, found.yes[:, k])
    return TagFigures(
        n_positive=int(truth.sum()),
        precision=precision,
        recall=recall,
        f1=f1,
        average_precision=metrics.average_precision(truth, score),
        brier=metrics.brier(truth, score),
        threshold=None if np.isnan(found.threshold[k]) else float(found.threshold[k]),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
