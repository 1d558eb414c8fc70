"""From tagged posts and verdicts to shares: every tag, all posts and their parts, each as well as its labels allow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from classifiers.prevalence import estimators
from classifiers.prevalence.estimators import Estimates
from classifiers.prevalence.figures import VALID, Estimator, Planned, PrevalenceReport, Share
from classifiers.prevalence.intervals import LEVEL, planned_n
from classifiers.prevalence.material import ALL, By, Material, Part, Verdicts
from classifiers.prevalence.tagged import TaggedPosts

__all__ = ["ALL", "By", "Request", "Verdicts", "estimate"]

Floats = npt.NDArray[np.float64]
LEAST_LABELS = 20
"""Drawn posts in a part, from which its own labels are enough; with fewer overall, labels are used alone."""
_COVERED = 0.95
_LEAST_PLANNED = 0.01


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
    work = _Work(Material(tagged, verdicts, request.by), request)
    tags = [tag for tag in tagged.tag_ids if not request.tags or tag in request.tags]
    shares = [work.share(tag, part, how) for part in work.of.parts for tag in tags for how in request.chosen]
    planned = (
        () if request.want_width is None else tuple(work.planned(tag, request.want_width) for tag in tags)
    )
    return PrevalenceReport(
        shares=tuple(dict.fromkeys(shares)),
        n_posts=len(tagged),
        n_random=work.of.n_random,
        level=request.level,
        by=request.by,
        model_version=tagged.model_version,
        warnings=tuple(work.warnings()),
        planned=planned,
    )


class _Work:
    """Turns what is known of the posts into rows."""

    def __init__(self, of: Material, request: Request) -> None:
        self.of, self._request = of, request

    def share(self, tag: str, part: Part, how: Estimator) -> Share:
        """Estimate one share by one estimator, or say why there is none."""
        truth = self.of.truth(tag)
        n_posts = len(part.rows)
        scores = self.of.scores(tag, part.rows)
        counted = None if np.isnan(scores).any() else float(self.of.yes(tag, part.rows).mean())
        drawn = self.of.used(part)
        labels = 0 if truth is None else len(drawn)
        positive = 0 if truth is None else int(truth[drawn].sum())
        base = Share(
            tag=tag, part=part.name, estimator=how, n_posts=n_posts, n_labels=labels, n_positive=positive,
            share=None, counted=counted,
        )  # fmt: skip
        if how not in VALID:
            return self._indicative(base, tag, part)
        if truth is None or not self.of.n_random:
            reason = (
                "no posts drawn at random have labels"
                if self.of.n_random == 0
                else "people do not label this tag"
            )
            return replace(
                base, estimator=Estimator.COUNT, share=counted, note=f"{reason}: the model's count"
            )
        return self._designed(base, tag, part)

    def _designed(self, base: Share, tag: str, part: Part) -> Share:
        """Estimate by the design of the sample; from other parts' labels where there are too few."""
        level, how = self._request.level, base.estimator
        if base.counted is None and how is not Estimator.HUMAN:
            base, how = (
                replace(base, estimator=Estimator.HUMAN, note="not predicted: labels alone"),
                Estimator.HUMAN,
            )
        n_here = self.of.n_drawn(part)
        exact = self.of.is_exact(part)
        if part is self.of.everything and n_here < LEAST_LABELS and how is not Estimator.HUMAN and not exact:
            note = f"fewer than {LEAST_LABELS} labels: labels alone"
            base, how = replace(base, estimator=Estimator.HUMAN, note=note), Estimator.HUMAN
        if part is not self.of.everything and n_here < LEAST_LABELS and not exact:
            return self._from_elsewhere(base, tag, part)
        of = self.of.labelled(tag, part)
        everything = self.of.scored(tag, part)
        if how is Estimator.HUMAN:
            found = estimators.human_labels(of, level)
        elif how is Estimator.DIFFERENCE:
            found = estimators.difference(of, everything, level)
        else:
            found = estimators.assisted(of, everything, level)
        return _filled(base, found, is_valid=True)

    def _from_elsewhere(self, base: Share, tag: str, part: Part) -> Share:
        """Estimate a part with too few labels from those of all parts."""
        few = f"{base.n_labels} labels here"
        if (
            base.counted is None
            or self.of.n_random < LEAST_LABELS
            or base.estimator is not Estimator.ASSISTED
        ):
            return replace(base, note="; ".join(filter(None, (base.note, f"{few}: too few for an estimate"))))
        everything, there = (self.of.scored(tag, each) for each in (self.of.everything, part))
        found = estimators.borrowed(
            self.of.labelled(tag, self.of.everything), everything, there, self._request.level
        )
        note = f"{few}: assumes that the model errs here as it does elsewhere"
        return replace(_filled(base, found, is_valid=False), is_borrowed=True, note=note)

    def _indicative(self, base: Share, tag: str, part: Part) -> Share:
        """Estimate by what does not rest on the design of a sample."""
        truth, how = self.of.truth(tag), base.estimator
        if base.counted is None:
            return replace(base, note="not predicted")
        scores = self.of.scores(tag, part.rows)
        if how is Estimator.COUNT:
            return replace(base, share=base.counted)
        if how is Estimator.PROBABILISTIC:
            return replace(base, share=estimators.probabilistic_count(scores))
        if truth is None or not len(truth):
            return replace(base, note="needs labels")
        if how is Estimator.PRIOR_SHIFT:
            return replace(base, share=estimators.prior_shift(scores, float(truth.mean())))
        of = self.of.labelled(tag, self.of.everything) if self.of.n_random else self.of.unweighted(tag)
        units = self.of.used(self.of.everything) if self.of.n_random else np.arange(len(truth))
        said = self.of.yes(tag, self.of.own_row[units]).astype(np.float64)
        return replace(base, share=_known(estimators.adjusted_count(base.counted, said, of).value))

    def planned(self, tag: str, width: float) -> Planned:
        """Return how many posts to draw for a width, by what is known of the tag."""
        found = self.share(tag, self.of.everything, Estimator.ASSISTED)
        share = 0.5 if found.share is None else min(max(found.share, _LEAST_PLANNED), 1 - _LEAST_PLANNED)
        ratio = found.ratio if found.is_valid and found.ratio is not None else 1.0
        level = self._request.level
        number = planned_n(width, len(self.of.everything.rows), share=share, ratio=ratio, level=level)
        return Planned(tag, width, share, ratio, number)

    def warnings(self) -> list[str]:
        """Return what a reader must know of all rows."""
        found = []
        if not self.of.n_random:
            found.append(
                "No labels of posts drawn at random: every figure is indicative, since posts chosen for what they say"
                " cannot tell how the model errs on the others. Draw some: talkingpoints sample --size N"
                " --uncertain 0 --diverse 0; --want-width says how many."
            )
        elif self.of.drawn_from() < _COVERED:
            found.append(
                f"The samples were drawn from {self.of.drawn_from():.0%} of the posts that are here now;"
                " the model is taken to err on the others as on those."
            )
        if self.of.n_missing:
            found.append(
                f"{self.of.n_missing:,} labelled posts are not among the tagged ones and do not count."
            )
        if self.of.n_ties:
            found.append(
                f"On {self.of.n_ties:,} pairs of a post and a tag as many annotators say yes as no:"
                " they count as no."
            )
        return found


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
