"""How far annotators agree, tag by tag and overall, over the posts that at least two of them read.

A skipped annotation is a missing value; one that ticks nothing says "no" to every tag.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotations.records import Annotation

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TagAgreement:
    """Agreement on one tag; None where it is not defined (nobody, or everybody, ticked it).

    ``percent`` is the share of annotator pairs that agree, ``alpha`` Krippendorff's (nominal) with a
    bootstrap interval over posts, ``ac1`` Gwet's. ``n_positive`` counts annotations that bear the tag,
    ``n_posts`` the posts that two or more annotators read.
    """

    percent: float | None
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    ac1: float | None
    n_positive: int
    n_posts: int


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement a tag, and overall: the means over the tags for which a figure is defined.

    ``tags`` is empty where no post was read by two annotators; ``annotators`` counts each one's readings.
    """

    tags: dict[str, TagAgreement]
    overall: TagAgreement
    annotators: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able data."""
        return {
            "tags": {tag: asdict(figures) for tag, figures in self.tags.items()},
            "overall": asdict(self.overall),
            "annotators": self.annotators,
        }


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are drawn: ``n_samples`` resamples of the posts, ``level`` coverage, a seed."""

    n_samples: int = 1000
    level: float = 0.95
    seed: int = 0


def agreement(
    annotations: Iterable[Annotation], tag_ids: Sequence[str], bootstrap: Bootstrap | None = None
) -> AgreementReport:
    """Measure agreement over all posts with two or more annotations that were not skipped.

    Several annotations by one annotator on one revision count once, the last of them.

    Parameters
    ----------
    annotations
        Annotations in the order in which they were submitted.
    tag_ids
        The tags to report, in this order.
    bootstrap
        How intervals are drawn; 1,000 resamples, 95 %, seed 0 by default.
    """
    bootstrap = bootstrap or Bootstrap()
    readings = _latest(annotations)
    units = [unit for unit in _by_post(readings) if len(unit) > 1]
    n_raters = np.array([len(unit) for unit in units], dtype=np.float64)
    weights = _resamples(len(units), bootstrap)
    tags: dict[str, TagAgreement] = {}
    draws: dict[str, Counts] = {}
    for tag in tag_ids if units else ():
        n_yes = np.array([sum(tag in reading.tags for reading in unit) for unit in units], dtype=np.float64)
        draws[tag] = krippendorff_alpha(n_yes, n_raters, weights)
        tags[tag] = _tag_agreement(n_yes, n_raters, _interval(draws[tag], bootstrap.level))
    overall = _overall(tags, draws, bootstrap.level)
    annotators: dict[str, int] = {}
    for reading in readings:
        annotators[reading.annotator] = annotators.get(reading.annotator, 0) + 1
    return AgreementReport(tags, overall, dict(sorted(annotators.items())))


def krippendorff_alpha(n_yes: Counts, n_raters: Counts, weights: Counts | None = None) -> NDArray[np.float64]:
    """Krippendorff's alpha for a yes/no tag.

    Parameters
    ----------
    n_yes
        How many annotators said yes, one number a post, shape ``(n_posts,)``.
    n_raters
        How many annotators read the post, at least 2, shape ``(n_posts,)``.
    weights
        How often each post counts, shape ``(n_samples, n_posts)``; every post once by default.

    Returns
    -------
    Alpha for each row of ``weights``, shape ``(n_samples,)``; NaN where all values are the same.

    References
    ----------
    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D (nominal data).
    """
    weights = np.ones((1, len(n_yes))) if weights is None else weights
    n_no = n_raters - n_yes
    n_values = weights @ n_raters
    observed = weights @ (2 * n_yes * n_no / (n_raters - 1)) / np.maximum(n_values, 1)
    total_yes, total_no = weights @ n_yes, weights @ n_no
    expected = 2 * total_yes * total_no / np.maximum(n_values * (n_values - 1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def gwet_ac1(n_yes: Counts, n_raters: Counts) -> float:
    """Gwet's AC1 for a yes/no tag; shapes as in :func:`krippendorff_alpha`.

    References
    ----------
    K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement",
    British Journal of Mathematical and Statistical Psychology 61 (2008), equations 2 and 6.
    """
    share = float(np.mean(n_yes / n_raters))
    chance = 2 * share * (1 - share)
    return (percent_agreement(n_yes, n_raters) - chance) / (1 - chance)


def percent_agreement(n_yes: Counts, n_raters: Counts) -> float:
    """Return the mean over posts of the share of annotator pairs that gave the same answer (0 to 1)."""
    n_no = n_raters - n_yes
    agreeing = n_yes * (n_yes - 1) + n_no * (n_no - 1)
    return float(np.mean(agreeing / (n_raters * (n_raters - 1))))


def _latest(annotations: Iterable[Annotation]) -> list[Annotation]:
    latest: dict[tuple[str, str, str], Annotation] = {}
    for annotation in annotations:
        latest[annotation.post_id, annotation.revision, annotation.annotator] = annotation
    return [annotation for annotation in latest.values() if not annotation.skipped]


def _by_post(readings: Sequence[Annotation]) -> list[list[Annotation]]:
    units: dict[tuple[str, str], list[Annotation]] = {}
    for reading in readings:
        units.setdefault((reading.post_id, reading.revision), []).append(reading)
    return list(units.values())


def _resamples(n_posts: int, bootstrap: Bootstrap) -> Counts:
    if n_posts == 0:
        return np.zeros((bootstrap.n_samples, 0))
    rng = np.random.default_rng(bootstrap.seed)
    return rng.multinomial(n_posts, np.full(n_posts, 1 / n_posts), size=bootstrap.n_samples).astype(
        np.float64
    )


def _tag_agreement(
    n_yes: Counts, n_raters: Counts, interval: tuple[float | None, float | None]
) -> TagAgreement:
    return TagAgreement(
        percent=percent_agreement(n_yes, n_raters),
        alpha=_defined(float(krippendorff_alpha(n_yes, n_raters)[0])),
        alpha_low=interval[0],
        alpha_high=interval[1],
        ac1=gwet_ac1(n_yes, n_raters),
        n_positive=int(n_yes.sum()),
        n_posts=len(n_yes),
    )


def _interval(draws: Counts, level: float) -> tuple[float | None, float | None]:
    defined = draws[~np.isnan(draws)]
    if not len(defined):
        return None, None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _overall(tags: dict[str, TagAgreement], draws: dict[str, Counts], level: float) -> TagAgreement:
    def mean(name: str) -> float | None:
        values = [value for figures in tags.values() if (value := getattr(figures, name)) is not None]
        return float(np.mean(values)) if values else None

    stacked = np.array([draws[tag] for tag, figures in tags.items() if figures.alpha is not None])
    usable = stacked[:, ~np.isnan(stacked).all(axis=0)] if len(stacked) else stacked
    low, high = _interval(np.nanmean(usable, axis=0), level) if usable.size else (None, None)
    return TagAgreement(
        percent=mean("percent"),
        alpha=mean("alpha"),
        alpha_low=low,
        alpha_high=high,
        ac1=mean("ac1"),
        n_positive=sum(figures.n_positive for figures in tags.values()),
        n_posts=max((figures.n_posts for figures in tags.values()), default=0),
    )


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value
