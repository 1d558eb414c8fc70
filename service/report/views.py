"""Tables as a page shows them: the rows of a table of the report, each cell as people read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.report.cells import (
    Column,
    Row,
    between,
    chance,
    count,
    cut,
    figure,
    share,
    sure,
    text,
    two,
)
from service.report.content import Content
from service.report.words import meaning, percent
from service.tables import Table

_MOST = 30
_LEDGER: Final = {
    "posts": "Posts",
    "revisions": "Texts of posts, earlier ones among them",
    "channels": "Channels",
    "duplicates": "Posts that repeat the text of another",
    "near_duplicates": "Posts that are nearly like another",
    "clusters": "Clusters of near-duplicates",
    "erased": "Posts erased on request",
    "imports": "Files imported",
    "refused": "Messages that could not be read",
}


@dataclass(frozen=True, slots=True)
class View:
    """A table of a page: ``sheet`` has all its rows, ``n_more`` of them are not shown."""

    sheet: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    n_more: int = 0


def views(content: Content, tables: Mapping[str, Table]) -> dict[str, View]:
    """Return the tables of all pages by the names of their sheets; those without a row are left out."""
    found: dict[str, View] = {}
    for name, (caption, columns) in _shown(content).items():
        rows: Sequence[Row] = tables[name].rows if name in tables else ()
        if rows:
            cells = tuple(tuple(column.cell(row) for column in columns) for row in rows[:_MOST])
            found[name] = View(name, caption, columns, cells, max(0, len(rows) - _MOST))
    return found


def _shown(content: Content) -> dict[str, tuple[str, tuple[Column, ...]]]:
    def tag(heading: str = "Tag", name: str = "tag") -> Column:
        return Column(
            heading, lambda row: content.title(row[name]) if row[name] != "all" else "mean of the tags", False
        )

    return (
        _of_posts() | _of_labels(tag) | _of_shares(tag) | _of_trends(tag) | _of_drift(tag) | _of_codebook(tag)
    )


Tagged = Callable[..., Column]
Shown = dict[str, tuple[str, tuple[Column, ...]]]


def _of_posts() -> Shown:
    names = {"channel": "Channel", "month": "Month", "language": "Language"}
    found: Shown = {
        f"posts_by_{name}": (f"Posts by {name}", (text(title, name), count("Posts", "n_posts")))
        for name, title in names.items()
    }
    what = Column("What", lambda row: str(_LEDGER.get(row["what"], row["what"])), False)
    return found | {"ledger": ("What was imported", (what, count("Number", "n")))}


def _of_labels(tag: Tagged) -> Shown:
    return {
        "agreement_by_tag": (
            "How far people agree on each tag",
            (
                tag(),
                count("Posts read twice", "n_posts"),
                count("Given", "n_positive"),
                figure("Alpha", "alpha"),
                between("95 % interval", "alpha_low", "alpha_high", two),
                figure("AC1", "ac1"),
                share("Same answer", "percent"),
                Column("What it means", lambda row: meaning(row["alpha"]), False),
            ),
        ),
        "model_figures": (
            "The model over all its tags, on training posts that it had not seen",
            (
                Column("Figure", lambda row: row["figure"].replace("_", " "), False),
                Column("Value", lambda row: _number(row["value"])),
            ),
        ),
        "model_tags": (
            "The model, tag by tag",
            (
                tag(),
                Column("Positive posts", lambda row: f"{row['positives']:g}"),
                Column(
                    "Yes from",
                    lambda row: "not predicted" if row["threshold"] is None else f"{row['threshold']:.2f}",
                ),
                figure("Average precision", "average_precision"),
                figure("Precision", "precision"),
                figure("Recall", "recall"),
                figure("F1", "f1"),
            ),
        ),
    }


def _of_shares(tag: Tagged) -> Shown:
    shares = (
        count("Posts", "n_posts"),
        count("Labels", "n_labels"),
        count("With the tag", "n_positive"),
        share("Share", "share"),
        between("95 % interval", "low", "high", percent),
        share("Model's count", "counted"),
        Column("How sure", sure, False),
    )
    return {
        "prevalence": ("Share of all posts that bear each tag", (tag(), *shares)),
        "prevalence_by_month": ("The same by month", (tag(), text("Month", "part"), *shares)),
        "planned": (
            "Posts to draw at random for an interval of ten points",
            (tag(), share("Expected share", "share"), count("Random posts", "n_random")),
        ),
    }


def _of_trends(tag: Tagged) -> Shown:
    return {
        "changes": (
            "When a share changed",
            (
                tag(),
                text("From", "date"),
                share("Before", "before"),
                between("95 % interval", "before_low", "before_high", percent),
                share("After", "after"),
                between("95 % interval", "after_low", "after_high", percent),
                chance(),
            ),
        ),
        "pairs": (
            "Tags that come together, the surest first",
            (
                tag("First tag", "first"),
                tag("Second tag", "second"),
                count("Together", "n_both"),
                figure("Times chance", "lift"),
                between("95 % interval", "lift_low", "lift_high", two),
                figure("Phi", "phi"),
                chance(),
            ),
        ),
        "chains": (
            "Texts that went from channel to channel",
            (
                Column("What", lambda row: cut(row["quote"] or row["tags"]), False),
                text("Kind", "kind"),
                count("Posts", "n_posts"),
                count("Channels", "n_sources"),
                figure("Hours", "hours", 1),
            ),
        ),
    }


def _of_drift(tag: Tagged) -> Shown:
    return {
        "score_drift": (
            "Scores beside those of the training posts and of earlier months",
            (
                tag(),
                text("Month", "period"),
                text("Beside", "reference"),
                count("Posts", "n_posts"),
                figure("Mean", "mean"),
                figure("There", "mean_reference"),
                figure("PSI", "psi"),
                Column("Drift", lambda row: "yes" if row["drifted"] else "no", False),
            ),
        ),
        "vocabulary_drift": (
            "Words beside those of the training posts",
            (
                text("Month", "period"),
                count("Posts", "n_posts"),
                share("Unknown words", "unknown"),
                share("Expected", "unknown_expected"),
                figure("Divergence, bits", "divergence", 3),
                figure("By chance", "divergence_noise", 3),
            ),
        ),
        "rising_phrases": (
            "Phrases that rise and that no tag explains",
            (
                Column("Phrase", lambda row: cut(row["phrase"]), False),
                count("Posts", "n_late"),
                share("Share", "late_share"),
                share("Before", "early_share"),
                chance(),
            ),
        ),
        "agreement_by_period": (
            "Agreement by month",
            (
                text("Month", "period"),
                count("Posts", "n_posts"),
                figure("Alpha", "alpha"),
                between("95 % interval", "alpha_low", "alpha_high", two),
            ),
        ),
    }


def _of_codebook(tag: Tagged) -> Shown:
    first, second = tag("First tag", "first"), tag("Second tag", "second")
    return {
        "confusions": (
            "Tags that people confuse",
            (
                first,
                second,
                count("Swapped", "n_swapped"),
                count("Disputed", "n_disputed"),
                figure("By chance", "expected", 1),
                chance(),
            ),
        ),
        "implications": (
            "Tags that nearly always bring another with them",
            (
                tag(),
                tag("Brings", "implied"),
                count("Posts", "n_tag"),
                share("Share", "confidence"),
                between("95 % interval", "low", "high", percent),
            ),
        ),
        "exclusions": (
            "Tags that avoid one another",
            (first, second, count("Together", "n_both"), figure("By chance", "expected", 1), chance()),
        ),
        "unused": (
            "Tags that nobody gave",
            (tag(), count("Posts read", "n_posts"), share("May still be in up to", "share_high")),
        ),
        "prospects": (
            "What each tag needs to be learnt",
            (
                tag(),
                text("State", "state"),
                Column("Positive posts", lambda row: f"{row['positives']:g}"),
                figure("Average precision", "average_precision"),
                count("More positive posts", "more_positives"),
                count("Posts to annotate", "more_posts"),
            ),
        ),
    }


def _number(value: float) -> str:
    return (
        f"{value:,}" if isinstance(value, int) or (value.is_integer() and abs(value) > 1) else f"{value:.3f}"
    )
