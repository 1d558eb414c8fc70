"""Do suggestions lead annotators? Posts with a suggestion against blind ones, which were chosen at random.

Of a blind post it is kept what would have been suggested.  So the same question is asked in both arms ("does the
annotation bear the tag that was, or would have been, suggested?"), and a difference is the suggestions' doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotations.arms import Figure, Floats, Ratio, difference, interval, medians

MIN_CASES = 20
MIN_POSTS = 10
"""Below these, in either arm, a figure is given and called too uncertain to say anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One annotation beside its suggestion; ``withheld``: the suggestion was not shown, as the post is blind."""

    post: str
    annotator: str
    tags: frozenset[str]
    suggested: frozenset[str]
    withheld: bool
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure in both arms; ``difference`` is assisted minus blind, ``note`` says where it says nothing."""

    title: str
    assisted: Figure
    blind: Figure
    difference: Figure
    note: str


@dataclass(frozen=True, slots=True)
class AnchoringReport:
    """All measures, and what they rest on; ``conclusion`` is a sentence."""

    n_assisted: int
    n_blind: int
    n_other: int
    reference: str
    measures: Mapping[str, Measure]
    conclusion: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Case:
    """A reading, with what the reference says of its post: tag id -> borne; tags in doubt are missing."""

    reading: Reading
    truth: Mapping[str, bool]


def anchoring(
    readings: Iterable[Reading],
    gold: Mapping[str, frozenset[str]] | None = None,
    *,
    n_other: int = 0,
    seed: int = 0,
) -> AnchoringReport:
    """Compare assisted with blind annotations.

    Parameters
    ----------
    readings
        Annotations that were not skipped, of posts that had a suggestion, shown or withheld.
    gold
        The right tags by post, where somebody has settled them. Without it a tag is right on a post if more
        than half of the other annotators of the post give it.
    n_other
        How many annotations are neither: made without any suggestion, for other reasons than being blind.
    """
    given = list(readings)
    cases = [_Case(reading, truth) for reading, truth in zip(given, _truths(given, gold), strict=True)]
    assisted = [case for case in cases if not case.reading.withheld]
    blind = [case for case in cases if case.reading.withheld]
    found = {
        name: _measured(title, assisted, blind, (count, seed)) for name, (title, count) in _RATIOS.items()
    }
    found["seconds"] = _seconds(assisted, blind, seed)
    found["implied"] = _implied(assisted, blind, seed)
    return AnchoringReport(
        n_assisted=len(assisted),
        n_blind=len(blind),
        n_other=n_other,
        reference="gold" if gold is not None else "the other annotators",
        measures=found,
        conclusion=_conclusion(found["kept"]),
    )


def _truths(
    readings: Sequence[Reading], gold: Mapping[str, frozenset[str]] | None
) -> list[Mapping[str, bool]]:
    tags = sorted({tag for reading in readings for tag in reading.tags | reading.suggested})
    if gold is not None:
        return [
            {tag: tag in gold[reading.post] for tag in tags} if reading.post in gold else {}
            for reading in readings
        ]
    by_post: dict[str, list[Reading]] = {}
    for reading in readings:
        by_post.setdefault(reading.post, []).append(reading)
    return [_by_others(reading, by_post[reading.post], tags) for reading in readings]


def _by_others(reading: Reading, same_post: Sequence[Reading], tags: Sequence[str]) -> dict[str, bool]:
    others = [each for each in same_post if each.annotator != reading.annotator]
    votes = {tag: sum(tag in each.tags for each in others) for tag in tags}
    return {tag: 2 * n > len(others) for tag, n in votes.items() if 2 * n != len(others)}


Count = Callable[[_Case], tuple[float, float]]


def _kept(case: _Case) -> tuple[float, float]:
    reading = case.reading
    return len(reading.suggested & reading.tags), len(reading.suggested)


def _wrong_kept(case: _Case) -> tuple[float, float]:
    wrong = {tag for tag in case.reading.suggested if case.truth.get(tag) is False}
    return len(wrong & case.reading.tags), len(wrong)


def _right_removed(case: _Case) -> tuple[float, float]:
    right = {tag for tag in case.reading.suggested if case.truth.get(tag) is True}
    return len(right - case.reading.tags), len(right)


def _missed(case: _Case) -> tuple[float, float]:
    right = {tag for tag, borne in case.truth.items() if borne and tag not in case.reading.suggested}
    return len(right - case.reading.tags), len(right)


def _added(case: _Case) -> tuple[float, float]:
    return len(case.reading.tags - case.reading.suggested), 1


