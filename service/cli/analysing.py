"""What the commands of analysis share: a tagged corpus from a table or a model, and results as CSV and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from annotations.codebook import Codebook
from annotations.errors import FileError
from annotations.files import atomic_text
from annotations.ledger.posts import post_counts
from annotations.ledger.store import Ledger
from annotations.ledger.studio import stored_annotations
from annotations.records import Annotation
from classifiers.bundle_reading import read_manifest
from classifiers.errors import ModelNotFoundError
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from classifiers.trends import ScoredPosts, TaggedCorpus, TagsTable
from service.cli import console
from service.cli.learning import labels_in_use
from service.settings import Settings
from service.tables import Table, rounded

tags_table_option = click.option(
    "--tags-table",
    "table",
    type=click.Path(path_type=Path),
    help="Tags made by `talkingpoints tag` (.parquet, .csv, .jsonl, a folder of Parquet files); without it the posts "
    "are tagged by the model.",
)
period_option = click.option(
    "--period", type=click.Choice(["month", "week"]), default="month", show_default=True
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn.")
folder_option = click.option(
    "--out", type=click.Path(path_type=Path), help="Write every table as a CSV file to this folder."
)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A tagged corpus with the bundle of the model that gave the tags, where it is at hand."""

    corpus: TaggedCorpus
    bundle: Path | None
    scorer: Scorer | None


def tagged(settings: Settings, ledger: Ledger, table: Path | None, model: Path | None) -> Tagged:
    """Return the ledger's posts with the tags of a table, or those that a model gives them.

    Raises
    ------
    FileError
        There is no post; or the table is none, or is not of the model named.
    """
    if not post_counts(ledger)["posts"]:
        raise FileError("there are no posts in the ledger", hint="Import some: talkingpoints import FILES.")
    registry = Registry(settings.workspace.models_path)
    if table is None:
        bundle = model or registry.path(registry.active())
        scorer = Scorer.load(bundle)
        return Tagged(ScoredPosts(ledger, scorer), bundle, scorer)
    corpus = TagsTable(ledger, table)
    if model is not None and (version := read_manifest(model).version) != corpus.model_version:
        raise FileError(
            f"holds tags of model {corpus.model_version}, and the bundle named is {version}",
            where=str(table),
            hint="Name the bundle that the tags were made with, or tag the posts anew.",
        )
    try:
        bundle = model or registry.path(corpus.model_version)
    except ModelNotFoundError:
        return Tagged(corpus, None, None)
    return Tagged(corpus, bundle, Scorer.load(bundle))


def say_left_out(corpus: TaggedCorpus) -> None:
    """Say how many rows of a table did not count."""
    if isinstance(corpus, TagsTable):
        if corpus.n_unknown:
            console.say(f"{corpus.n_unknown:,} posts of the table are not in the ledger and were left out")
        if corpus.n_repeated:
            console.say(f"{corpus.n_repeated:,} rows of the table repeat a post and were left out")


def labels_if_any(
    settings: Settings, ledger: Ledger, file: Path | None, codebook: Codebook
) -> list[Annotation]:
    """Read the labels of a file, or those of the ledger, if there are any."""
    return stored_annotations(ledger) if file is None else labels_in_use(settings, file, codebook)


def write_tables(folder: Path, tables: Mapping[str, Table]) -> None:
    """Write each table as ``<name>.csv`` and say so.

    Raises
    ------
    FileError
        A file cannot be written.
    """
    for name, content in tables.items():
        with atomic_text(folder / f"{name}.csv") as stream:
            content.dump(stream)
    console.say(f"{', '.join(f'{name}.csv' for name in tables)} written to {folder}")


def as_json(record: Any) -> Any:
    """Return a record (a dataclass) as JSON-able data, figures rounded to six digits."""
    return rounded(asdict(record))


def section(title: str) -> None:
    """Print the title of a part."""
    click.echo(f"\n{title}\n{'-' * len(title)}")


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share in percent, ``-`` where there is none."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def between(low: float | None, high: float | None) -> str:
    """Return an interval of shares in percent."""
    return "-" if low is None or high is None else f"{100 * low:.0f} to {100 * high:.0f}"


def chance(p: float | None) -> str:
    """Return a p-value as it is usually written."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def shortened(text: str, most: int = 90) -> str:
    """Return a text in one line, cut off after ``most`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], most: int = 20) -> None:
    """Print the first rows of a table, and how many there are beside."""
    console.print_table(list(header), [list(row) for row in rows[:most]])
    if len(rows) > most:
        click.echo(f"... and {len(rows) - most:,} more (--out or --json has them all)")
