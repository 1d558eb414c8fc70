"""Agreement over time: how far annotators agree, month by month of the dates that annotations bear.

These are the dates of the posts where annotations were pulled from Label Studio; of several readings of a post the
first date counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from annotations.agreement import Bootstrap, measure, readings_of
from annotations.records import Annotation
from classifiers.trends.corpus import UNDATED, day_of
from classifiers.trends.timelines import Period, period_name, period_starts


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementPoint:
    """Agreement on the posts of one period that two or more annotators read.

    ``alpha`` is Krippendorff's, the mean over tags for which it is defined; ``masi_alpha`` is that of whole sets of
    tags; each with its 95 % interval. None where it is not defined. ``percent`` is the share of pairs that agree.
    """

    period: str
    n_posts: int
    alpha: float | None
    alpha_low: float | None
    alpha_high: float | None
    masi_alpha: float | None
    masi_alpha_low: float | None
    masi_alpha_high: float | None
    percent: float | None


def agreement_by_period(
    annotations: Iterable[Annotation],
    tag_ids: Sequence[str],
    period: Period = "month",
    bootstrap: Bootstrap | None = None,
) -> list[AgreementPoint]:
    """Measure agreement for every period in which some post was read twice, undated ones at the beginning."""
    by_post: dict[tuple[str, str], list[Annotation]] = {}
    for each in annotations:
        by_post.setdefault((each.post_id, each.revision), []).append(each)
    groups: dict[int, list[Annotation]] = {}
    for found in by_post.values():
        days = [day_of(each.date) for each in found if each.date is not None]
        start = int(period_starts(np.array([min(days, default=UNDATED)]), period)[0])
        groups.setdefault(start, []).extend(found)
    points = []
    for start, found in sorted(groups.items()):
        report = measure(readings_of(found), tag_ids, bootstrap=bootstrap)
        if not report.overall.n_posts:
            continue
        alpha, masi = report.overall.alpha, report.everything.masi_alpha
        points.append(
            AgreementPoint(
                period=period_name(start, period),
                n_posts=report.overall.n_posts,
                alpha=alpha.value,
                alpha_low=alpha.low,
                alpha_high=alpha.high,
                masi_alpha=masi.value,
                masi_alpha_low=masi.low,
                masi_alpha_high=masi.high,
                percent=report.overall.percent.value,
            )
        )
    return points
