"""The pages of a report: HTML from ``templates/report``, every value escaped, nothing from elsewhere, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

from annotations.labeling_config import tag_colors
from service.page import make_templates
from service.page_colors import tag_colors_css
from service.page_texts import writable
from service.report.content import Content, Example
from service.report.figures import Plot
from service.report.methods import methods, said
from service.report.references import REFERENCES
from service.report.sheets import MEANINGS
from service.report.views import views
from service.report.words import changes, headlines, summary
from service.tables import Table

PAGES: Final[Mapping[str, str]] = {
    "index": "Summary",
    "dataset": "Posts",
    "agreement": "Agreement",
    "model": "Model",
    "shares": "Shares",
    "trends": "Trends",
    "drift": "Drift",
    "codebook": "Codebook",
    "examples": "Examples",
    "limits": "Limits",
    "methods": "Methods",
    "data": "Data",
}
"""The pages by name, with their titles."""

_SHEETS: Final[Mapping[str, Sequence[str]]] = {
    "index": ("numbers",),
    "dataset": ("ledger", "posts_by_month", "posts_by_channel", "posts_by_language"),
    "agreement": ("agreement_by_tag",),
    "model": ("model_figures", "model_tags", "reliability", "precision_recall"),
    "shares": ("prevalence", "prevalence_by_month", "planned"),
    "trends": ("timelines", "changes", "pairs", "chains", "chain_steps"),
    "drift": ("score_drift", "vocabulary_drift", "rising_phrases", "agreement_by_period"),
    "codebook": ("confusions", "implications", "exclusions", "unused", "prospects"),
    "examples": ("passages", "examples"),
    "methods": ("numbers",),
}


def pages(
    content: Content, tables: Mapping[str, Table], plots: Sequence[Plot], others: Sequence[str]
) -> dict[str, str]:
    """Return the HTML of every page by its name; ``tables`` has ``numbers`` too, ``others`` lie beside them."""
    environment = make_templates()
    environment.filters["said"] = said
    numbers = {row["name"]: row["value"] for row in tables["numbers"].rows}
    values: dict[str, Any] = {
        "content": content,
        "pages": PAGES,
        "numbers": numbers,
        "meanings": MEANINGS,
        "views": views(content, tables),
        "plots": {plot.name: plot for plot in plots},
        "rows_of": {name: len(table.rows) for name, table in tables.items()},
        "others": others,
        "summary": summary(content, numbers),
        "headlines": headlines(content),
        "changes": changes(content),
        "examples": _by_tag(content.examples, content.codebook.tag_ids),
        "methods": methods(numbers),
        "references": REFERENCES,
    }
    return {
        name: writable(
            environment.get_template(f"report/{name}.html").render(
                here=name, sheets_here=[sheet for sheet in _SHEETS.get(name, ()) if sheet in tables], **values
            )
        )
        for name in PAGES
    }


def style(content: Content) -> str:
    """Return the style sheet: that of the service's pages, what a report has beside, and the tags' colours."""
    folder = resources.files("service").joinpath("static")
    sheets = [folder.joinpath(name).read_text("utf-8") for name in ("page.css", "report.css")]
    return "\n".join([*sheets, tag_colors_css(tag_colors(content.codebook))])


def _by_tag(examples: Sequence[Example], order: Sequence[str]) -> list[tuple[str, list[Example]]]:
    found: dict[str, list[Example]] = {tag: [] for tag in order}
    for each in examples:
        found.setdefault(each.tag, []).append(each)
    return [(tag, of) for tag, of in found.items() if of]
