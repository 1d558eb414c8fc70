"""What an estimation found: one row a tag and part of the posts, ready for a table, JSON or a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Estimator(StrEnum):
    """How a share is estimated; ``docs/prevalence.md`` has what each needs to be right."""

    ASSISTED = "assisted"
    DIFFERENCE = "difference"
    HUMAN = "human"
    ADJUSTED = "adjusted"
    COUNT = "count"
    PROBABILISTIC = "probabilistic"
    PRIOR_SHIFT = "prior-shift"


VALID = frozenset({Estimator.ASSISTED, Estimator.DIFFERENCE, Estimator.HUMAN})
"""Those whose interval holds by the design of the sample, whatever the model does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of posts that bear a tag, in one part of the posts.

    Attributes
    ----------
    part
        A month, channel or language; ``all`` for all posts.
    n_posts, n_labels, n_positive
        Posts of the part; the labelled ones that count, near-duplicates once; those of them that bear the tag.
    share, low, high
        The estimate and its interval; None where there is none.
    counted
        The share that the model decides ``yes``, for comparison.
    is_valid
        Whether the interval holds by the design of the sample.  What is not valid is indicative.
    is_borrowed
        Whether labels of other parts had to do, on the assumption that the model errs here as it does there.
    n_effective
        The labels that would be as exact without a model, in an endless population.
    ratio
        The variance over that of the labels alone.
    tuning
        How far the scores are used, from 0.
    note
        What a reader of this row must know.
    """

    tag: str
    part: str
    estimator: Estimator
    n_posts: int
    n_labels: int
    n_positive: int
    share: float | None
    low: float | None = None
    high: float | None = None
    counted: float | None = None
    is_valid: bool = False
    is_borrowed: bool = False
    n_effective: float | None = None
    ratio: float | None = None
    tuning: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """How many posts drawn at random would make the interval of a tag so wide, from end to end.

    ``share`` is what is expected; ``ratio`` is what the model saves, 1 where that is not known.
    """

    tag: str
    width: float
    share: float
    ratio: float
    n_random: int


@dataclass(frozen=True, slots=True)
class PrevalenceReport:
    """All shares, with what a reader must know of them.

    ``by`` is ``month``, ``channel``, ``language`` or None; rows of all posts come first.
    """

    shares: tuple[Share, ...]
    n_posts: int
    n_random: int
    level: float
    by: str | None = None
    model_version: str | None = None
    warnings: tuple[str, ...] = ()
    planned: tuple[Planned, ...] = field(default_factory=tuple)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the shares as flat rows of plain values; what is not known or endless is None."""
        return [_plain(asdict(each)) for each in self.shares]

    def to_dict(self) -> dict[str, Any]:
        """Return everything ready for JSON."""
        found = asdict(self)
        found["shares"] = self.to_rows()
        found["planned"] = [asdict(each) for each in self.planned]
        found["warnings"] = list(self.warnings)
        return found


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else _text(value)
        for name, value in row.items()
    }


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, StrEnum) else value
