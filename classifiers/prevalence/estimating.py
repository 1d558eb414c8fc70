"""From tagged posts and verdicts to shares: every tag, all posts and their parts, each as well as its labels allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from classifiers.dataset import Dataset, Provenance
from classifiers.prevalence import estimators
from classifiers.prevalence.design import Weight
from classifiers.prevalence.estimators import Estimates, Labelled, Scored
from classifiers.prevalence.figures import VALID, Estimator, Planned, PrevalenceReport, Share
from classifiers.prevalence.intervals import LEVEL, planned_n
from classifiers.prevalence.tagged import TaggedPosts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
By = Literal["month", "channel", "language"]
ALL = "all"
LEAST_LABELS = 20
"""Drawn posts in a part, from which its own labels are enough; with fewer overall, labels are used alone."""
_COVERED = 0.95
_LEAST_PLANNED = 0.01


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What people say of posts: gold by strict majority, so that a tie bears no tag.

    Attributes
    ----------
    truth
        Shape (n_posts, n_tags).
    weights
        For how many posts each stands, by post id; empty where nothing was drawn at random.
    n_ties
        Pairs of post and tag on which as many say yes as no.
    """

    post_ids: tuple[str, ...]
    tag_ids: tuple[str, ...]
    truth: npt.NDArray[np.bool_]
    weights: Mapping[str, Weight] = field(default_factory=dict)
    n_ties: int = 0

    @classmethod
    def none(cls) -> Verdicts:
        """Return no verdicts."""
        return cls((), (), np.zeros((0, 0), dtype=bool))

    @classmethod
    def of(cls, dataset: Dataset, weights: Mapping[str, Weight]) -> Verdicts:
        """Take the gold of a dataset."""
        drawn = [name in weights for name in dataset.post_ids]
        ties = dataset.provenance[drawn] == Provenance.TIE
        return cls(dataset.post_ids, dataset.tag_ids, dataset.gold, weights, int(ties.sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for; ``want_width`` is that of an interval, from end to end."""

    by: By | None = None
    chosen: tuple[Estimator, ...] = (Estimator.ASSISTED,)
    tags: tuple[str, ...] = ()
    want_width: float | None = None
    level: float = LEVEL


def estimate(tagged: TaggedPosts, verdicts: Verdicts, request: Request | None = None) -> PrevalenceReport:
    """Estimate the share of every tag among all posts, and in the parts asked for."""
    request = request or Request()
    work = _Work(tagged, verdicts, request)
    tags = [tag for tag in tagged.tag_ids if not request.tags or tag in request.tags]
    shares = [work.share(tag, part, how) for part in work.parts for tag in tags for how in request.chosen]
    planned = (
        () if request.want_width is None else tuple(work.planned(tag, request.want_width) for tag in tags)
    )
    return PrevalenceReport(
        shares=tuple(dict.fromkeys(shares)),
        n_posts=len(tagged),
        n_random=work.n_random,
        level=request.level,
        by=request.by,
        model_version=tagged.model_version,
        warnings=tuple(work.warnings()),
        planned=planned,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The posts of a part, and the labelled clusters that have posts in it.

    ``units`` are their numbers, ``count`` the posts that each has here; ``member`` and ``owner`` list the posts
    of labelled clusters with the place of their cluster in ``units``.
    """

    name: str
    rows: Ints
    units: Ints
    count: Floats
    member: Ints
    owner: Ints


class _Work:
    """Arrays from which every share is computed; units are labelled clusters of near-duplicates."""

    def __init__(self, tagged: TaggedPosts, verdicts: Verdicts, request: Request) -> None:
        self._tagged, self._verdicts, self._request = tagged, verdicts, request
        row_of = {post_id: row for row, post_id in enumerate(tagged.post_ids)}
        clusters = tagged.clusters or tagged.post_ids
        weights = verdicts.weights
        self._n_clusters = len(set(clusters))
        unit_of: dict[str, int] = {}
        verdict: list[int] = []
        order = sorted(range(len(verdicts.post_ids)), key=lambda each: verdicts.post_ids[each] not in weights)
        for number in order:
            row = row_of.get(verdicts.post_ids[number])
            if row is not None and clusters[row] not in unit_of:
                unit_of[clusters[row]] = len(verdict)
                verdict.append(number)
        self._n_missing = sum(post_id not in row_of for post_id in verdicts.post_ids)
        self._verdict = np.array(verdict, dtype=np.int64)
        self._own_row = np.array([row_of[verdicts.post_ids[each]] for each in verdict], dtype=np.int64)
        nothing = Weight(0.0, 0.0, is_drawn=False)
        found = [weights.get(verdicts.post_ids[each], nothing) for each in verdict]
        self._weight = np.array([each.weight for each in found])
        self._spread = np.array([each.spread for each in found])
        self._drawn = np.array([each.is_drawn for each in found], dtype=bool)
        self.n_random = int(self._drawn.sum())
        members = [(row, unit_of[name]) for row, name in enumerate(clusters) if name in unit_of]
        self._member, self._owner = np.array(members, dtype=np.int64).reshape(-1, 2).T
        self._all = self._part(ALL, np.arange(len(tagged)))
        self.parts = [self._all, *self._chosen_parts()]

    def share(self, tag: str, part: _Part, how: Estimator) -> Share:
        """Estimate one share by one estimator, or say why there is none."""
        truth = self._truth(tag)
        n_posts = len(part.rows)
        scores = self._scores(tag, part.rows)
        counted = None if np.isnan(scores).any() else float(self._yes(tag, part.rows).mean())
        drawn = part.units[self._weight[part.units] > 0]
        labels = 0 if truth is None else len(drawn)
        positive = 0 if truth is None else int(truth[drawn].sum())
        base = Share(
            tag=tag, part=part.name, estimator=how, n_posts=n_posts, n_labels=labels, n_positive=positive,
            share=None, counted=counted,
        )  # fmt: skip
        if how not in VALID:
            return self._indicative(base, tag, part)
        if truth is None or not self.n_random:
            reason = (
                "no posts drawn at random have labels"
                if self.n_random == 0
                else "people do not label this tag"
            )
            return replace(
                base, estimator=Estimator.COUNT, share=counted, note=f"{reason}: the model's count"
            )
        return self._designed(base, tag, part)

    def _designed(self, base: Share, tag: str, part: _Part) -> Share:
        """Estimate by the design of the sample; from other parts' labels where there are too few."""
        level, how = self._request.level, base.estimator
        if base.counted is None and how is not Estimator.HUMAN:
            base, how = (
                replace(base, estimator=Estimator.HUMAN, note="not predicted: labels alone"),
                Estimator.HUMAN,
            )
        n_here = int(self._drawn[part.units].sum())
        exact = self._is_exact(part)
        if part is self._all and n_here < LEAST_LABELS and how is not Estimator.HUMAN and not exact:
            note = f"fewer than {LEAST_LABELS} labels: labels alone"
            base, how = replace(base, estimator=Estimator.HUMAN, note=note), Estimator.HUMAN
        if part is not self._all and n_here < LEAST_LABELS and not exact:
            return self._from_elsewhere(base, tag, part)
        of = self._labelled(tag, part)
        everything = Scored.of(self._scores(tag, part.rows))
        if how is Estimator.HUMAN:
            found = estimators.human_labels(of, level)
        elif how is Estimator.DIFFERENCE:
            found = estimators.difference(of, everything, level)
        else:
            found = estimators.assisted(of, everything, level)
        return _filled(base, found, is_valid=True)

    def _from_elsewhere(self, base: Share, tag: str, part: _Part) -> Share:
        """Estimate a part with too few labels from those of all parts."""
        few = f"{base.n_labels} labels here"
        if base.counted is None or self.n_random < LEAST_LABELS or base.estimator is not Estimator.ASSISTED:
            return replace(base, note="; ".join(filter(None, (base.note, f"{few}: too few for an estimate"))))
        everything, there = (Scored.of(self._scores(tag, each.rows)) for each in (self._all, part))
        found = estimators.borrowed(self._labelled(tag, self._all), everything, there, self._request.level)
        note = f"{few}: assumes that the model errs here as it does elsewhere"
        return replace(_filled(base, found, is_valid=False), is_borrowed=True, note=note)

    def _indicative(self, base: Share, tag: str, part: _Part) -> Share:
        """Estimate by what does not rest on the design of a sample."""
        truth, how = self._truth(tag), base.estimator
        if base.counted is None:
            return replace(base, note="not predicted")
        scores = self._scores(tag, part.rows)
        if how is Estimator.COUNT:
            return replace(base, share=base.counted)
        if how is Estimator.PROBABILISTIC:
            return replace(base, share=estimators.probabilistic_count(scores))
        if truth is None or not len(truth):
            return replace(base, note="needs labels")
        if how is Estimator.PRIOR_SHIFT:
            return replace(base, share=estimators.prior_shift(scores, float(truth.mean())))
        of = self._labelled(tag, self._all) if self.n_random else self._unweighted(tag)
        units = self._used(self._all) if self.n_random else np.arange(len(truth))
        said = self._yes(tag, self._own_row[units]).astype(np.float64)
        return replace(base, share=_known(estimators.adjusted_count(base.counted, said, of).value))

    def planned(self, tag: str, width: float) -> Planned:
        """Return how many posts to draw for a width, by what is known of the tag."""
        found = self.share(tag, self._all, Estimator.ASSISTED)
        share = 0.5 if found.share is None else min(max(found.share, _LEAST_PLANNED), 1 - _LEAST_PLANNED)
        ratio = found.ratio if found.is_valid and found.ratio is not None else 1.0
        level = self._request.level
        number = planned_n(width, len(self._tagged), share=share, ratio=ratio, level=level)
        return Planned(tag, width, share, ratio, number)

    def warnings(self) -> list[str]:
        """Return what a reader must know of all rows."""
        found = []
        if not self.n_random:
            found.append(
                "No labels of posts drawn at random: every figure is indicative, since posts chosen for what they say"
                " cannot tell how the model errs on the others. Draw some: talkingpoints sample --size N"
                " --uncertain 0 --diverse 0; --want-width says how many."
            )
        elif self._drawn_from() < _COVERED:
            found.append(
                f"The samples were drawn from {self._drawn_from():.0%} of the posts that are here now;"
                " the model is taken to err on the others as on those."
            )
        if self._n_missing:
            found.append(
                f"{self._n_missing:,} labelled posts are not among the tagged ones and do not count."
            )
        if self._verdicts.n_ties:
            found.append(
                f"On {self._verdicts.n_ties:,} pairs of a post and a tag as many annotators say yes as no:"
                " they count as no."
            )
        return found

    def _is_exact(self, part: _Part) -> bool:
        """Tell whether every post of a part is labelled and stands for itself."""
        known = self._weight[part.units] > 0
        return not self._spread[part.units].any() and part.count[known].sum() == len(part.rows)

    def _drawn_from(self) -> float:
        """Return the share of today's clusters that the samples speak for."""
        return min(float(self._weight.sum()) / max(self._n_clusters, 1), 1.0)

    def _chosen_parts(self) -> list[_Part]:
        if self._request.by is None:
            return []
        names, part_of = np.unique(
            np.array(self._tagged.parts[self._request.by], dtype=object), return_inverse=True
        )
        order = np.argsort(part_of, kind="stable")
        ends = np.cumsum(np.bincount(part_of, minlength=len(names)))
        rows = np.split(order, ends[:-1])
        return [self._part(str(name), each) for name, each in zip(names, rows, strict=True)]

    def _part(self, name: str, rows: Ints) -> _Part:
        inside = np.zeros(len(self._tagged), dtype=bool)
        inside[rows] = True
        here = inside[self._member]
        units, owner = np.unique(self._owner[here], return_inverse=True)
        count = np.bincount(owner, minlength=len(units)).astype(np.float64)
        return _Part(name, rows, units, count, self._member[here], owner)

    def _used(self, part: _Part) -> Ints:
        return part.units[self._weight[part.units] > 0]

    def _labelled(self, tag: str, part: _Part) -> Labelled:
        """Return the labelled clusters with posts in a part: each counts by its posts there, at their mean score."""
        truth = self._truth(tag)
        assert truth is not None  # noqa: S101 - for the type checker: callers have looked
        total = np.bincount(part.owner, self._scores(tag, part.member), minlength=len(part.units))
        used = self._weight[part.units] > 0
        units, count = part.units[used], part.count[used]
        score = np.nan_to_num(total[used] / count)
        return Labelled(truth[units], score, self._weight[units] * count, self._spread[units] * count**2)

    def _unweighted(self, tag: str) -> Labelled:
        truth = self._truth(tag)
        assert truth is not None  # noqa: S101 - for the type checker: callers have looked
        ones = np.ones(len(truth))
        return Labelled(truth, self._scores(tag, self._own_row), ones, ones)

    def _truth(self, tag: str) -> Floats | None:
        if tag not in self._verdicts.tag_ids:
            return None
        column = self._verdicts.tag_ids.index(tag)
        return np.asarray(self._verdicts.truth[self._verdict, column], dtype=np.float64)

    def _scores(self, tag: str, rows: Sequence[int] | Ints) -> Floats:
        return self._tagged.scores[rows, self._tagged.tag_ids.index(tag)].astype(np.float64)

    def _yes(self, tag: str, rows: Ints) -> npt.NDArray[np.bool_]:
        return np.asarray(self._tagged.yes[rows, self._tagged.tag_ids.index(tag)])


def _filled(row: Share, found: Estimates, *, is_valid: bool) -> Share:
    """Return a row with an estimate; NaN is None."""
    return replace(
        row,
        share=_known(found.value),
        low=_known(found.low),
        high=_known(found.high),
        n_effective=_known(found.n_effective),
        ratio=_known(found.ratio),
        tuning=_known(found.tuning),
        is_valid=is_valid,
    )


def _known(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)
