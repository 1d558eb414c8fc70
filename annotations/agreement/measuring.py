"""From readings to a report: every measure over the posts that at least two annotators read.

A skipped annotation is a missing value; one that gives no tag says "no" to every tag.  Of several readings of a
post by one annotator the last counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from annotations.agreement.coefficients import TagCoefficients, cohen_kappa, tag_coefficients
from annotations.agreement.figures import (
    AgreementReport,
    AnnotatorFigures,
    Estimate,
    EvidenceFigures,
    GroupAgreement,
    PairAgreement,
    TagAgreement,
)
from annotations.agreement.readings import (
    Reading,
    ReadPost,
    latest,
    posts_read_twice,
    problems_of,
    readings_of,
)
from annotations.agreement.resampling import Bootstrap, Floats, Resamples
from annotations.agreement.sets import SetAgreement, set_agreement
from annotations.agreement.spans import MarkedWords, coding_alpha
from annotations.records import Annotation

_FIGURES = ("percent", "alpha", "ac1", "kappa", "positive", "negative", "prevalence")


def agreement(
    annotations: Iterable[Annotation], tag_ids: Sequence[str], bootstrap: Bootstrap | None = None
) -> AgreementReport:
    """Measure agreement over annotations, given in the order in which they were submitted.

    Parameters
    ----------
    annotations
        Two or more annotators on one revision of a post make it count.
    tag_ids
        The tags to report, in this order.
    bootstrap
        How intervals are drawn; 1,000 resamples, 95 %, seed 0 by default.
    """
    return measure(readings_of(annotations), tag_ids, bootstrap=bootstrap)


def measure(
    readings: Iterable[Reading],
    tag_ids: Sequence[str] | None = None,
    *,
    min_uses: int = 0,
    bootstrap: Bootstrap | None = None,
) -> AgreementReport:
    """Measure agreement over readings, given in the order in which they were submitted.

    Parameters
    ----------
    readings
        Two or more annotators on one post make it count.
    tag_ids
        The tags to report, in this order; by default those that occur, the most frequent first.
    min_uses
        Leave out the tags and labels that fewer annotations bear.
    bootstrap
        How intervals are drawn; 1,000 resamples, 95 %, seed 0 by default.
    """
    bootstrap = bootstrap or Bootstrap()
    counted = latest(readings)
    posts = posts_read_twice(counted)
    uses = Counter(tag for each in counted if not each.skipped for tag in each.tags)
    if tag_ids is None:
        tag_ids = sorted(uses, key=lambda tag: (-uses[tag], tag))
    tags = [tag for tag in tag_ids if uses[tag] >= min_uses]
    problems = problems_of(counted, posts)
    if not posts:
        empty = GroupAgreement({}, TagAgreement())
        return AgreementReport(
            everything=empty, annotators=_annotators(counted, {}), problems=tuple(problems)
        )
    group = _Group(posts, tags, bootstrap)
    kinds = {kind: [post for post in posts if post.is_assisted is kind] for kind in (True, False)}
    parts = {
        kind: _Group(part, tags, bootstrap).agreement() if len(part) < len(posts) and part else None
        for kind, part in kinds.items()
    }
    return AgreementReport(
        everything=group.agreement(),
        assisted=parts[True],
        blind=parts[False],
        pairs=tuple(pair.figures for pair in group.pairs),
        evidence=_evidence(group, min_uses),
        cu_alpha=group.resamples.estimate(coding_alpha(posts, group.resamples)),
        annotators=_annotators(counted, group.with_the_rest()),
        problems=tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    figures: PairAgreement
    draws: Floats


class _Group:
    """Some posts, and everything that is measured on their tags."""

    def __init__(self, posts: Sequence[ReadPost], tags: Sequence[str], bootstrap: Bootstrap) -> None:
        self.posts = posts
        self.tags = list(tags)
        self.resamples = Resamples(len(posts), bootstrap)
        self.raters = np.array([len(post.readings) for post in posts], dtype=np.float64)
        column = {tag: number for number, tag in enumerate(self.tags)}
        self.answers: list[Floats] = []
        for post in posts:
            ticked = np.zeros((len(post.readings), len(self.tags)))
            for row, reading in enumerate(post.readings):
                ticked[row, [column[tag] for tag in reading.tags if tag in column]] = 1.0
            self.answers.append(ticked)
        self.yes = np.array([ticked.sum(axis=0) for ticked in self.answers]).reshape(len(posts), -1)
        self.pairs = self._pairs()
        self.sets = self._sets()

    def agreement(self) -> GroupAgreement:
        """Return the figures of every tag, and their means."""
        draws = self._draws(tag_coefficients(self.yes, self.raters, self.resamples))
        tags = {
            tag: TagAgreement(
                **self._estimates({name: draws[name][:, column] for name in _FIGURES}),
                n_positive=int(self.yes[:, column].sum()),
                n_posts=len(self.posts),
                note=self._note(column),
            )
            for column, tag in enumerate(self.tags)
        }
        overall = TagAgreement(
            **self._estimates({name: _mean_over_tags(draws[name]) for name in _FIGURES}),
            n_positive=int(self.yes.sum()),
            n_posts=len(self.posts),
        )
        return GroupAgreement(tags, overall, self.resamples.estimate(self.sets.alpha))

    def _estimates(self, draws: Mapping[str, Floats]) -> dict[str, Any]:
        return {name: self.resamples.estimate(of_one) for name, of_one in draws.items()}

    def with_the_rest(self) -> dict[str, Estimate]:
        """Return each annotator's agreement with the others: 1 - observed / expected MASI distance."""
        names = sorted({reading.annotator for post in self.posts for reading in post.readings})
        column = {name: number for number, name in enumerate(names)}
        distances, counts = (np.zeros((len(self.posts), len(names))) for _ in range(2))
        for row, (post, found) in enumerate(zip(self.posts, self.sets.distances, strict=True)):
            for reading, distance in zip(post.readings, found, strict=True):
                distances[row, column[reading.annotator]] = distance
                counts[row, column[reading.annotator]] = 1
        with np.errstate(invalid="ignore", divide="ignore"):
            observed = self.resamples.sums(distances) / self.resamples.sums(counts)
            draws = 1 - observed / self.sets.expected[:, None]
        return {name: self.resamples.estimate(draws[:, column[name]]) for name in names}

    def _sets(self) -> SetAgreement:
        known = frozenset(self.tags)
        return set_agreement(
            [[reading.tags & known for reading in post.readings] for post in self.posts], self.resamples
        )

    def _pairs(self) -> list[_Pair]:
        shared: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
        for number, post in enumerate(self.posts):
            order = sorted((reading.annotator, row) for row, reading in enumerate(post.readings))
            for (first, row), (second, other) in combinations(order, 2):
                shared.setdefault((first, second), []).append((number, row, other))
        pairs = []
        for names, rows in sorted(shared.items()):
            answers_1 = np.array([self.answers[post][row] for post, row, _ in rows])
            answers_2 = np.array([self.answers[post][other] for post, _, other in rows])
            draws = cohen_kappa(answers_1, answers_2, self.resamples, [post for post, _, _ in rows])
            estimates = {tag: self.resamples.estimate(draws[:, n]) for n, tag in enumerate(self.tags)}
            mean = self.resamples.estimate(_mean_over_tags(draws))
            figures = PairAgreement(annotators=names, n_posts=len(rows), kappa=mean, tags=estimates)
            pairs.append(_Pair(figures, draws))
        return pairs

    def _draws(self, coefficients: TagCoefficients) -> dict[str, Floats]:
        draws: dict[str, Floats] = {
            name: getattr(coefficients, name) for name in _FIGURES if hasattr(coefficients, name)
        }
        total, weight = (np.zeros_like(coefficients.alpha) for _ in range(2))
        for pair in self.pairs:
            is_defined = ~np.isnan(pair.draws)
            total += np.where(is_defined, pair.draws, 0.0) * pair.figures.n_posts
            weight += is_defined * pair.figures.n_posts
        with np.errstate(invalid="ignore"):
            draws["kappa"] = total / weight
        return draws

    def _note(self, column: int) -> str:
        n_positive = self.yes[:, column].sum()
        if n_positive == 0:
            return "nobody gave it: no alpha, no kappa"
        if n_positive == self.raters.sum():
            return "everybody gave it to every post: no alpha, no kappa"
        undefined = [
            pair.figures.annotators
            for pair in self.pairs
            if pair.figures.tags[self.tags[column]].value is None
        ]
        if not undefined:
            return ""
        shown = "; ".join(" and ".join(names) for names in undefined[:3]) + (
            " ..." if len(undefined) > 3 else ""
        )
        return f"no kappa for {shown}, who always gave the same answer"


