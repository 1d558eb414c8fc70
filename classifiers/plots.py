"""The plots of a model card, as SVG: the same figures give the same bytes with the same matplotlib.

matplotlib is imported when something is drawn, for it takes a second and scoring never needs it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np

from classifiers.curves import Unseen, confusions, precision_recall, reliability, sweep
from classifiers.learning_curve import LearningCurve
from classifiers.manifest import PLOTS

_SALT: Final = "talking-points"
_COLUMNS, _LEAST_COLUMNS = 5, 3
_PANEL = 1.7
_WIDE, _HIGH = 1.25, 1.4
_NAVY, _ORANGE, _GREEN, _GREY = "#1b3a5b", "#c8641e", "#3f7d4e", "#9a9a9a"
_STYLES = (("--", _NAVY), ("-.", _GREEN), ("-", _ORANGE))
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def plots(unseen: Unseen, curve: LearningCurve | None = None) -> dict[str, str]:
    """Draw everything there is to draw: SVG by file name."""
    draws = (draw_precision_recall, draw_reliability, _thresholds, _confusions)
    drawers: dict[str, Callable[[Any], None]] = {
        name: partial(draw, unseen=unseen) for name, draw in zip(PLOTS, draws, strict=False)
    }
    if curve is not None:
        drawers[PLOTS[-1]] = partial(_learning_curve, curve=curve)
    with drawing():
        return {name: _drawn(drawer) for name, drawer in drawers.items()}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever the user's are; text stays text."""
    import matplotlib as mpl  # noqa: PLC0415 - see the module's docstring

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.hashsalt": _SALT,
                "svg.fonttype": "none",
                "font.size": 8,
                "axes.titlesize": 8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "text.parse_math": False,
                "figure.constrained_layout.use": True,
            }
        )
        yield


def _drawn(draw: Callable[[Any], None]) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure()
    FigureCanvasSVG(figure)
    draw(figure)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=NO_METADATA)
    return stream.getvalue()


