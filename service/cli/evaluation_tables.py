"""The figures of an evaluation as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from service.cli import console

Figures = Mapping[str, Any]
_HEADLINE = {
    "mean_average_precision": "mean average precision",
    "micro_precision": "micro precision",
    "micro_recall": "micro recall",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "brier": "Brier score",
    "brier_skill": "Brier skill over the base rate",
    "expected_calibration_error": "calibration error",
    "coverage": "coverage (not abstained)",
    "evidence_hit_rate": "evidence hit rate",
    "evidence_token_f1": "evidence token F1",
}
_SHORT = {
    "mean_average_precision": "mAP",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "brier": "Brier",
    "expected_calibration_error": "calibration",
    "evidence_hit_rate": "evidence hit",
    "evidence_token_f1": "token F1",
}
_OF_TAG = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "AP",
    "brier": "Brier",
    "expected_calibration_error": "calibration",
    "evidence_hit_rate": "evidence hit",
    "evidence_token_f1": "token F1",
}
_BASELINES = {
    "text_only": "text alone, trained alike",
    "tfidf": "TF-IDF, logistic regression",
    "cues": "codebook cues alone",
    "always": "always yes",
    "never": "never yes",
}
_SPLITS = {
    "time": "later posts, by a model of the earlier ones",
    "random": "random folds that part near-duplicates",
}
_INTERVAL = "In brackets: 95 % intervals by a bootstrap over groups of near-duplicates."


def print_evaluation(figures: Figures) -> None:
    """Print the figures of an evaluation as tables."""
    _print_tags(figures["tags"])
    _print_overall(figures)
    _print_table("Beside what any model must beat", _compared(figures))
    if "splits" in figures:
        _print_splits(figures)
    for kind, parts in figures.get("parts", {}).items():
        if len(parts) > 1:
            _print_table(f"By {kind}", parts)
    if figures.get("annotators"):
        against = {"gold (a strict majority)": figures} | {
            f"annotator {name}": each for name, each in figures["annotators"].items()
        }
        _print_table("Against every annotator", against)
    if "robustness" in figures:
        _print_robustness(figures["robustness"])


def _print_tags(tags: Mapping[str, Figures]) -> None:
    rows = []
    for tag, of in tags.items():
        threshold = "refused" if of["threshold"] is None else console.figure(of["threshold"])
        shown = [_ranged(of, name, with_interval=name == "average_precision") for name in _OF_TAG]
        rows.append([tag, str(of["n_positive"]), *shown, threshold])
    console.print_table(["tag", "posts", *_OF_TAG.values(), "threshold"], rows)


def _print_overall(figures: Figures) -> None:
    click.echo("")
    rows = [[title, _ranged(figures, name, 3)] for name, title in _HEADLINE.items()]
    console.print_table(["over all tags", "model"], rows)
    how = (
        f"cross-validated in {figures['n_folds']} folds"
        if "n_folds" in figures
        else "on the posts of the file"
    )
    click.echo(f"{figures['n_posts']} posts, {len(figures['tags'])} tags that occur in them; {how}")
    click.echo(_INTERVAL)


def _compared(figures: Figures) -> dict[str, Figures]:
    known = dict(figures.get("baselines", {}))
    if "text_only" in figures:
        known["text_only"] = figures["text_only"]
    return {"model": figures} | {title: known[name] for name, title in _BASELINES.items() if name in known}


def _print_table(title: str, rows: Mapping[str, Figures]) -> None:
    """Print some figures side by side, the interval beside mean average precision and micro F1."""
    wide = ("mean_average_precision", "micro_f1")
    body = [
        [name, str(of["n_posts"]), *(_ranged(of, key, with_interval=key in wide) for key in _SHORT)]
        for name, of in rows.items()
    ]
    click.echo("")
    console.print_table([title, "posts", *_SHORT.values()], body)


def _print_splits(figures: Figures) -> None:
    splits = figures["splits"]
    judged = {"folds by group": figures}
    judged |= {title: splits[name] for name, title in _SPLITS.items() if "n_posts" in splits.get(name, {})}
    _print_table("Other ways to part the posts", judged)
    for name, title in _SPLITS.items():
        split = splits.get(name, {})
        if "reason" in split:
            click.echo(f"{title}: none, since {split['reason']}")
    gaps = [
        [title, *(_gap(splits[name]["gaps"][key]) for key in splits[name]["gaps"])]
        for name, title in _SPLITS.items()
        if "gaps" in splits.get(name, {})
    ]
    if gaps:
        names = next(each["gaps"] for each in splits.values() if "gaps" in each)
        click.echo("")
        console.print_table(
            ["Minus folds by group, on the same posts", *(_SHORT[key] for key in names)], gaps
        )


def _print_robustness(checks: Mapping[str, Figures]) -> None:
    rows: list[Sequence[str]] = []
    for check in checks.values():
        turned = f"-{check['n_lost']} +{check['n_gained']}"
        drops = [_gap({**drop, "value": -drop["drop"]}, flipped=True) for drop in check["drops"].values()]
        rows.append([check["what"], str(check["n_changed"]), turned, *drops])
    names = [_SHORT[key] for key in next(iter(checks.values()))["drops"]]
    click.echo("")
    console.print_table(["Changed texts", "posts", "yes lost, won", *names], rows)
    click.echo("Figures: what the change does to them over all posts; below zero it costs.")


def _gap(gap: Figures, *, flipped: bool = False) -> str:
    value, low, high = gap["value"], gap["low"], gap["high"]
    if low is None:
        return _signed(value)
    low, high = (-high, -low) if flipped else (low, high)
    return f"{_signed(value)} ({_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{round(value, 3) + 0.0:+.3f}"  # no minus before nothing


def _ranged(of: Figures, name: str, digits: int = 2, *, with_interval: bool = True) -> str:
    shown = console.figure(of[name], digits)
    found = of["intervals"].get(name) if with_interval else None
    if not found:
        return shown
    return f"{shown} ({found[0]:.{digits}f}-{found[1]:.{digits}f})"
