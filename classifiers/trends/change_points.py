"""When the share of a tag changed: days from which on it is another, found so that noise seldom passes for one.

The posts of a week (of a day, where there are few weeks) are one unit.  Two kinds of change are looked for: a cut, with
one share before and another after, and a span of time (of 3, 6, 12, ... units) with another share than the rest.  The
one is taken at which two shares explain the counts best (the likelihood ratio of binomial counts).  Whether that is
more than chance is asked by putting the units in another order many times: if nothing changed, any order is as likely
as the one there is.  Units are moved whole, so what comes and goes within one (a speech, a text that everybody
forwards) stays together and makes no alarm by itself.  On both sides of a change the question is asked again.

The p-value of a first change is exact as long as units are exchangeable where nothing changes; it is multiplied by the
number of tags asked (Bonferroni).  A subject that lasts for longer than a unit and goes again is a change by this test.

References
----------
Binary segmentation: A. J. Scott, M. Knott, "A cluster analysis method for grouping means in the analysis of variance",
Biometrics 30 (1974); spans: A. B. Olshen, E. S. Venkatraman, R. Lucito, M. Wigler, "Circular binary segmentation",
Biostatistics 5 (2004).  The statistic: K. J. Worsley, "The power of likelihood ratio and cumulative sum tests for a
change in a binomial probability", Biometrika 70 (1983).  The permutation test: J. Antoch, M. Hušková,
"Permutation tests in change point analysis", Statistics & Probability Letters 53 (2001); drawn until enough exceed:
J. Besag, P. Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from classifiers.trends.intervals import wilson
from classifiers.trends.timelines import DayCounts, day_date, period_starts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Unit = Literal["auto", "day", "week"]
_DRAWS_AT_ONCE = 100
_ENOUGH = 10
_ENOUGH_WEEKS = 20
_LEAST_UNITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOptions:
    """How changes are looked for.

    ``alpha`` is the rate of false alarms over all tags together; ``unit`` is what is moved as a whole: days, or weeks
    (``auto``: weeks where there are 20 or more).  ``min_units`` is the least number of units on both sides of a change;
    ``most_draws`` bounds the orders tried.
    """

    alpha: float = 0.05
    unit: Unit = "auto"
    min_units: int = 3
    most_draws: int = 20_000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a tag's share.

    Attributes
    ----------
    date
        The first day (of the first unit) with the new share, ISO 8601.
    since, until
        The days between which the two shares are: from the change before to the one after.
    before, after
        The shares, each with its 95 % Wilson interval; ``n_before`` and ``n_after`` are the posts decided.
    p
        How often noise makes such a change, already multiplied by the number of tags.
    """

    tag: str
    date: str
    since: str
    until: str
    before: float
    before_low: float
    before_high: float
    n_before: int
    after: float
    after_low: float
    after_high: float
    n_after: int
    p: float


def change_points(
    tag_ids: Sequence[str], counts: DayCounts, options: ChangeOptions | None = None
) -> list[Change]:
    """Find the changes of every tag, by tag and date."""
    options = options or ChangeOptions()
    if not len(counts.days):
        return []
    days, yes, decided = _units(counts, options.unit)
    asked = [column for column in range(len(tag_ids)) if 0 < yes[:, column].sum() < decided[:, column].sum()]
    found: list[Change] = []
    for column in asked:
        some = decided[:, column] > 0
        series = _Series(days[some], yes[some, column], decided[some, column])
        rng = np.random.default_rng([options.seed, column])
        found += _described(tag_ids[column], series, _Search(series, options, len(asked), rng).changes())
    return found


@dataclass(frozen=True, slots=True)
class _Series:
    """The units of one tag that have a decided post: their first days, yes and decided posts."""

    days: Ints
    yes: Ints
    n: Ints


