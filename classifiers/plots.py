"""The plots of a model card, as SVG: the same figures give the same bytes with the same matplotlib.

matplotlib is imported when something is drawn, for it takes a second and scoring never needs it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from classifiers.curves import Unseen, confusions, precision_recall, reliability, sweep
from classifiers.learning_curve import LearningCurve
from classifiers.manifest import PLOTS

_SALT = "talking-points"
_COLUMNS = 5
_PANEL = 2.1
_NAVY, _ORANGE, _GREEN, _GREY = "#1b3a5b", "#c8641e", "#3f7d4e", "#9a9a9a"
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def plots(unseen: Unseen, curve: LearningCurve | None = None) -> dict[str, str]:
    """Draw everything there is to draw: SVG by file name."""
    draws = (_precision_recall, _reliability, _thresholds, _confusions)
    drawers: dict[str, Callable[[Any], None]] = {
        name: partial(draw, unseen=unseen) for name, draw in zip(PLOTS, draws, strict=False)
    }
    if curve is not None:
        drawers[PLOTS[-1]] = partial(_learning_curve, curve=curve)
    with _defaults():
        return {name: _drawn(drawer) for name, drawer in drawers.items()}


@contextmanager
def _defaults() -> Iterator[None]:
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
    figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    return stream.getvalue()


def _panels(figure: Any, titles: list[str]) -> Iterator[Any]:
    """Yield one square panel a title, from 0 to 1 both ways, with shared scales."""
    n_rows = -(-len(titles) // _COLUMNS)
    n_columns = min(_COLUMNS, len(titles))
    figure.set_size_inches(_PANEL * n_columns + 0.4, (_PANEL + 0.15) * n_rows + 0.4)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for number, axes in enumerate(grid.ravel()):
        if number >= len(titles):
            axes.set_visible(False)
            continue
        axes.set(title=titles[number], xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.title.set_wrap(True)
        yield axes


def _precision_recall(figure: Any, unseen: Unseen) -> None:
    titles = [rule.tag_id for rule in unseen.rules]
    for k, axes in enumerate(_panels(figure, titles)):
        truth = unseen.truth[:, k]
        axes.axhline(float(truth.mean()), color=_GREY, linewidth=0.8, linestyle=":")
        if not truth.any():
            continue
        recall, precision = precision_recall(truth, unseen.score[:, k])
        axes.step(recall, precision, where="pre", color=_NAVY, linewidth=1.2)
        hits, n_yes = int((truth & unseen.yes[:, k]).sum()), int(unseen.yes[:, k].sum())
        if n_yes:
            axes.plot(hits / truth.sum(), hits / n_yes, "o", color=_ORANGE, markersize=4)
    figure.supxlabel("recall (dot: at the tag's threshold; dotted: always yes)")
    figure.supylabel("precision")


def _reliability(figure: Any, unseen: Unseen) -> None:
    titles = ["all tags", *(rule.tag_id for rule in unseen.rules)]
    for k, axes in enumerate(_panels(figure, titles)):
        columns = slice(None) if k == 0 else slice(k - 1, k)
        found = reliability(unseen.truth[:, columns], unseen.score[:, columns])
        axes.plot((0, 1), (0, 1), color=_GREY, linewidth=0.8, linestyle=":")
        axes.vlines(found.predicted, found.low, found.high, color=_NAVY, linewidth=0.8)
        axes.plot(found.predicted, found.observed, "o", color=_NAVY, markersize=3)
    figure.supxlabel("mean probability in ten bins (bars: 95 % intervals by Wilson)")
    figure.supylabel("share of posts with the tag")


def _thresholds(figure: Any, unseen: Unseen) -> None:
    found = sweep(unseen)
    titles = ["all tags, one threshold", *(rule.tag_id for rule in unseen.rules)]
    for k, axes in enumerate(_panels(figure, titles)):
        columns = (
            found.pooled.T
            if k == 0
            else (part[:, k - 1] for part in (found.precision, found.recall, found.f1))
        )
        names = {"precision": (_NAVY, "--"), "recall": (_GREEN, "-."), "F1": (_ORANGE, "-")}
        for values, (name, (color, style)) in zip(columns, names.items(), strict=True):
            axes.plot(found.thresholds, values, color=color, linestyle=style, linewidth=1, label=name)
        if k == 0:
            axes.legend(loc="lower left", fontsize=6, frameon=False)
        else:
            axes.axvline(float(unseen.rules[k - 1].threshold or 0), color=_GREY, linewidth=0.8)
    figure.supxlabel("threshold (grey: the tag's own)")
    figure.supylabel("precision, recall, F1")


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
