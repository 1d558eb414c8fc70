"""What the commands share: settings, the open ledger, the codebook, progress on a terminal, tables, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from annotations.codebook import Codebook, load_codebook
from annotations.errors import LabelsError
from annotations.ledger.store import Ledger, open_ledger
from annotations.progress import Progress
from service.settings import Settings, load_settings

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for a script instead of a table."
)
labels_option = click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="A labels.jsonl file; without it the annotations pulled into the ledger.",
)


def settings() -> Settings:
    """Read the settings from the environment."""
    return load_settings()


def codebook(of: Settings) -> Codebook:
    """Load the codebook in use."""
    return load_codebook(of.codebook_path)


def naming_codebook(error: LabelsError, of: Settings) -> LabelsError:
    """Return an error about a labels file that also says which codebook its tags were looked up in."""
    where_tags_are = f"The codebook in use is {of.codebook_path}; TALKINGPOINTS_CODEBOOK names another."
    hint = "\n  ".join(filter(None, (error.hint, where_tags_are)))
    return LabelsError(error.problem, where=error.where, hint=hint)


@contextmanager
def ledger(of: Settings) -> Iterator[Ledger]:
    """Yield the workspace's ledger and close it."""
    opened = open_ledger(of.workspace.ledger_url)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def progress(title: str, unit: str = "posts") -> Iterator[Progress]:
    """Yield a progress callback that draws a bar on a terminal, and nothing where standard error is a file.

    ``unit`` is what is counted; ``B``, bytes, are shown as kB, MB and GB.
    """
    scale = {"unit": "B", "unit_scale": True} if unit == "B" else {"unit": f" {unit}"}
    shown = sys.stderr.isatty()
    with tqdm(desc=title, disable=not shown, leave=False, file=sys.stderr, **scale) as bar:

        def report(done: int, total: int | None) -> None:
            if total is not None:
                bar.total = total
            bar.update(done - bar.n)

        yield report


def print_json(data: Any) -> None:
    """Print data as indented JSON."""
    click.echo(as_json(data))


def as_json(data: Any) -> str:
    """Return data as indented JSON, text as it is."""
    return json.dumps(data, ensure_ascii=False, indent=2)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def figure(value: float | None, digits: int = 2) -> str:
    """Return a figure with a fixed number of digits, ``-`` where it is not defined."""
    return "-" if value is None else f"{value:.{digits}f}"


def say(message: str) -> None:
    """Tell the user what is going on, on standard error: standard output is for results."""
    click.echo(message, err=True)