class _Search:
    """Looks for the changes of one series."""

    def __init__(
        self, series: _Series, options: ChangeOptions, n_tests: int, rng: np.random.Generator
    ) -> None:
        self._series, self._options, self._n_tests, self._rng = series, options, n_tests, rng
        self._least = max(options.min_units, 1)
        numbers = np.arange(int(series.n.sum()) + 1, dtype=np.float64)
        self._n_log_n: Floats = xlogy(numbers, numbers)

    def changes(self) -> list[tuple[int, float]]:
        """Return (place, adjusted p) of the changes, in order; a change is between a place and the one before."""
        found = dict(self._within(0, len(self._series.days)))
        places = sorted(found)
        bounds = [0, *places, len(self._series.days)]
        moved = {}
        for number, place in enumerate(places):
            best = self._best_cut(bounds[number], bounds[number + 2])
            bounds[number + 1] = best
            moved[best] = found[place]
        return sorted(moved.items())

    def _within(self, first: int, last: int) -> Iterator[tuple[int, float]]:
        if last - first < max(2 * self._least, _LEAST_UNITS):
            return
        spans = self._spans(last - first)
        gains = self._gains(first, last, spans)
        start, end = (int(of[np.argmax(gains)]) for of in spans)
        p = self._p_value((first, last), spans, float(gains.max()))
        if p > self._options.alpha:
            return
        places = [first + place for place in (start, end) if 0 < place < last - first]
        if len(places) == 2:
            places = self._kept([first, *places, last]) or places
        yield from ((place, p) for place in places)
        for left, right in zip([first, *places], [*places, last], strict=True):
            yield from self._within(left, right)

    def _kept(self, bounds: Sequence[int]) -> list[int]:
        """Return those ends of a span that are changes by themselves, each beside what it borders on."""
        kept = []
        for number, place in enumerate(bounds[1:3]):
            first, last = bounds[number], bounds[number + 2]
            least = min(self._least, place - first, last - place)
            cuts = np.arange(least, last - first - least + 1)
            spans = np.zeros_like(cuts), cuts
            if self._p_value((first, last), spans, float(self._gains(first, last, spans).max())) <= (
                self._options.alpha
            ):
                kept.append(place)
        return kept

    def _best_cut(self, first: int, last: int) -> int:
        least = min(self._least, (last - first) // 2)
        cuts = np.arange(least, last - first - least + 1)
        return first + int(cuts[np.argmax(self._gains(first, last, (np.zeros_like(cuts), cuts)))])

    def _spans(self, n: int) -> tuple[Ints, Ints]:
        """Return starts and ends: first the cuts, as spans from the beginning, then spans of doubling lengths."""
        cuts = np.arange(self._least, n - self._least + 1)
        starts, ends = [np.zeros_like(cuts)], [cuts]
        length = max(self._least, _LEAST_UNITS // 2)
        while 2 * length <= n:
            inner = np.arange(self._least, n - length - self._least + 1)
            starts.append(inner)
            ends.append(inner + length)
            length *= 2
        return np.concatenate(starts), np.concatenate(ends)

    def _gains(self, first: int, last: int, spans: tuple[Ints, Ints]) -> Floats:
        here = slice(first, last)
        yes, n = self._series.yes[None, here], self._series.n[None, here]
        return np.asarray(self._likelihood_ratios(yes, n, spans)[0])

    def _likelihood_ratios(self, yes: Ints, n: Ints, spans: tuple[Ints, Ints]) -> Floats:
        """Return the log-likelihood that spans with a share of their own gain, shape (n_orders, n_spans)."""
        sums = [np.pad(np.cumsum(of, axis=1), ((0, 0), (1, 0))) for of in (yes, n)]
        in_yes, in_n = (of[:, spans[1]] - of[:, spans[0]] for of in sums)
        all_yes, all_n = (of[:, -1:] for of in sums)
        gained: Floats = (
            self._likelihood(in_yes, in_n)
            + self._likelihood(all_yes - in_yes, all_n - in_n)
            - self._likelihood(all_yes, all_n)
        )
        return gained

    def _likelihood(self, yes: Ints, n: Ints) -> Floats:
        found: Floats = self._n_log_n[yes] + self._n_log_n[n - yes] - self._n_log_n[n]
        return found

    def _p_value(self, part: tuple[int, int], spans: tuple[Ints, Ints], seen: float) -> float:
        """Return how often another order has a change as good, times the number of tags.

        Drawing ends once it is clearly often.
        """
        yes, n = self._series.yes[slice(*part)], self._series.n[slice(*part)]
        most = min(self._options.most_draws, int(np.ceil(_ENOUGH * self._n_tests / self._options.alpha)))
        exceeded = drawn = 0
        while drawn < most:
            size = min(_DRAWS_AT_ONCE, most - drawn)
            orders = self._rng.permuted(np.tile(np.arange(len(yes)), (size, 1)), axis=1)
            gains = self._likelihood_ratios(yes[orders], n[orders], spans).max(axis=1)
            above = np.flatnonzero(gains >= seen - 1e-9)
            if exceeded + len(above) >= _ENOUGH:
                last = int(above[_ENOUGH - exceeded - 1])
                return self._n_tests * _ENOUGH / (drawn + last + 1)
            exceeded += len(above)
            drawn += size
        return self._n_tests * (exceeded + 1) / (drawn + 1)


def _units(counts: DayCounts, unit: Unit) -> tuple[Ints, Ints, Ints]:
    """Return the first days of the units, and their yes and decided posts."""
    starts, first = np.unique(period_starts(counts.days, "week"), return_index=True)
    if unit == "day" or (unit == "auto" and len(starts) < _ENOUGH_WEEKS):
        return counts.days, counts.yes.astype(np.int64), counts.decided.astype(np.int64)
    yes, decided = (
        np.add.reduceat(of.astype(np.int64), first, axis=0) for of in (counts.yes, counts.decided)
    )
    return starts, yes, decided


def _described(tag: str, series: _Series, cuts: Sequence[tuple[int, float]]) -> Iterator[Change]:
    bounds = [0, *(place for place, _ in cuts), len(series.days)]
    sums = [(int(series.yes[a:b].sum()), int(series.n[a:b].sum())) for a, b in pairwise(bounds)]
    for number, (place, p) in enumerate(cuts):
        (yes_before, n_before), (yes_after, n_after) = sums[number], sums[number + 1]
        low, high = (ends.tolist() for ends in wilson([yes_before, yes_after], [n_before, n_after]))
        yield Change(
            tag=tag,
            date=day_date(int(series.days[place])).isoformat(),
            since=day_date(int(series.days[bounds[number]])).isoformat(),
            until=day_date(int(series.days[bounds[number + 2] - 1])).isoformat(),
            before=yes_before / n_before,
            before_low=low[0],
            before_high=high[0],
            n_before=n_before,
            after=yes_after / n_after,
            after_low=low[1],
            after_high=high[1],
            n_after=n_after,
            p=min(p, 1.0),
        )
