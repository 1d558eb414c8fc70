"""Honest figures without other labels: the whole training procedure on some posts, judged on others.

Every post is judged by a model that has seen neither it nor a near-duplicate of it: features, calibration and
thresholds included.  Beside the cross-validation stand a time-ordered hold-out, which is what new posts will be
like, and folds drawn at random, which part near-duplicates, to show what that would hide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from annotations.codebook import Codebook
from annotations.progress import Progress, silent
from classifiers.baselines import BASELINES
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.evaluation import Evaluation, headline_draws, summarise
from classifiers.outcomes import Outcomes, joined, outcomes
from classifiers.resampling import Resamples, interval
from classifiers.robustness import Answers, Check, answers, check, variants
from classifiers.scorer import Scorer
from classifiers.splits import earlier_and_later, folds, random_folds
from classifiers.training import TrainingOptions, train

Ints = npt.NDArray[np.int64]
N_FOLDS = 5
SplitName = Literal["grouped", "time", "random"]
GAPS = ("mean_average_precision", "micro_f1", "macro_f1", "brier", "expected_calibration_error")


@dataclass(frozen=True, slots=True)
class Gap:
    """A figure of a split minus that of the grouped cross-validation on the same posts, with its 95 % interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Split:
    """Another way to part the posts: its figures and the gaps, or why there are none."""

    model: Evaluation | None
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    n_learnt: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures over all tags ready for JSON."""
        if self.model is None:
            return {"reason": self.reason}
        gaps = {name: asdict(gap) for name, gap in self.gaps.items()}
        return self.model.headline() | {"n_learnt": self.n_learnt, "gaps": gaps}


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Figures of the procedure and of the baselines on the same folds.

    Attributes
    ----------
    baseline
        The same training from texts and tags alone.
    baselines
        Those of :mod:`classifiers.baselines`.
    splits
        ``time`` and ``random``, if asked for.
    checks
        Robustness, if asked for.
    outcomes
        The model's answers, in the order of the dataset's posts.
    """

    n_folds: int
    model: Evaluation
    baseline: Evaluation
    baselines: Mapping[str, Evaluation]
    outcomes: Outcomes
    splits: Mapping[str, Split] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the model's figures ready for JSON, with the baselines' beside them."""
        found = self.model.to_dict() | {"n_folds": self.n_folds, "text_only": self.baseline.to_dict()}
        found["baselines"] = {name: each.to_dict() for name, each in self.baselines.items()}
        if self.splits:
            found["splits"] = {name: each.to_dict() for name, each in self.splits.items()}
        if self.checks:
            found["robustness"] = {name: each.to_dict() for name, each in self.checks.items()}
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cross-validation does besides: other ``splits``, ``robustness``; on ``n_jobs`` processes.

    The figures are the same on any number of processes.
    """

    splits: bool = False
    robustness: bool = False
    n_jobs: int = 1


def text_only(options: TrainingOptions) -> TrainingOptions:
    """Return the options of the baseline: texts and tags alone, without evidence, cues or other tags."""
    fit = replace(options.fit, views=("documents",), evidence=False, cues=False)
    return replace(options, fit=fit, coupling=False)


def cross_validate(
    dataset: Dataset,
    codebook: Codebook,
    options: TrainingOptions | None = None,
    progress: Progress = silent,
    plan: Plan | None = None,
) -> CrossValidation:
    """Cross-validate training on ``dataset`` in five folds, or as many as there are groups.

    Parameters
    ----------
    progress
        Called with (pieces of work done, pieces to do): a model trained and judged, or a fold's baselines.

    Raises
    ------
    DatasetError
        The posts cannot be split, or a fold leaves no tag with enough examples.
    """
    plan = plan or Plan()
    if not dataset.gold.any():
        raise DatasetError("no tag occurs in the posts", hint="Annotate posts that bear tags.")
    options = replace(options or TrainingOptions(), n_jobs=1)
    rounds, reason = _rounds(dataset, options.seed, plan)
    changed = variants(dataset) if plan.robustness else {}
    jobs = _jobs(rounds, changed)
    work = [delayed(_judge)(dataset, codebook, options, job) for job in jobs]
    found: list[_Judged] = []
    progress(0, len(jobs))
    for judged in Parallel(n_jobs=plan.n_jobs, return_as="generator")(work):
        found.append(judged)
        progress(len(found), len(jobs))
    whole = _in_order(jobs, found)
    model, resamples = whole["grouped", "model"][1], Resamples(dataset.groups)
    others: tuple[SplitName, ...] = ("time", "random")
    splits: dict[str, Split] = {
        name: _split(whole, name, (model, dataset)) for name in others if name in rounds
    }
    if reason:
        splits["time"] = Split(None, reason=reason)
    return CrossValidation(
        n_folds=len(rounds["grouped"]),
        model=summarise(model, resamples),
        baseline=summarise(whole["grouped", "text_only"][1], resamples),
        baselines={name: summarise(whole["grouped", name][1], resamples) for name in BASELINES},
        outcomes=model,
        splits=splits,
        checks=check(model, _changed_answers(jobs, found), dataset, changed) if changed else {},
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """One training, or the baselines, on the ``learnt`` rows, judged on the ``test`` rows."""

    split: SplitName
    method: str
    learnt: Ints
    test: Ints
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Judged:
    outcomes: Mapping[str, Outcomes]
    answers: Mapping[str, Answers] = field(default_factory=dict)


_Rounds = dict[SplitName, list[tuple[Ints, Ints]]]


def _rounds(dataset: Dataset, seed: int, plan: Plan) -> tuple[_Rounds, str]:
    """Return the (learnt, test) rows of every split, and why there is no time-ordered one."""
    rounds: _Rounds = {"grouped": _by_fold(folds(dataset, N_FOLDS, seed))}
    if not plan.splits:
        return rounds, ""
    rounds["random"] = _by_fold(random_folds(len(dataset), N_FOLDS, seed))
    learnt, later = earlier_and_later(dataset)
    if not len(learnt) or not len(later):
        return rounds, "too few posts have a date of their own to be put in order"
    if not dataset.gold[later].any():
        return rounds, "no tag occurs in the later posts"
    rounds["time"] = [(learnt, later)]
    return rounds, ""


def _by_fold(fold: Ints) -> list[tuple[Ints, Ints]]:
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in np.unique(fold)]


