"""Exporting: entries from a source, pseudonyms, rows, and one file or folder, written whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from annotations.codebook import Codebook
from annotations.errors import FileError
from annotations.exporting.columnar import ParquetTable
from annotations.exporting.csv_tables import LongCsv, WideCsv
from annotations.exporting.dataset_folder import DatasetFolder, FolderOptions, atomic_folder
from annotations.exporting.entries import Entry, Status, check_entry, readings
from annotations.exporting.gold import gold_reading
from annotations.exporting.label_lines import LabelLines
from annotations.exporting.layout import Layout, Writer
from annotations.exporting.pseudonyms import Pseudonyms
from annotations.exporting.sources import Source
from annotations.exporting.studio_json import StudioJson
from annotations.files import atomic_path
from annotations.progress import Progress, silent

DATASETS = "datasets"

_WRITERS: Mapping[str, Callable[[Path, Layout], Writer]] = {
    "wide": WideCsv,
    "long": LongCsv,
    "jsonl": LabelLines,
    "parquet": ParquetTable,
    "label-studio": StudioJson,
}
FORMATS = (*_WRITERS, DATASETS)
_SUFFIXES = {".csv": "wide", ".jsonl": "jsonl", ".parquet": "parquet", ".json": "label-studio", "": DATASETS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is exported, and how.

    Parameters
    ----------
    codebook
        The codebook whose tags are exported.
    gold
        A row a post, by the majority of its annotators, instead of a row an annotator.
    unseen
        Export the posts that nobody has annotated, too.
    pseudonyms
        Put pseudonyms in place of names.
    folder
        How a folder for ``datasets`` is split and described.
    """

    codebook: Codebook
    gold: bool = False
    unseen: bool = True
    pseudonyms: Pseudonyms | None = None
    folder: FolderOptions = field(default_factory=FolderOptions)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: posts, rows, and rows (posts, where no row was made of them) by status.

    ``n_left_out`` counts posts that nobody has annotated and for which the format has no place.
    """

    path: Path
    format: str
    n_posts: int
    n_rows: int
    statuses: Mapping[str, int]
    n_left_out: int


def export_format(path: Path) -> str:
    """Return the format that a path asks for: by its suffix; a folder, or a name without one, is for ``datasets``.

    Raises
    ------
    FileError
        The suffix means none.
    """
    name = DATASETS if path.is_dir() else _SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise FileError(
            f"the suffix '{path.suffix}' means no format",
            where=str(path),
            hint=f"Use .csv, .jsonl, .parquet, .json or a folder, or name the format: {', '.join(FORMATS)}.",
        )
    return name


def export(
    source: Source, path: Path, options: ExportOptions, format_name: str = "", progress: Progress = silent
) -> ExportReport:
    """Write everything that a source has to ``path``, in the named format or that of the suffix.

    Raises
    ------
    FileError
        The format is unknown, or the file cannot be written; what stood there before is unchanged.
    LabelsError
        There is nothing to export, or something that cannot be exported: nothing is written.
    """
    format_name = format_name or export_format(path)
    layout = Layout(options.codebook, options.gold)
    with ExitStack() as stack:
        writer: Writer
        if format_name == DATASETS:
            folder = stack.enter_context(atomic_folder(path))
            writer = DatasetFolder(folder, layout, options.folder)
        elif opener := _WRITERS.get(format_name):
            writer = opener(stack.enter_context(atomic_path(path)), layout)
        else:
            raise FileError(f"there is no format '{format_name}'", hint=f"Use one of {', '.join(FORMATS)}.")
        try:
            counts, statuses = _write(source, writer, options, progress)
        except BaseException:
            with suppress(Exception):  # what went wrong first is what the user must know
                writer.close()
            raise
        writer.close()
    return ExportReport(
        path=path,
        format=format_name,
        n_posts=counts["posts"],
        n_rows=counts["rows"],
        statuses={status.value: statuses[status] for status in Status if statuses[status]},
        n_left_out=counts["left out"],
    )


def _write(
    source: Source, writer: Writer, options: ExportOptions, progress: Progress
) -> tuple[Counter[str], Counter[Status]]:
    layout = Layout(options.codebook, options.gold)
    known = frozenset(layout.tag_ids)
    counts: Counter[str] = Counter()
    statuses: Counter[Status] = Counter()
    for number, entry in enumerate(source, start=1):
        if entry.annotations or options.unseen:
            _write_entry(_ready(entry, options, known), writer, options, (counts, statuses))
        progress(number, None)
    return counts, statuses


def _ready(entry: Entry, options: ExportOptions, known: frozenset[str]) -> Entry:
    check_entry(entry, known)
    return options.pseudonyms.entry(entry) if options.pseudonyms else entry


def _write_entry(
    entry: Entry, writer: Writer, options: ExportOptions, tally: tuple[Counter[str], Counter[Status]]
) -> None:
    counts, statuses = tally
    found = [gold_reading(entry)] if options.gold else readings(entry)
    n_rows = writer.write(entry, found)
    counts["rows"] += n_rows
    counts["posts" if n_rows else "left out"] += 1
    if n_rows:
        statuses.update(reading.status for reading in found)
