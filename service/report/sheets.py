"""Every figure of a report as a table, by the name of its file; each with a line on what it holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from annotations.agreement.figures import flat
from classifiers.curves import Unseen, judged, precision_recall, reliability
from classifiers.prevalence.estimating import ALL
from classifiers.prevalence.figures import Planned, Share
from service.report.content import Content, Example, ModelPart
from service.tables import Table, diagnostic_tables, drift_tables, rounded, trend_tables

MEANINGS: Final[Mapping[str, str]] = {
    "numbers": "The numbers in the text of the report, by name",
    "ledger": "What was imported: posts, copies, near-duplicates, files, refused messages",
    "posts_by_month": "Posts by month of their date (UTC)",
    "posts_by_channel": "Posts by channel",
    "posts_by_language": "Posts by language, as the source says or as identified",
    "agreement_by_tag": "How far annotators agree on each tag, with 95 % intervals over posts; `all` is the mean",
    "model_figures": "How good the model is on its training posts, out of fold",
    "model_tags": "Each tag's threshold and figures out of fold, and why a tag is not predicted",
    "reliability": "Share of posts with the tag against the model's probability, in ten bins",
    "precision_recall": "Precision against recall, points of the curve",
    "prevalence": "Error-corrected share of every tag among all posts",
    "prevalence_by_month": "The same by month",
    "planned": "How many random posts would make a tag's interval so wide",
    "timelines": "Decisions of the model by month: all posts, by channel, by language",
    "changes": "When the share of decisions changed",
    "pairs": "Tags that come together, or avoid one another",
    "chains": "Copies and similar sentences across channels",
    "chain_steps": "The first post of each channel in a chain",
    "examples": "The passages that speak most strongly for a tag, by month",
    "passages": "The passages shown in the report",
    "score_drift": "Scores beside those of the training posts and of earlier months",
    "vocabulary_drift": "Words beside those of the training posts",
    "rising_phrases": "Phrases that rise and that no tag explains",
    "agreement_by_period": "How far annotators agree, month by month",
    "confusions": "Tags that annotators confuse",
    "implications": "Tags that nearly always bring another with them",
    "exclusions": "Tags that come together more seldom than by chance",
    "unused": "Tags that nobody gave",
    "prospects": "What a tag needs to be learnt",
}


def sheets(content: Content) -> dict[str, Table]:
    """Return all tables that there is anything to tell of, by name."""
    counts = content.counts
    found = {
        "ledger": _named("what", "n", content.ledger),
        "posts_by_month": _named("month", "n_posts", counts.by_month),
        "posts_by_channel": _named("channel", "n_posts", counts.by_channel),
        "posts_by_language": _named("language", "n_posts", counts.by_language),
    }
    if content.agreement:
        rows = [{"tag": tag} | flat(figures) for tag, figures in content.agreement.tags.items()]
        found["agreement_by_tag"] = _table([*rows, {"tag": ALL} | flat(content.agreement.overall)])
    if content.model:
        found |= _of_model(content.model)
    if content.shares:
        shares = content.shares.shares
        found["prevalence"] = Table.of(Share, [each for each in shares if each.part == ALL])
        found["prevalence_by_month"] = Table.of(Share, [each for each in shares if each.part != ALL])
        found["planned"] = Table.of(Planned, content.shares.planned)
    if content.trends:
        found |= trend_tables(content.trends)
    if content.drift:
        found |= drift_tables(content.drift)
    if content.diagnostics:
        found |= diagnostic_tables(content.diagnostics)
    if content.examples:
        found["passages"] = Table.of(Example, content.examples)
    return found


def _of_model(model: ModelPart) -> dict[str, Table]:
    found: dict[str, Table] = {}
    if model.manifest:
        found["model_figures"] = _named("figure", "value", headline(model))
    columns = {rule.tag_id: k for k, rule in enumerate(model.unseen.rules)} if model.unseen else {}
    rows = []
    for rule in model.rules:
        row: dict[str, Any] = {
            "tag": rule.tag_id,
            "threshold": rule.threshold,
            "abstain_margin": rule.abstain_margin,
            "positives": rule.support,
            "share_in_training": rule.prevalence,
        }
        of = judged(model.unseen, columns[rule.tag_id]) if model.unseen and rule.tag_id in columns else None
        for name in ("average_precision", "precision", "recall", "f1", "brier"):
            row[name] = _known(getattr(of, name)) if of else None
        rows.append(row | {"not_predicted": rule.reason})
    if rows:
        found["model_tags"] = _table(rows)
    return found | (_curves(model.unseen) if model.unseen else {})


def _curves(unseen: Unseen) -> dict[str, Table]:
    bins, points = [], []
    for k, tag in enumerate([ALL, *(rule.tag_id for rule in unseen.rules)]):
        columns = slice(None) if k == 0 else slice(k - 1, k)
        of = reliability(unseen.truth[:, columns], unseen.score[:, columns])
        bins += [
            {"tag": tag, "predicted": p, "observed": o, "low": low, "high": high, "n": int(n)}
            for p, o, low, high, n in zip(of.predicted, of.observed, of.low, of.high, of.n, strict=True)
        ]
        if k and unseen.truth[:, k - 1].any():
            recall, precision = precision_recall(unseen.truth[:, k - 1], unseen.score[:, k - 1])
            points += [
                {"tag": tag, "recall": r, "precision": p} for r, p in zip(recall, precision, strict=True)
            ]
    return {"reliability": _table(bins), "precision_recall": _table(points)}


def headline(model: ModelPart) -> dict[str, float]:
    """Return the figures of a model over all its tags, out of fold."""
    found = model.manifest.metrics.get("out_of_fold", {}) if model.manifest else {}
    items = found.items() if isinstance(found, Mapping) else ()
    return {name: value for name, value in items if isinstance(value, int | float)}


def _named(name: str, value: str, of: Mapping[str, Any]) -> Table:
    return Table((name, value), [{name: key, value: rounded(each)} for key, each in of.items()])


def numbers_table(numbers: Mapping[str, Any]) -> Table:
    """Return the numbers of the text as a table."""
    return _named("name", "value", numbers)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    columns: Iterable[str] = rows[0] if rows else ()
    return Table(
        tuple(columns), [{name: rounded(_plain(value)) for name, value in row.items()} for row in rows]
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
