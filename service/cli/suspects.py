"""The command ``suspects``: labels that are probably wrong, with the reason, for a second look."""

from __future__ import annotations

import csv
from pathlib import Path

import click

from annotations.files import atomic_text, neutral_cell
from annotations.studio.adjudicating import push_questions
from classifiers.dataset import Dataset
from classifiers.suspects import Suspect, questions, suspects
from classifiers.training import TrainingOptions
from service.cli import console
from service.cli.learning import labels_in_use, labels_option
from service.studio_access import studio

_COLUMNS = ("post_id", "revision", "tag", "given", "score", "usual", "doubt", "reason", "text")


@click.command("suspects")
@labels_option
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show so many.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all of them to this CSV file.")
@click.option("--push", "send", is_flag=True, help="Send those shown to the adjudication project.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the folds.")
@console.json_option
def suspects_command(
    labels: Path | None, limit: int, out: Path | None, send: bool, seed: int, as_json: bool
) -> None:
    """List labels that models trained on the other posts contradict, the surest first."""
    settings = console.settings()
    codebook = console.codebook(settings)
    annotations = labels_in_use(settings, labels, codebook)
    dataset = Dataset.from_annotations(annotations, codebook)
    with console.progress("Cross-validating", "models") as progress:
        found = suspects(dataset, codebook, TrainingOptions(seed=seed), progress)
    if out is not None:
        _write_table(out, found)
    shown = found[:limit]
    if as_json:
        console.print_json([_row(each) for each in shown])
    else:
        for each in shown:
            click.echo(f"{each.post_id}: {each.reason}")
        click.echo(f"{len(found):,} suspect labels in {len(dataset):,} posts" + (f"; {out}" if out else ""))
    if send:
        with console.ledger(settings) as ledger, studio(settings) as connected:
            asked = questions(shown, annotations)
            report = push_questions(ledger, connected.client, codebook, asked)
        console.say(f"{report.pushed:,} posts sent for adjudication, {report.already_there:,} already there")


def _row(suspect: Suspect) -> dict[str, object]:
    values = {name: getattr(suspect, name) for name in _COLUMNS}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}


def _write_table(path: Path, found: list[Suspect]) -> None:
    with atomic_text(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for each in found:
            writer.writerow([neutral_cell(value) for value in _row(each).values()])


COMMANDS: tuple[click.Command, ...] = (suspects_command,)
