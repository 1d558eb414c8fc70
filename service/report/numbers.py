"""The numbers in the text of a report: each is worked out here, once, and is a row of ``numbers.csv``."""

from __future__ import annotations

from typing import Any

from classifiers.prevalence.estimating import ALL
from classifiers.prevalence.figures import Share
from service.report.content import UNKNOWN, Content
from service.report.sheets import headline


def numbers(content: Content) -> dict[str, Any]:
    """Return the numbers by name; what is not known is not in it."""
    counts = content.counts
    found: dict[str, Any] = {
        "n_posts": counts.n_posts,
        "n_channels": len(counts.by_channel),
        "n_languages": len(set(counts.by_language) - {UNKNOWN}),
        "n_months": len(set(counts.by_month) - {UNKNOWN}),
        "n_undated": counts.n_undated,
        "n_duplicates": content.ledger["duplicates"],
        "n_near_duplicates": content.ledger["near_duplicates"],
        "n_clusters": content.ledger["clusters"],
        "n_imports": content.ledger["imports"],
        "n_refused": content.ledger["refused"],
        "first_day": counts.first_day,
        "last_day": counts.last_day,
        "n_tags": len(content.codebook.tag_ids),
        "codebook_version": content.codebook.version,
        "program_version": content.program,
    }
    for part in (_people, _model, _shares, _trends, _drift):
        found |= part(content)
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _people(content: Content) -> dict[str, Any]:
    if not content.annotations:
        return {}
    found: dict[str, Any] = {
        "n_labelled": len({each.post_id for each in content.annotations}),
        "n_annotations": len(content.annotations),
        "n_annotators": len({each.annotator for each in content.annotations}),
    }
    if content.agreement:
        alpha, masi = content.agreement.overall.alpha, content.agreement.everything.masi_alpha
        found |= {"n_read_twice": content.agreement.overall.n_posts}
        found |= {"alpha": _two(alpha.value), "alpha_low": _two(alpha.low), "alpha_high": _two(alpha.high)}
        found |= {
            "masi_alpha": _two(masi.value),
            "masi_alpha_low": _two(masi.low),
            "masi_alpha_high": _two(masi.high),
        }
    return found


def _model(content: Content) -> dict[str, Any]:
    model = content.model
    if model is None:
        return {}
    found: dict[str, Any] = {"model_version": model.version}
    if model.manifest:
        figures = headline(model)
        training = model.manifest.training
        found |= {
            "n_training_posts": training.get("n_posts"),
            "n_predicted": sum(rule.predicted for rule in model.rules),
            "n_not_predicted": sum(not rule.predicted for rule in model.rules),
            "mean_average_precision": _two(figures.get("mean_average_precision")),
            "calibration_error": _two(figures.get("expected_calibration_error"), 3),
        }
    return found


def _shares(content: Content) -> dict[str, Any]:
    if content.shares is None:
        return {}
    valid = overall(content, valid=True)
    found: dict[str, Any] = {"n_random": content.shares.n_random, "n_valid_shares": len(valid)}
    if valid:
        found["least_share"] = _percent(min(each.share for each in valid if each.share is not None))
        found["most_share"] = _percent(max(each.share for each in valid if each.share is not None))
        widths = sorted(
            each.high - each.low for each in valid if each.high is not None and each.low is not None
        )
        found["median_width"] = _percent(widths[len(widths) // 2]) if widths else None
    return found


def _trends(content: Content) -> dict[str, Any]:
    if content.trends is None:
        return {}
    return {
        "n_changes": len(content.trends.changes),
        "n_pairs": sum(pair.p < 0.05 for pair in content.trends.pairs),
        "n_chains": len(content.trends.chains),
    }


def _drift(content: Content) -> dict[str, Any]:
    if content.drift is None:
        return {}
    drifted = {shift.tag for shift in content.drift.scores if shift.drifted and shift.reference == "earlier"}
    return {"n_drifted": len(drifted), "n_rising": len(content.drift.phrases)}


def overall(content: Content, *, valid: bool | None = None) -> list[Share]:
    """Return the shares among all posts, the largest first; only those that are valid, or are not, if asked."""
    shares = content.shares.shares if content.shares else ()
    kept = [
        each
        for each in shares
        if each.part == ALL and each.share is not None and valid in (None, each.is_valid)
    ]
    return sorted(kept, key=lambda each: (-(each.share or 0.0), each.tag))


def _two(value: Any, digits: int = 2) -> float | None:
    return round(float(value), digits) if isinstance(value, int | float) else None


def _percent(value: float) -> float:
    return round(100 * value, 1)