class _Panels:
    """Small squares from 0 to 1 both ways, one a title, on one sheet: an axes for each would take seconds."""

    def __init__(self, figure: Any, titles: list[str], x_label: str, y_label: str) -> None:
        n_columns = min(_COLUMNS, max(_LEAST_COLUMNS, len(titles)))
        n_rows = -(-len(titles) // n_columns)
        figure.set_layout_engine("none")
        figure.set_size_inches(_PANEL * (n_columns * _WIDE + 0.3), _PANEL * (n_rows * _HIGH + 0.25))
        self._axes = figure.add_axes((0, 0, 1, 1))
        self._axes.set(
            xlim=(-0.5, n_columns * _WIDE - 0.2), ylim=(-n_rows * _HIGH + 0.8, 1.05 + _HIGH - 1.25)
        )
        self._axes.set_axis_off()
        self._axes.autoscale(False)
        self._corners = [(k % n_columns * _WIDE, -(k // n_columns) * _HIGH) for k in range(len(titles))]
        for (x, y), title in zip(self._corners, titles, strict=True):
            self._axes.plot((x, x, x + 1), (y + 1, y, y), color="black", linewidth=0.8)
            self._axes.text(x + 0.5, y + 1.04, title, ha="center", va="bottom", fontsize=8)
            for share, said in ((0, "0"), (0.5, "0.5"), (1, "1")):
                self._axes.text(x + share, y - 0.03, said, ha="center", va="top", fontsize=6)
                self._axes.text(x - 0.03, y + share, said, ha="right", va="center", fontsize=6)
        x, y = (n_columns - 1) * _WIDE / 2 + 0.5, -(n_rows - 1) * _HIGH
        self._axes.text(x, y - 0.17, x_label, ha="center", va="top", fontsize=9)
        self._axes.text(-0.3, y / 2 + 0.5, y_label, ha="right", va="center", rotation=90, fontsize=9)

    def line(self, k: int, x: Any, y: Any, *form: str, **style: Any) -> None:
        """Draw points in panel ``k``, as ``Axes.plot`` does."""
        left, bottom = self._corners[k]
        self._axes.plot(np.asarray(x) + left, np.asarray(y) + bottom, *form, **style)

    def bars(self, k: int, x: Any, low: Any, high: Any) -> None:
        """Draw upright lines in panel ``k``."""
        left, bottom = self._corners[k]
        low, high = np.asarray(low) + bottom, np.asarray(high) + bottom
        self._axes.vlines(np.asarray(x) + left, low, high, color=_NAVY, linewidth=0.8)


def draw_precision_recall(figure: Any, unseen: Unseen) -> None:
    """Draw precision against recall of every tag on an empty figure."""
    titles = [rule.tag_id for rule in unseen.rules]
    panels = _Panels(figure, titles, "recall (dot: at the tag's threshold; dotted: always yes)", "precision")
    for k in range(len(titles)):
        truth = unseen.truth[:, k]
        panels.line(k, (0, 1), (truth.mean(),) * 2, ":", color=_GREY, linewidth=0.8)
        if not truth.any():
            continue
        recall, precision = precision_recall(truth, unseen.score[:, k])
        panels.line(k, recall, precision, color=_NAVY, linewidth=1.2, drawstyle="steps-pre")
        hits, n_yes = int((truth & unseen.yes[:, k]).sum()), int(unseen.yes[:, k].sum())
        if n_yes:
            panels.line(k, [hits / truth.sum()], [hits / n_yes], "o", color=_ORANGE, markersize=4)


def draw_reliability(figure: Any, unseen: Unseen) -> None:
    """Draw the share of posts with a tag against its probability on an empty figure."""
    titles = ["all tags", *(rule.tag_id for rule in unseen.rules)]
    said = "mean probability in ten bins (bars: 95 % intervals by Wilson)"
    panels = _Panels(figure, titles, said, "share of posts with the tag")
    for k in range(len(titles)):
        columns = slice(None) if k == 0 else slice(k - 1, k)
        found = reliability(unseen.truth[:, columns], unseen.score[:, columns])
        panels.line(k, (0, 1), (0, 1), ":", color=_GREY, linewidth=0.8)
        panels.bars(k, found.predicted, found.low, found.high)
        panels.line(k, found.predicted, found.observed, "o", color=_NAVY, markersize=3)


def _thresholds(figure: Any, unseen: Unseen) -> None:
    found = sweep(unseen)
    titles = ["all tags, one threshold", *(rule.tag_id for rule in unseen.rules)]
    said = "threshold (grey: the tag's own); dashed: precision, dash-dotted: recall, solid: F1"
    panels = _Panels(figure, titles, said, "precision, recall, F1")
    for k in range(len(titles)):
        own = (part[:, k - 1] for part in (found.precision, found.recall, found.f1))
        for values, style in zip(found.pooled.T if k == 0 else own, _STYLES, strict=True):
            panels.line(k, found.thresholds, values, style[0], color=style[1], linewidth=1)
        if k > 0:
            threshold = unseen.rules[k - 1].threshold
            panels.line(k, (threshold, threshold), (0, 1), color=_GREY, linewidth=0.8)


def _confusions(figure: Any, unseen: Unseen) -> None:
    table, names = confusions(unseen), [rule.tag_id for rule in unseen.rules]
    size = 0.3 * len(names) + 3
    figure.set_size_inches(size, size)
    axes = figure.subplots()
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(edges, edges, np.nan_to_num(table), cmap="Oranges", vmin=0, vmax=1)
    axes.invert_yaxis()
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    for i, j in np.argwhere(np.nan_to_num(table) >= 0.05):
        share = table[i, j]
        axes.text(
            j,
            i,
            f"{100 * share:.0f}",
            ha="center",
            va="center",
            fontsize=6,
            color="white" if share > 0.6 else "black",
        )
    axes.set_xlabel("wrongly predicted (on the diagonal: missed), % of the posts in the row")
    axes.set_ylabel("posts that bear the tag")


def _learning_curve(figure: Any, curve: LearningCurve) -> None:
    figure.set_size_inches(5, 3.2)
    axes = figure.subplots()
    last = curve.n_posts + curve.more
    n = np.linspace(min(curve.sizes), last, 100)
    axes.plot(
        n, [curve.law.at(each) for each in n], color=_GREY, linewidth=1, linestyle="--", label="power law"
    )
    axes.plot(curve.sizes, curve.scores, "o", color=_NAVY, markersize=4, label="measured")
    now = curve.law.at(curve.n_posts)
    label = f"{curve.more} posts more, 95 % interval of the gain"
    axes.vlines([last], now + curve.gain_low, now + curve.gain_high, color=_ORANGE, linewidth=1)
    axes.plot([last], [now + curve.gain], "s", color=_ORANGE, markersize=4, label=label)
    axes.set(xlabel="posts in training", ylabel="mean average precision")
    axes.legend(loc="lower right", frameon=False)


def alternative_texts() -> Mapping[str, str]:
    """Return what each plot shows, for who cannot see it."""
    said = (
        "Precision against recall of every tag, with the point at its threshold",
        "Share of posts with the tag against the probability, in ten bins",
        "Precision, recall and F1 of every tag at thresholds from 0 to 1",
        "For posts with one tag, how often another is wrongly predicted",
        "Mean average precision against the number of posts in training",
    )
    return dict(zip(PLOTS, said, strict=True))
