"""The plots of a report: what each shows, how it is drawn, and the table that its points come from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from classifiers.plots import NO_METADATA, drawing
from service.report import drawings
from service.report.content import UNKNOWN, Content
from service.report.numbers import overall

_DOTS = 150


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: ``name`` of its files, what it shows (``alt``), and its table ``sheet``."""

    name: str
    title: str
    alt: str
    sheet: str
    draw: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot as files."""

    plot: Plot
    svg: str
    png: bytes


def drawn(content: Content) -> Iterator[Drawn]:
    """Draw every plot that there is anything to show of; the same content gives the same bytes."""
    with drawing():
        for plot in plots(content):
            yield _files(plot)


def plots(content: Content) -> list[Plot]:
    """Return the plots that there is anything to show of."""
    return [
        *_of_posts(content),
        *_of_people(content),
        *_of_model(content),
        *_of_shares(content),
        *_of_drift(content),
    ]


def _files(plot: Plot) -> Drawn:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - see classifiers/plots.py
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure()
    FigureCanvasAgg(figure)
    plot.draw(figure)
    text, picture = io.StringIO(), io.BytesIO()
    figure.savefig(text, format="svg", metadata=NO_METADATA)
    figure.savefig(picture, format="png", dpi=_DOTS, metadata={"Software": None})
    return Drawn(plot, text.getvalue(), picture.getvalue())


def _of_posts(content: Content) -> Iterator[Plot]:
    counts = content.counts
    months = {month: n for month, n in counts.by_month.items() if month != UNKNOWN}
    if months:
        most = max(months, key=lambda month: months[month])
        said = f"Posts by month, from {min(months)} to {max(months)}; the most, {months[most]:,}, in {most}"
        yield Plot("posts-by-month", "Posts by month", said, "posts_by_month", drawings.columns(months))
    for name, of in (("channel", counts.by_channel), ("language", counts.by_language)):
        if of:
            first, n = next(iter(of.items()))
            said = f"Posts by {name}, {len(of):,} in all; the most, {n:,}, in {first}"
            yield Plot(f"posts-by-{name}", f"Posts by {name}", said, f"posts_by_{name}", drawings.bars(of))


def _of_people(content: Content) -> Iterator[Plot]:
    if content.agreement is None:
        return
    rows = [
        drawings.Dot(content.title(tag), of.alpha.value, of.alpha.low, of.alpha.high)
        for tag, of in content.agreement.tags.items()
    ]
    if any(row.value is not None for row in rows):
        yield Plot(
            "agreement",
            "Agreement on each tag: Krippendorff's alpha with 95 % intervals",
            "Krippendorff's alpha of every tag with its 95 % interval; lines at 0.667 and 0.8",
            "agreement_by_tag",
            drawings.dots(rows, "Krippendorff's alpha", lines=(0.667, 0.8)),
        )


def _of_model(content: Content) -> Iterator[Plot]:
    unseen = content.model.unseen if content.model else None
    if unseen is None:
        return
    yield Plot(
        "reliability",
        "Are the model's probabilities right?",
        "Share of posts with the tag against the model's probability, in ten bins, for all tags and each tag",
        "reliability",
        drawings.reliable(unseen),
    )
    yield Plot(
        "precision-recall",
        "Precision and recall of each tag",
        "Precision against recall of every tag, with the point at its threshold",
        "precision_recall",
        drawings.precise(unseen),
    )


def _of_shares(content: Content) -> Iterator[Plot]:
    rows = [
        drawings.Dot(
            content.title(each.tag), each.share if each.is_valid else None, each.low, each.high, each.counted
        )
        for each in overall(content)
    ]
    if rows:
        yield Plot(
            "prevalence",
            "Share of posts that bear each tag",
            "Error-corrected share of every tag with its 95 % interval, beside the share that the model decides",
            "prevalence",
            drawings.dots(rows, "share of posts", other="model's count"),
        )
    lines = drawings.share_lines(content)
    if lines:
        yield Plot(
            "prevalence-by-month",
            "Share of posts by month, corrected for the model's errors",
            "Error-corrected share of each tag by month with 95 % intervals; hollow where labels are borrowed",
            "prevalence_by_month",
            drawings.panels(lines),
        )
    lines = drawings.count_lines(content)
    if lines:
        yield Plot(
            "timelines",
            "What the model decided, by month, with changes",
            "Share of posts decided yes for each tag by month with 95 % intervals; an upright line at each change",
            "timelines",
            drawings.panels(lines),
        )
    if content.trends and content.trends.pairs:
        yield Plot(
            "pairs",
            "Tags that come together",
            "Correlation of the decisions on each pair of tags: orange together, blue apart",
            "pairs",
            drawings.heat(content),
        )


def _of_drift(content: Content) -> Iterator[Plot]:
    if content.drift is None:
        return
    if content.drift.scores:
        yield Plot(
            "score-drift",
            "Scores beside earlier months",
            "Population stability index of each tag by month; the darker, the more the scores have shifted",
            "score_drift",
            drawings.shifts(content),
        )
    rows = [
        drawings.Dot(each.period, each.alpha, each.alpha_low, each.alpha_high)
        for each in content.drift.agreement
    ]
    if len(rows) > 1 and any(row.value is not None for row in rows):
        yield Plot(
            "agreement-by-month",
            "Agreement over time",
            "Krippendorff's alpha by month with its 95 % interval",
            "agreement_by_period",
            drawings.dots(rows, "Krippendorff's alpha"),
        )
