"""How the plots of a report are drawn: each function returns what draws on an empty matplotlib figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from classifiers.curves import Unseen
from classifiers.plots import draw_precision_recall, draw_reliability
from classifiers.prevalence.estimating import ALL
from classifiers.trends.timelines import NO_PERIOD
from service.page_texts import writable
from service.report.content import UNKNOWN, Content

Draw = Callable[[Any], None]
_NAVY, _ORANGE, _GREY = "#1b3a5b", "#c8641e", "#9a9a9a"
_MOST_BARS, _MOST_PANELS, _MOST_CELLS = 20, 30, 40
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure with its interval, and another beside it; None where there is none."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    other: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Shares by month: ``months`` (ISO 8601), shares with intervals, which are ``hollow``, and months of changes."""

    name: str
    months: tuple[str, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    hollow: tuple[bool, ...]
    changes: tuple[str, ...] = ()


def columns(of: Mapping[str, int]) -> Draw:
    """Draw numbers by month as upright bars."""

    def draw(figure: Any) -> None:
        figure.set_size_inches(7, 2.6)
        axes = figure.subplots()
        places = _places(list(of))
        axes.bar(places, list(of.values()), color=_NAVY, width=0.8)
        _months(axes, list(of))
        axes.set_ylabel("posts")

    return draw


def bars(of: Mapping[str, int]) -> Draw:
    """Draw numbers by name as lying bars, the largest on top."""

    def draw(figure: Any) -> None:
        names = list(of)[:_MOST_BARS]
        figure.set_size_inches(7, 0.6 + 0.24 * len(names))
        axes = figure.subplots()
        axes.barh(range(len(names)), [of[name] for name in names], color=_NAVY, height=0.7)
        axes.set_yticks(range(len(names)), [short(name) for name in names])
        axes.invert_yaxis()
        axes.set_xlabel("posts" if len(of) <= _MOST_BARS else f"posts ({_MOST_BARS} of {len(of):,})")

    return draw


def dots(
    rows: Sequence[Dot],
    label: str,
    lines: Sequence[float] = (),
    other: str = "",
) -> Draw:
    """Draw figures with their intervals, one below the other; shares, with ``other`` beside them, in percent."""
    factor = 100 if other else 1

    def draw(figure: Any) -> None:
        figure.set_size_inches(7, 0.7 + 0.24 * len(rows))
        axes = figure.subplots()
        for line in lines:
            axes.axvline(line * factor, color=_GREY, linewidth=0.8, linestyle=":")
        for y, row in enumerate(rows):
            if row.low is not None and row.high is not None:
                axes.plot([row.low * factor, row.high * factor], [y, y], color=_NAVY, linewidth=1.5)
            if row.value is not None:
                axes.plot([row.value * factor], [y], "o", color=_NAVY, markersize=5)
            if row.other is not None:
                axes.plot([row.other * factor], [y], "D", color=_ORANGE, markersize=4, fillstyle="none")
        axes.set_yticks(range(len(rows)), [short(row.name) for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim((0, None) if other else (-0.2, 1.02))
        axes.set_xlabel(f"{label}, %" if other else label)
        if other:
            axes.plot([], [], "o-", color=_NAVY, markersize=5, label="corrected, 95 % interval")
            axes.plot([], [], "D", color=_ORANGE, markersize=4, fillstyle="none", label=other)
            axes.legend(loc="lower right", frameon=False)

    return draw


def panels(of: Sequence[Line]) -> Draw:
    """Draw shares by month, a small panel a tag."""

    def draw(figure: Any) -> None:
        shown = of[:_MOST_PANELS]
        n_columns = min(_COLUMNS, len(shown))
        n_rows = -(-len(shown) // n_columns)
        figure.set_size_inches(2.1 * n_columns + 0.4, 1.55 * n_rows + 0.3)
        grid = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
        months = sorted({month for line in shown for month in line.months})
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, line in zip(grid.flat, shown, strict=False):
            _panel(axes, line, months)
        figure.supylabel("share of posts, %", fontsize=8)

    return draw


def _panel(axes: Any, line: Line, months: Sequence[str]) -> None:
    x, share = np.array(_places(line.months)), 100 * np.array(line.share)
    hollow = np.array(line.hollow)
    axes.vlines(x, 100 * np.array(line.low), 100 * np.array(line.high), color=_NAVY, linewidth=1, alpha=0.6)
    axes.plot(x, share, color=_NAVY, linewidth=0.8)
    axes.plot(x[~hollow], share[~hollow], "o", color=_NAVY, markersize=3)
    axes.plot(x[hollow], share[hollow], "o", color=_NAVY, markersize=3.5, markerfacecolor="white")
    for change in line.changes:
        axes.axvline(_places([change[:7]])[0] + _within(change), color=_ORANGE, linewidth=1, linestyle="--")
    axes.set_title(short(line.name, 26), fontsize=7.5)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=6)
    _months(axes, months, most=3)


def share_lines(content: Content) -> list[Line]:
    """Return the error-corrected shares by month, of tags with an interval; hollow where labels are borrowed."""
    shares = content.shares.shares if content.shares else ()
    by_tag: dict[str, list[Any]] = {}
    for each in shares:
        if each.part not in (ALL, UNKNOWN) and each.share is not None and each.low is not None:
            by_tag.setdefault(each.tag, []).append(each)
    return [
        Line(
            content.title(tag),
            tuple(each.part for each in found),
            tuple(each.share for each in found),
            tuple(each.low for each in found),
            tuple(each.high for each in found),
            tuple(not each.is_valid for each in found),
        )
        for tag, found in by_tag.items()
    ]


def count_lines(content: Content) -> list[Line]:
    """Return the decisions by month, with the days of changes."""
    if content.trends is None:
        return []
    by_tag: dict[str, list[Any]] = {}
    for point in content.trends.timelines:
        if point.by == "all" and point.period != NO_PERIOD and point.share is not None:
            by_tag.setdefault(point.tag, []).append(point)
    return [
        Line(
            content.title(tag),
            tuple(point.period for point in found),
            tuple(point.share for point in found),
            tuple(point.low for point in found),
            tuple(point.high for point in found),
            (False,) * len(found),
            tuple(change.date for change in content.trends.changes if change.tag == tag),
        )
        for tag, found in by_tag.items()
    ]


def heat(content: Content) -> Draw:
    """Draw the correlation of the decisions on every pair of tags."""
    pairs = content.trends.pairs if content.trends else ()
    known = {tag for pair in pairs for tag in (pair.first, pair.second)}
    tags = [tag for tag in (content.trends.tag_ids if content.trends else ()) if tag in known][:_MOST_CELLS]
    place = {tag: k for k, tag in enumerate(tags)}
    table = np.full((len(tags), len(tags)), np.nan)
    for pair in pairs:
        if pair.first in place and pair.second in place:
            i, j = place[pair.first], place[pair.second]
            table[i, j] = table[j, i] = pair.phi
    names = [content.title(tag) for tag in tags]
    return partial(_cells, table=table, rows=names, names=names, style=("PuOr_r", -1.0, 1.0, "{:.1f}", 0.15))


def shifts(content: Content) -> Draw:
    """Draw the stability index of every tag by month, beside earlier months (training where there are none)."""
    scores = content.drift.scores if content.drift else ()
    reference = "earlier" if any(each.reference == "earlier" for each in scores) else "training"
    kept = [each for each in scores if each.reference == reference]
    tags = list(dict.fromkeys(each.tag for each in kept))[:_MOST_CELLS]
    periods = sorted({each.period for each in kept})[-_MOST_CELLS:]
    table = np.full((len(tags), len(periods)), np.nan)
    for each in kept:
        if each.tag in tags and each.period in periods:
            table[tags.index(each.tag), periods.index(each.period)] = each.psi
    names = [content.title(tag) for tag in tags]
    return partial(_cells, table=table, rows=names, names=periods, style=("Oranges", 0.0, 0.5, "{:.2f}", 0.1))


def reliable(unseen: Unseen) -> Draw:
    """Draw how right the probabilities are."""
    return partial(draw_reliability, unseen=unseen)


def precise(unseen: Unseen) -> Draw:
    """Draw precision against recall."""
    return partial(draw_precision_recall, unseen=unseen)


def short(name: str, most: int = 34) -> str:
    """Return a name that has a place beside a plot."""
    flat = " ".join(writable(name).split())
    return flat if len(flat) <= most else f"{flat[: most - 1].rstrip()}…"


def _cells(
    figure: Any,
    table: Any,
    rows: Sequence[str],
    names: Sequence[str],
    style: tuple[str, float, float, str, float],
) -> None:
    colors, low, high, form, least = style
    figure.set_size_inches(2.6 + 0.36 * len(names), 2.2 + 0.27 * len(rows))
    axes = figure.subplots()
    axes.pcolormesh(
        np.arange(len(names) + 1) - 0.5,
        np.arange(len(rows) + 1) - 0.5,
        table,
        cmap=colors,
        vmin=low,
        vmax=high,
    )
    axes.invert_yaxis()
    axes.set_xticks(range(len(names)), [short(name) for name in names], rotation=90)
    axes.set_yticks(range(len(rows)), [short(name) for name in rows])
    for i, j in np.argwhere(np.abs(np.nan_to_num(table)) >= least):
        value = table[i, j]
        ink = "white" if abs(value) > 0.6 * high else "black"
        axes.text(j, i, form.format(value), ha="center", va="center", fontsize=6, color=ink)


def _places(months: Sequence[str]) -> list[float]:
    """Return months as numbers, one apart."""
    return [12.0 * int(month[:4]) + int(month[5:7]) - 1 for month in months]


def _within(day: str) -> float:
    return (int(day[8:10]) - 1) / 31 - 0.5


def _months(axes: Any, months: Sequence[str], most: int = 8) -> None:
    chosen = list(months)[:: max(1, -(-len(months) // most))]
    axes.set_xticks(_places(chosen), chosen)
