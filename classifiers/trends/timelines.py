"""How many posts bear a tag, by month or week, channel and language: counts of decisions, with intervals.

These are counts of what a classifier decided.  Its errors move them: where it is to be said how large a share
*is*, the error-corrected prevalence is the answer, and these lines show the course.  The intervals say how far
counts of so many posts vary by chance; they say nothing of the classifier's errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from classifiers.trends.corpus import UNDATED, TaggedBatch
from classifiers.trends.intervals import wilson

Ints = npt.NDArray[np.int64]
Period = Literal["month", "week"]
Cell = tuple[int, str, str]
_FIRST = date(1970, 1, 1)
_Key = TypeVar("_Key")
NO_PERIOD = "undated"
NO_LANGUAGE = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The decisions on a tag in one period, of one group of posts.

    Attributes
    ----------
    by, group
        What the posts have in common: ``all``, ``channel`` or ``language``, and which.
    period
        ``2026-01`` is a month, ``2026-W05`` an ISO week; ``undated`` for posts without a date.
    n_posts, n_yes, n_abstain
        Posts, posts decided yes, and posts not decided: not predicted, or too near the threshold.
    share, low, high
        The share of yes among the posts decided, with its 95 % Wilson interval; None where none is decided.
    """

    by: str
    group: str
    period: str
    tag: str
    n_posts: int
    n_yes: int
    n_abstain: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class DayCounts:
    """Counts by day, ascending, undated posts left out: ``days`` (n,), ``yes`` and ``decided`` (n, n_tags)."""

    days: Ints
    yes: Ints
    decided: Ints


class Timelines:
    """Counts decisions while the batches of a corpus pass by."""

    def __init__(self, tag_ids: Sequence[str], period: Period = "month") -> None:
        self._tag_ids, self._period = tuple(tag_ids), period
        self._cells: _Counts[Cell] = _Counts(len(self._tag_ids))
        self._days: _Counts[int] = _Counts(len(self._tag_ids))

    def add(self, batch: TaggedBatch) -> None:
        """Count a batch."""
        starts = period_starts(batch.days, self._period).tolist()
        keys: list[Cell] = [
            (start, stored.post.channel, language or NO_LANGUAGE)
            for start, stored, language in zip(starts, batch.posts, batch.languages, strict=True)
        ]
        self._cells.add(keys, batch)
        self._days.add(batch.days.tolist(), batch)

    @property
    def n_posts(self) -> int:
        """Posts counted so far."""
        return int(self._cells.n.sum())

    @property
    def n_undated(self) -> int:
        """Posts without a date."""
        return int(sum(self._days.n[row] for day, row in self._days.row_of.items() if day == UNDATED))

    def by_day(self) -> DayCounts:
        """Return the counts of every day on which there is a post."""
        known = sorted((day, row) for day, row in self._days.row_of.items() if day != UNDATED)
        rows = np.array([row for _, row in known], dtype=np.int64)
        yes, decided = self._days.yes[rows], (self._days.n[:, None] - self._days.abstained)[rows]
        return DayCounts(np.array([day for day, _ in known], dtype=np.int64), yes, decided)

    def points(self) -> list[Point]:
        """Return the lines: of all posts, of every channel, of every language."""
        kinds: Mapping[str, Callable[[Cell], str]] = {
            "all": lambda _: "all",
            "channel": lambda cell: cell[1],
            "language": lambda cell: cell[2],
        }
        return [point for by, group_of in kinds.items() for point in self._lines(by, group_of)]

    def _lines(self, by: str, group_of: Callable[[Cell], str]) -> Iterator[Point]:
        rows: dict[tuple[str, int], list[int]] = {}
        for cell, row in self._cells.row_of.items():
            rows.setdefault((group_of(cell), cell[0]), []).append(row)
        for (group, start), found in sorted(rows.items()):
            n = int(self._cells.n[found].sum())
            yes, abstained = self._cells.yes[found].sum(axis=0), self._cells.abstained[found].sum(axis=0)
            low, high = wilson(yes, n - abstained)
            for column, tag in enumerate(self._tag_ids):
                decided = n - int(abstained[column])
                yield Point(
                    by=by,
                    group=group,
                    period=period_name(start, self._period),
                    tag=tag,
                    n_posts=n,
                    n_yes=int(yes[column]),
                    n_abstain=int(abstained[column]),
                    share=int(yes[column]) / decided if decided else None,
                    low=float(low[column]) if decided else None,
                    high=float(high[column]) if decided else None,
                )


class _Counts(Generic[_Key]):
    """Counts of posts ``n`` (n_rows,), ``yes`` and ``abstained`` (n_rows, n_tags), a row for every key met."""

    def __init__(self, n_tags: int) -> None:
        self.row_of: dict[_Key, int] = {}
        self.n: Ints = np.zeros(64, dtype=np.int64)
        self.yes: Ints = np.zeros((64, n_tags), dtype=np.int64)
        self.abstained: Ints = np.zeros((64, n_tags), dtype=np.int64)

    def add(self, keys: Sequence[_Key], batch: TaggedBatch) -> None:
        """Count the posts of a batch, whose keys are given one by one."""
        rows = np.array([self.row_of.setdefault(key, len(self.row_of)) for key in keys], dtype=np.int64)
        while len(self.row_of) > len(self.n):
            self.n = np.concatenate([self.n, np.zeros_like(self.n)])
            self.yes, self.abstained = (
                np.concatenate([counts, np.zeros_like(counts)]) for counts in (self.yes, self.abstained)
            )
        np.add.at(self.n, rows, 1)
        np.add.at(self.yes, rows, batch.yes)
        np.add.at(self.abstained, rows, ~batch.decided)


def period_starts(days: Ints, period: Period) -> Ints:
    """Return the first day of the month or ISO week of every day; undated days stay so."""
    known = days != UNDATED
    found = days.copy()
    if period == "week":
        found[known] = days[known] - (days[known] + 3) % 7  # 1970-01-01 was a Thursday
    else:
        months = days[known].astype("datetime64[D]").astype("datetime64[M]")
        found[known] = months.astype("datetime64[D]").astype(np.int64)
    return found


def period_name(start: int, period: Period) -> str:
    """Return the name of the period that begins on a day."""
    if start == UNDATED:
        return NO_PERIOD
    first = day_date(start)
    if period == "month":
        return f"{first:%Y-%m}"
    year, week, _ = first.isocalendar()
    return f"{year}-W{week:02}"


def day_date(day: int) -> date:
    """Return the date of a day."""
    return _FIRST + timedelta(days=int(day))
