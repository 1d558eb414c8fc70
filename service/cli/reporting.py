"""The command that writes a project's report: a folder of pages, tables and plots."""

from __future__ import annotations

from pathlib import Path

import click

from annotations.errors import TalkingPointsError
from annotations.ledger.posts import post_counts
from annotations.ledger.store import Ledger
from annotations.records import Annotation
from classifiers.dataset import is_usable
from classifiers.errors import ModelNotFoundError
from service.cli import analysing, console
from service.cli.evaluating import validate
from service.cli.models import model_option
from service.cli.status import status
from service.report.gathering import Sources, gather
from service.report.reading import AGREEMENT
from service.report.writing import write_report
from service.settings import Settings

DEFAULT = "report"
"""The folder of the workspace's reports that is written where no other is named."""


@click.command("report")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A folder; by default `report` in the workspace's reports."
)
@analysing.tags_table_option
@model_option
@console.labels_option
@click.option(
    "--labels-are-random",
    "drawn",
    is_flag=True,
    help="The labelled posts are a simple random sample of all posts: no sample of the ledger is asked.",
)
@click.option("--no-evaluation", is_flag=True, help="Leave out the cross-validation of the training.")
@click.option(
    "--no-evidence", is_flag=True, help="Leave out passages and similar sentences, which take longest."
)
def report_command(
    out: Path | None,
    table: Path | None,
    model: Path | None,
    labels: Path | None,
    **ways: bool,
) -> None:
    """Write the project's report: pages to read offline, and every table and plot in them as files.

    Begin with index.html. What is missing (no model, no random sample, no labels, no dates) is said there, with
    what to do. docs/report.md says what is in the folder.
    """
    settings = console.settings()
    folder = out or settings.workspace.reports_path / DEFAULT
    codebook = console.codebook(settings)
    documents = {"status.json": console.as_json(status(settings)) + "\n"}
    with console.ledger(settings) as ledger:
        annotations = analysing.labels_if_any(settings, ledger, labels, codebook)
        if annotations and not ways["no_evaluation"]:
            documents |= _evaluation(settings, annotations)
        tagged = _tagged(settings, ledger, table, model)
        content = gather(
            Sources(
                ledger=ledger,
                codebook=codebook,
                corpus=tagged.corpus if tagged else None,
                scorer=tagged.scorer if tagged else None,
                bundle=tagged.bundle if tagged else None,
                annotations=annotations,
                drawn=ways["drawn"],
                with_evidence=not ways["no_evidence"],
                documents=documents,
            ),
            console.progress,
        )
    if tagged:
        analysing.say_left_out(tagged.corpus)
    if content.agreement:
        documents[Path(AGREEMENT).name] = console.as_json(content.agreement.to_dict()) + "\n"
    with console.progress("Drawing", "plots") as progress:
        names = write_report(content, folder, progress)
    click.echo(f"{len(names):,} files written to {folder}; begin with {folder / 'index.html'}")


def _tagged(
    settings: Settings, ledger: Ledger, table: Path | None, model: Path | None
) -> analysing.Tagged | None:
    """Return the tagged posts; None without posts or a model, if none was named."""
    if not post_counts(ledger)["posts"]:
        return None
    try:
        return analysing.tagged(settings, ledger, table, model)
    except ModelNotFoundError:
        if table is not None or model is not None:
            raise
        return None


def _evaluation(settings: Settings, annotations: list[Annotation]) -> dict[str, str]:
    """Return the cross-validation of the training, if there is enough to train on."""
    if not any(map(is_usable, annotations)):
        return {}
    try:
        return {"evaluation.json": console.as_json(validate(settings, annotations)) + "\n"}
    except TalkingPointsError as error:
        console.say(f"No evaluation: {error}")
        return {}


COMMANDS: tuple[click.Command, ...] = (report_command,)
