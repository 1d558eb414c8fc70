"""The command that tells whether suggestions lead the annotators."""

from __future__ import annotations

from pathlib import Path

import click

from annotations.anchoring import AnchoringReport, anchoring
from annotations.arms import Figure
from annotations.labels import read_labels
from annotations.ledger.readings import readings
from annotations.records import text_digest
from service.cli import console


@click.command("anchoring")
@click.option(
    "--gold",
    type=click.Path(path_type=Path),
    help="A labels.jsonl file with the right tags; without it the other annotators of a post are the measure.",
)
@console.json_option
def anchoring_command(gold: Path | None, as_json: bool) -> None:
    """Compare annotations made with suggestions and blind ones: does a wrong suggestion stay?

    Needs annotations pulled while suggestions were switched on (talkingpoints studio suggestions on).
    """
    settings = console.settings()
    right = None
    if gold is not None:
        labels = read_labels(gold, [tag.id for tag in console.codebook(settings).tags])
        right = {
            f"{each.post_id}@{each.revision or text_digest(each.text)}": frozenset(each.tags)
            for each in labels
            if not each.skipped
        }
    with console.ledger(settings) as ledger:
        found, n_other = readings(ledger)
    report = anchoring(found, right, n_other=n_other)
    if as_json:
        console.print_json(report.to_dict())
    else:
        print_anchoring(report)


def print_anchoring(report: AnchoringReport) -> None:
    """Print the report as a table with a sentence."""
    click.echo(
        f"{report.n_assisted:,} annotations with a suggestion, {report.n_blind:,} blind, {report.n_other:,} others; "
        f"right is what {'the gold labels say' if report.reference == 'gold' else 'most other annotators say'}"
    )
    rows = []
    for measure in report.measures.values():
        digits = 1 if measure.title.startswith("seconds") else 3
        figures = (measure.assisted, measure.blind, measure.difference)
        cells = [_cell(figure, digits) for figure in figures]
        rows.append([measure.title, *cells, measure.note])
    console.print_table(["", "assisted", "blind", "difference", "note"], rows)
    click.echo(report.conclusion)


def _cell(figure: Figure, digits: int) -> str:
    if figure.value is None:
        return "-"
    shown = console.figure(figure.value, digits)
    if figure.low is None or figure.high is None:
        return shown
    return f"{shown} ({console.figure(figure.low, digits)} to {console.figure(figure.high, digits)})"


COMMANDS: tuple[click.Command, ...] = (anchoring_command,)