def _mean_over_tags(draws: Floats) -> Floats:
    """Return the mean over the tags that are defined in the estimate, of each draw over those defined in it."""
    usable = draws[:, ~np.isnan(draws[0])]
    n_defined = (~np.isnan(usable)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(usable, axis=1) / np.where(n_defined > 0, n_defined, np.nan))


def _evidence(group: _Group, min_uses: int) -> dict[str, EvidenceFigures]:
    uses = Counter(label for post in group.posts for each in post.readings for label in each.spans)
    order = {tag: number for number, tag in enumerate(group.tags)}
    labels = sorted(uses, key=lambda label: (order.get(label, len(order)), -uses[label], label))
    wanted = [label for label in labels if uses[label] >= min_uses]
    measured = MarkedWords(group.posts, group.resamples).evidence(wanted)
    return {
        label: EvidenceFigures(
            f1=group.resamples.estimate(found.f1),
            alpha=group.resamples.estimate(found.alpha),
            n_spans=found.n_spans,
            n_posts=found.n_posts,
        )
        for label, found in measured.items()
    }


def _annotators(
    readings: Sequence[Reading], with_the_rest: Mapping[str, Estimate]
) -> dict[str, AnnotatorFigures]:
    by_name: dict[str, list[Reading]] = {}
    n_readers = Counter(reading.post for reading in readings if not reading.skipped)
    for reading in readings:
        by_name.setdefault(reading.annotator, []).append(reading)
    figures = {}
    for name, found in sorted(by_name.items()):
        read = [each for each in found if not each.skipped]
        seconds = [each.seconds for each in found if each.seconds is not None]
        figures[name] = AnnotatorFigures(
            n_posts=len(read),
            n_skipped=len(found) - len(read),
            n_shared=sum(n_readers[each.post] > 1 for each in read),
            tags_per_post=float(np.mean([len(each.tags) for each in read])) if read else None,
            median_seconds=float(np.median(seconds)) if seconds else None,
            hours=sum(seconds) / 3600 if seconds else None,
            agreement=with_the_rest.get(name, Estimate()),
        )
    return figures