_RATIOS: Mapping[str, tuple[str, Count]] = {
    "kept": ("suggested tags that the annotation bears", _kept),
    "wrong_kept": ("wrong suggestions that stay", _wrong_kept),
    "right_removed": ("right suggestions that are missing", _right_removed),
    "missed": ("right tags not suggested that are missing", _missed),
    "added": ("tags not suggested, per annotation", _added),
}


def _measured(
    title: str, assisted: Sequence[_Case], blind: Sequence[_Case], how: tuple[Count, int]
) -> Measure:
    count, seed = how
    arms = [_ratio(cases, count) for cases in (assisted, blind)]
    draws = [arm.drawn(seed + number) for number, arm in enumerate(arms)]
    figures = [arm.figure(drawn) for arm, drawn in zip(arms, draws, strict=True)]
    return Measure(title, figures[0], figures[1], difference(figures, draws), _note(figures))


def _ratio(cases: Sequence[_Case], count: Count) -> Ratio:
    sums: dict[str, tuple[float, float]] = {}
    for case in cases:
        counted, total = count(case)
        before = sums.get(case.reading.post, (0.0, 0.0))
        sums[case.reading.post] = (before[0] + counted, before[1] + total)
    return Ratio.of(sums)


def _seconds(assisted: Sequence[_Case], blind: Sequence[_Case], seed: int) -> Measure:
    """Compare the median time of an annotation, in seconds, as Label Studio measures it."""
    figures, draws = [], []
    for number, cases in enumerate((assisted, blind)):
        by_post: dict[str, list[float]] = {}
        for case in cases:
            if case.reading.seconds is not None:
                by_post.setdefault(case.reading.post, []).append(case.reading.seconds)
        drawn = medians(list(by_post.values()), seed + number)
        times = [value for values in by_post.values() for value in values]
        value = float(np.median(times)) if times else None
        figures.append(Figure(value, *interval(drawn), len(times), len(by_post)))
        draws.append(drawn)
    return Measure(
        "seconds per annotation (median)",
        figures[0],
        figures[1],
        difference(figures, draws),
        _note(figures),
    )


def _implied(assisted: Sequence[_Case], blind: Sequence[_Case], seed: int) -> Measure:
    """Estimate how often a wrong suggestion stays from the shares kept alone, without a reference.

    If all right suggestions are kept in both arms, the share kept is right + wrong * staying, and right is what
    blind annotators give: (kept - right) / (1 - right). Where some right ones are removed, more wrong ones stay.
    """
    arms = [_ratio(cases, _kept) for cases in (assisted, blind)]
    draws = [arm.drawn(seed + number) for number, arm in enumerate(arms)]
    figures = [arm.figure(drawn) for arm, drawn in zip(arms, draws, strict=True)]
    value = None
    drawn: Floats = np.zeros(0)
    kept, right = arms[0].value, arms[1].value
    if kept is not None and right is not None and right < 1:
        value = (kept - right) / (1 - right)
        if len(draws[0]) and len(draws[1]):
            usable = draws[1] < 1
            drawn = (draws[0][usable] - draws[1][usable]) / (1 - draws[1][usable])
    nothing = Figure(None, None, None, 0, 0)
    estimate = Figure(value, *interval(drawn), figures[0].n_cases, figures[0].n_posts)
    return Measure(
        "wrong suggestions that stay, by the blind posts (at least)",
        estimate,
        nothing,
        nothing,
        _note(figures),
    )


def _note(figures: Sequence[Figure]) -> str:
    for name, figure in zip(("assisted", "blind"), figures, strict=True):
        if figure.n_cases < MIN_CASES or figure.n_posts < MIN_POSTS:
            return (
                f"too few: {figure.n_cases} cases on {figure.n_posts} {name} posts "
                f"({MIN_CASES} on {MIN_POSTS} are needed)"
            )
    return ""


def _conclusion(kept: Measure) -> str:
    if kept.note:
        return f"Nothing can be said yet about anchoring: {kept.note}."
    low, high = kept.difference.low, kept.difference.high
    if low is None or high is None or kept.difference.value is None:
        return "Nothing can be said yet about anchoring: the intervals cannot be drawn."
    size = f"{kept.difference.value:+.1%} (95 % interval {low:+.1%} to {high:+.1%})"
    if low > 0:
        return f"Annotators who see a tag suggested give it more often than blind ones: {size}."
    if high < 0:
        return f"Annotators who see a tag suggested give it less often than blind ones: {size}."
    return f"No anchoring is shown: suggested tags are given {size} more often; the interval holds 0."
