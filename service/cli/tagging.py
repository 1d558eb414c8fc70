"""The command that tags posts in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from annotations.readers import ReadOptions
from classifiers.bulk.formats import EXTRA_COLUMNS
from classifiers.bulk.report import BulkOptions, BulkReport
from classifiers.bulk.running import tag_posts
from classifiers.bulk.sources import FileSource, LedgerSource, Source
from classifiers.registry import Registry
from service.cli import console
from service.cli.data import channel_option, encoding_option, map_option, timezone_option
from service.cli.models import model_option
from service.settings import Settings

_LEDGER = "ledger"

scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="A Dask scheduler, such as tcp://127.0.0.1:8786: use its workers."
)


def _columns(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in value.split(","))))


@click.command("tag")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@model_option
@click.option(
    "--columns",
    "extra",
    default="",
    callback=_columns,
    metavar="NAME,...",
    help=f"More columns of OUT, of {', '.join(EXTRA_COLUMNS)}.",
)
@click.option("--changed", is_flag=True, help="Tag only posts that are new or changed since OUT was made.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; as many as there are cores without it.")
@scheduler_option
@click.option(
    "--chunk",
    "chunk_posts",
    type=click.IntRange(1, 1_000_000),
    default=BulkOptions().chunk_posts,
    show_default=True,
    help="Posts a piece of work.",
)
@channel_option
@map_option
@timezone_option
@encoding_option
@console.json_option
def tag_command(
    source: Path,
    target: Path,
    model: Path | None,
    channel: str | None,
    columns: dict[str, str],
    timezone: ZoneInfo | None,
    encoding: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Tag the posts of IN and write OUT (.parquet, .csv or .jsonl).

    IN is a file of any supported format, a folder of them, or `ledger`, the posts of the workspace.

    A run that was ended goes on where it was when the same command is given again. Rows that cannot be read
    are left out and listed in OUT.rejected.jsonl.
    """
    settings = console.settings()
    chosen = BulkOptions(columns=options.pop("extra"), **options)
    read = ReadOptions(channel, columns, timezone, encoding)
    with _source(settings, source, read) as posts, console.progress("Tagging") as progress:
        report = tag_posts(_bundle(settings, model), posts, target, chosen, progress)
    if as_json:
        console.print_json(report.to_dict())
    else:
        _print(report)


@contextmanager
def _source(settings: Settings, named: Path, options: ReadOptions) -> Iterator[Source]:
    if str(named) != _LEDGER:
        yield FileSource(named, options)
        return
    with console.ledger(settings) as ledger:
        yield LedgerSource(ledger)


def _bundle(settings: Settings, named: Path | None) -> Path:
    if named is not None:
        return named
    registry = Registry(settings.workspace.models_path)
    return registry.path(registry.active())


def _print(report: BulkReport) -> None:
    for refused in report.refused:
        console.say(f"refused: {', '.join(filter(None, (refused.file, refused.position)))}: {refused.reason}")
    if report.n_refused > len(report.refused):
        console.say(f"and {report.n_refused - len(report.refused):,} more refused: see {report.rejected}")
    for note in report.notes:
        console.say(note)
    if report.n_repeated_ids:
        console.say(
            f"{report.n_repeated_ids:,} rows have the post id of an earlier row; all rows are in the output"
        )
    unchanged = f", {report.n_unchanged:,} of them unchanged," if report.n_unchanged else ""
    click.echo(
        f"{report.n_tagged:,} posts tagged{unchanged} by model {report.model_version} to {report.path}; "
        f"{report.n_skipped:,} without text skipped, {report.n_refused:,} refused"
    )


COMMANDS: tuple[click.Command, ...] = (tag_command,)