def _jobs(rounds: _Rounds, changed: Mapping[str, Sequence[str]]) -> list[_Job]:
    """Return the work, the longest first."""
    jobs = [_Job(split, "model", *rows) for split, all_rows in rounds.items() for rows in all_rows]
    jobs = [
        replace(job, texts={name: [texts[row] for row in job.test] for name, texts in changed.items()})
        if job.split == "grouped"
        else job
        for job in jobs
    ]
    for method in ("text_only", "baselines"):
        jobs += [_Job("grouped", method, *rows) for rows in rounds["grouped"]]
    return jobs


def _judge(dataset: Dataset, codebook: Codebook, options: TrainingOptions, job: _Job) -> _Judged:
    learnt, test = dataset.subset(job.learnt), dataset.subset(job.test)
    if job.method == "baselines":
        return _Judged({name: judge(learnt, test, codebook) for name, judge in BASELINES.items()})
    variant = text_only(options) if job.method == "text_only" else options
    scorer = Scorer(train(learnt, codebook, variant).model, "cross-validation")
    return _Judged({job.method: outcomes(scorer, test)}, answers(scorer, job.texts))


def _in_order(
    jobs: Sequence[_Job], found: Sequence[_Judged]
) -> dict[tuple[SplitName, str], tuple[Ints, Outcomes]]:
    """Put the parts together: the rows of the dataset that were judged, ascending, and what was said of them."""
    parts: dict[tuple[SplitName, str], list[tuple[Ints, Outcomes]]] = {}
    for job, judged in zip(jobs, found, strict=True):
        for method, said in judged.outcomes.items():
            parts.setdefault((job.split, method), []).append((job.test, said))
    whole = {}
    for key, each in parts.items():
        rows = np.concatenate([test for test, _ in each])
        order = np.argsort(rows)
        whole[key] = rows[order], joined([said for _, said in each]).take(order)
    return whole


def _changed_answers(jobs: Sequence[_Job], found: Sequence[_Judged]) -> dict[str, Answers]:
    """Return what the folds' models said of the changed texts, in the order of the dataset's posts."""
    parts = [(job, judged) for job, judged in zip(jobs, found, strict=True) if job.texts]
    order = np.argsort(np.concatenate([job.test for job, _ in parts]))
    whole = {}
    for name in parts[0][0].texts:
        score, yes = zip(*(judged.answers[name] for _, judged in parts), strict=True)
        whole[name] = np.concatenate(score)[order], np.concatenate(yes)[order]
    return whole


def _split(
    whole: Mapping[tuple[SplitName, str], tuple[Ints, Outcomes]],
    name: SplitName,
    grouped: tuple[Outcomes, Dataset],
) -> Split:
    """Judge a split by itself, and beside the grouped models' answers on the same posts."""
    rows, said = whole[name, "model"]
    resamples = Resamples(said.groups)
    here, there = headline_draws(said, resamples), headline_draws(grouped[0].take(rows), resamples)
    gaps = {}
    for figure in GAPS:
        low, high = interval(here[figure] - there[figure]) or (None, None)
        gaps[figure] = Gap(float(here[figure][0] - there[figure][0]), low, high)
    n_learnt = len(earlier_and_later(grouped[1])[0]) if name == "time" else 0
    return Split(summarise(said, resamples), gaps, n_learnt)
