"""How good a model is on labelled posts.

Every codebook tag that some post bears counts, also one that the model refuses to predict: its F1 is 0, its
average precision its prevalence, its probability the base rate of the training posts.  ``abstain`` counts
as no.  Gold is a strict majority of a post's annotators; a tie is no.  ``docs/evaluation.md`` says what every
figure means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from annotations.progress import Progress, silent
from annotations.records import Annotation
from classifiers.dataset import Dataset
from classifiers.outcomes import Outcomes, joined, outcomes
from classifiers.resampling import (
    Interval,
    Resamples,
    TagDraws,
    interval,
    mean_draws,
    overall_draws,
    tag_draws,
)
from classifiers.scorer import Scorer

__all__ = [
    "Evaluation",
    "Outcomes",
    "TagFigures",
    "evaluate",
    "headline_draws",
    "joined",
    "outcomes",
    "summarise",
]

Floats = npt.NDArray[np.float64]
Intervals = Mapping[str, Interval | None]


@dataclass(frozen=True, slots=True)
class TagFigures:
    """Figures of one tag; ``threshold`` is None for a refused tag.

    ``intervals`` has the 95 % interval of each figure, None where too few groups of posts are there to draw one.
    """

    n_positive: int
    precision: float
    recall: float
    f1: float
    average_precision: float
    brier: float
    expected_calibration_error: float
    n_evidence: int
    evidence_hit_rate: float | None
    evidence_token_f1: float | None
    threshold: float | None
    intervals: Intervals = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures over all tags that occur in the test posts.

    ``coverage`` is the share of (post, tag) decisions that are not ``abstain``. ``evidence_hit_rate`` and
    ``evidence_token_f1`` are over the gold pairs with an annotated span, whatever the decision; None without
    such a pair.
    """

    n_posts: int
    n_groups: int
    n_tags: int
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    mean_average_precision: float
    brier: float
    brier_skill: float | None
    expected_calibration_error: float
    coverage: float
    evidence_hit_rate: float | None
    evidence_token_f1: float | None
    n_evidence: int
    tags: dict[str, TagFigures]
    intervals: Intervals = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures ready for JSON."""
        found = asdict(self)
        for of in (found, *found["tags"].values()):
            of["intervals"] = {name: limits and list(limits) for name, limits in of["intervals"].items()}
        return found

    def headline(self) -> dict[str, Any]:
        """Return the figures over all tags, without those of each."""
        return {name: value for name, value in self.to_dict().items() if name != "tags"}


def evaluate(scorer: Scorer, annotations: Iterable[Annotation], progress: Progress = silent) -> Evaluation:
    """Judge a model on labelled posts that it was not trained on.

    Raises
    ------
    DatasetError
        The annotations are not usable, see :meth:`classifiers.dataset.Dataset.from_annotations`.
    """
    dataset = Dataset.from_annotations(annotations, scorer.codebook, mixed_codebooks=True)
    return summarise(outcomes(scorer, dataset, progress))


def summarise(found: Outcomes, resamples: Resamples | None = None) -> Evaluation:
    """Return the figures over the tags that occur; all are 0 where none does.

    Parameters
    ----------
    resamples
        Of the posts; drawn from their groups by default.
    """
    resamples = resamples or Resamples(found.groups)
    occurring = _occurring(found)
    draws = headline_draws(found, resamples)
    values = {name: _figure(of) for name, of in draws.items()}
    skill, hit, token_f1 = (
        values.pop(name) for name in ("brier_skill", "evidence_hit_rate", "evidence_token_f1")
    )
    return Evaluation(
        n_posts=len(found),
        n_groups=len(np.unique(found.groups)),
        n_tags=len(occurring),
        brier_skill=skill,
        evidence_hit_rate=hit,
        evidence_token_f1=token_f1,
        n_evidence=int((~np.isnan(found.hit)).sum()),
        tags=_by_tag(found, occurring, resamples),
        intervals={name: interval(of) for name, of in draws.items()},
        **{name: value or 0.0 for name, value in values.items()},
    )


def headline_draws(found: Outcomes, resamples: Resamples) -> dict[str, Floats]:
    """Return every figure over all tags in every resample, shape (n_samples + 1,); the first is the figure."""
    weights = resamples.weights
    occurring = _occurring(found)
    truth, score, yes = found.y_true[:, occurring], found.score[:, occurring], found.yes[:, occurring]
    draws = overall_draws(truth, score, yes, weights)
    draws["coverage"] = 1 - mean_draws(found.abstained.astype(np.float64), weights)
    draws["evidence_hit_rate"] = mean_draws(found.hit, weights)
    draws["evidence_token_f1"] = mean_draws(found.token_f1, weights)
    return draws


def _occurring(found: Outcomes) -> list[int]:
    return [k for k in range(len(found.tag_ids)) if found.y_true[:, k].any()]


def _by_tag(found: Outcomes, occurring: list[int], resamples: Resamples) -> dict[str, TagFigures]:
    of = tag_draws(
        found.y_true[:, occurring], found.score[:, occurring], found.yes[:, occurring], resamples.weights
    )
    return {found.tag_ids[k]: _tag_figures(found, of, (n, k), resamples) for n, k in enumerate(occurring)}


def _tag_figures(found: Outcomes, of: TagDraws, place: tuple[int, int], resamples: Resamples) -> TagFigures:
    """Return one tag's figures; ``place`` is its column among the tags that occur, and among all."""
    n, k = place
    names = ("precision", "recall", "f1", "average_precision", "brier", "expected_calibration_error")
    draws: dict[str, Floats] = {name: getattr(of, name)[:, n] for name in names}
    evidence = {
        "evidence_hit_rate": mean_draws(found.hit[:, k], resamples.weights),
        "evidence_token_f1": mean_draws(found.token_f1[:, k], resamples.weights),
    }
    return TagFigures(
        n_positive=int(found.y_true[:, k].sum()),
        n_evidence=int((~np.isnan(found.hit[:, k])).sum()),
        evidence_hit_rate=_figure(evidence["evidence_hit_rate"]),
        evidence_token_f1=_figure(evidence["evidence_token_f1"]),
        threshold=None if np.isnan(found.threshold[k]) else float(found.threshold[k]),
        intervals={name: interval(each) for name, each in (draws | evidence).items()},
        **{name: float(each[0]) for name, each in draws.items()},
    )


def _figure(draws: Floats) -> float | None:
    return None if np.isnan(draws[0]) else float(draws[0])
