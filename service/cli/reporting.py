"""The command that writes a project's figures as files."""

from __future__ import annotations

from pathlib import Path

import click

from annotations.agreement import agreement
from annotations.files import atomic_text
from annotations.labels import write_labels
from service.cli import console
from service.cli.evaluating import validate
from service.cli.learning import labels_in_use
from service.cli.status import status


@click.command("report")
@click.option("--out", type=click.Path(path_type=Path), help="A folder; the workspace's reports by default.")
def report_command(out: Path | None) -> None:
    """Write the project's labels and figures (status, agreement, evaluation) as files."""
    settings = console.settings()
    folder = out or settings.workspace.reports_path
    codebook = console.codebook(settings)
    annotations = labels_in_use(settings, None, codebook)
    write_labels(folder / "labels.jsonl", annotations)
    figures = {
        "status": status(settings),
        "agreement": agreement(annotations, codebook.tag_ids).to_dict(),
        "evaluation": validate(settings, annotations),
    }
    for name, content in figures.items():
        with atomic_text(folder / f"{name}.json") as stream:
            stream.write(console.as_json(content) + "\n")
    click.echo(f"labels.jsonl, {', '.join(f'{name}.json' for name in figures)} written to {folder}")


COMMANDS: tuple[click.Command, ...] = (report_command,)
