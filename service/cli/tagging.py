"""The command that tags a file of posts."""

from __future__ import annotations

from pathlib import Path

import click

from annotations.readers import ReadOptions
from classifiers.tagging import tag_file
from service.cli import console
from service.cli.data import channel_option, encoding_option, map_option
from service.cli.models import chosen_scorer, model_option


@click.command("tag")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@model_option
@channel_option
@map_option
@encoding_option
def tag_command(
    source: Path,
    target: Path,
    model: Path | None,
    channel: str | None,
    columns: dict[str, str],
    encoding: str | None,
) -> None:
    """Tag the posts of IN (any supported format) and write OUT (.parquet, .csv or .jsonl)."""
    scorer = chosen_scorer(console.settings(), model)
    with console.progress("Tagging") as progress:
        report = tag_file(scorer, source, target, progress, ReadOptions(channel, columns, encoding=encoding))
    for position, reason in report.refusals:
        console.say(f"refused: {source}, {position}: {reason}")
    click.echo(
        f"{report.n_tagged:,} posts tagged by model {report.model_version} to {target}; "
        f"{report.n_skipped:,} without text skipped, {report.n_refused:,} refused"
    )


COMMANDS: tuple[click.Command, ...] = (tag_command,)
