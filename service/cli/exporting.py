"""The command that exports annotated posts for others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import click

from annotations.codebook import Codebook
from annotations.errors import FileError, LabelsError
from annotations.exporting.dataset_card import CardFacts
from annotations.exporting.dataset_folder import FolderOptions
from annotations.exporting.pseudonyms import Pseudonyms, workspace_key
from annotations.exporting.sources import LabelsFile, LedgerSource, Source
from annotations.exporting.writing import (
    DATASETS,
    FORMATS,
    ExportOptions,
    ExportReport,
    export,
    export_format,
)
from service.cli import console
from service.settings import Settings

_SPLIT_NOTE = (
    "Near-duplicates and revisions of one post are always in the same split. Each such group was put into `test` with "
    "a probability of {share:.0%}, decided by the digest of a text: in a later release a post stays where it was."
)


@click.command("export")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="By default that of OUT: .csv (wide), .jsonl, .parquet, .json (Label Studio), a folder (datasets).",
)
@click.option(
    "--long", "is_long", is_flag=True, help="CSV with a row for each decision and piece of evidence."
)
@console.labels_option
@click.option("--gold", is_flag=True, help="One row a post, by the majority of its annotators.")
@click.option("--pseudonyms", is_flag=True, help="Pseudonyms for annotators, the same in every export.")
@click.option(
    "--pseudonymous-channels", is_flag=True, help="Pseudonyms for channels and sources of forwards, too."
)
@click.option("--no-unseen", is_flag=True, help="Leave out the posts that nobody has annotated.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Of a datasets folder: the share of the posts in its split `test`.",
)
@click.option("--title", default="", help="Of a datasets folder; by default the codebook's.")
@click.option("--license", "license_id", default="unknown", show_default=True, help="Such as cc-by-4.0.")
@click.option("--language", "languages", multiple=True, help="Of the posts, such as ru (may be repeated).")
@console.json_option
def export_command(
    out: Path,
    format_name: str | None,
    is_long: bool,
    labels: Path | None,
    gold: bool,
    pseudonyms: bool,
    pseudonymous_channels: bool,
    no_unseen: bool,
    test_share: float,
    title: str,
    license_id: str,
    languages: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write annotated posts to OUT for others: posts, people's tags with evidence, or gold.

    docs/exports.md describes every format.
    """
    name = _chosen_format(out, format_name, is_long)
    settings = console.settings()
    codebook = console.codebook(settings)
    names = None
    if pseudonyms or pseudonymous_channels:
        names = Pseudonyms(workspace_key(settings.workspace.pseudonyms_path), channels=pseudonymous_channels)
    facts = CardFacts(title=title, license=license_id, languages=languages, pseudonyms=names is not None)
    with _source(settings, labels, codebook) as source:
        folder = _folder_options(source, facts, test_share) if name == DATASETS else FolderOptions()
        options = ExportOptions(
            codebook=codebook, gold=gold, unseen=not no_unseen, pseudonyms=names, folder=folder
        )
        with console.progress("Exporting") as progress:
            report = export(source, out, options, name, progress)
    if as_json:
        console.print_json({**asdict(report), "path": str(report.path)})
    else:
        _print(report)


def _chosen_format(out: Path, format_name: str | None, is_long: bool) -> str:
    try:
        name = format_name or export_format(out)
    except FileError as error:
        raise click.UsageError(str(error)) from error
    if is_long and name not in ("wide", "long"):
        raise click.UsageError(f"--long is a form of CSV; {out} is written as {name}.")
    return "long" if is_long else name


@contextmanager
def _source(settings: Settings, file: Path | None, codebook: Codebook) -> Iterator[Source]:
    """Yield the labels of a file, or the posts of the ledger with theirs."""
    if file is None:
        with console.ledger(settings) as ledger:
            yield LedgerSource(ledger)
        return
    try:
        source = LabelsFile(file, [tag.id for tag in codebook.tags])
    except LabelsError as error:
        raise console.naming_codebook(error, settings) from error
    yield source


def _folder_options(source: Source, facts: CardFacts, test_share: float) -> FolderOptions:
    if not test_share:
        return FolderOptions(facts=facts)
    from service.export_splits import grouped_split  # noqa: PLC0415 - scikit-learn, which no other format needs

    note = _SPLIT_NOTE.format(share=test_share)
    with console.progress("Splitting") as progress:
        split_of = grouped_split(source, test_share, progress)
    return FolderOptions(split_of=split_of, facts=replace(facts, split_note=note))


def _print(report: ExportReport) -> None:
    """Print what was written."""
    counts = ", ".join(f"{number:,} {status}" for status, number in report.statuses.items())
    click.echo(f"{report.n_posts:,} posts, {report.n_rows:,} rows written to {report.path} ({counts})")
    if report.n_left_out:
        click.echo(f"{report.n_left_out:,} posts that nobody has annotated have no place in {report.format}")


COMMANDS: tuple[click.Command, ...] = (export_command,)
