"""Tables of posts: CSV and TSV (comma, semicolon or tab, found in the header), JSON lines, Parquet.

A row that does not fit its header, a date that could mean two things, bytes in another encoding: the row is
refused with its line, the others are kept.  After a quote that is never closed, reading goes on at the next
line.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow
from pyarrow import parquet

from annotations.cleaning import is_encodable
from annotations.errors import FileError
from annotations.readers.base import Format, Item, ReadOptions, RefusedItem, Sample
from annotations.readers.cells import restored_cell
from annotations.readers.columns import READ_COLUMNS, RowReader, is_damaged, our_columns
from annotations.readers.detect import open_text
from annotations.readers.dump import heading_source

_DELIMITERS = (",", ";", "\t")
_LONGEST_FIELD = 16 * 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_PARQUET_MAGIC = b"PAR1"
_BATCH_ROWS = 1_000
_LOOKED_AT = 20
_HEADER_CELL = re.compile(r"[\w .\-/():#]{1,60}")
_NOT_UTF8 = "holds bytes that are not UTF-8"


@dataclass(frozen=True)
class _Csv:
    delimiter: str
    header: tuple[str, ...]


def _sniff(sample: Sample, options: ReadOptions) -> _Csv | None:
    """Return the delimiter whose header has the text column, else the one that makes a table at all."""
    likely: list[tuple[int, _Csv]] = []
    for delimiter in _DELIMITERS:
        rows = _first_rows(sample.text, delimiter)
        if not rows:
            continue
        header = tuple(cell.strip() for cell in rows[0])
        plain = [cell.casefold() for cell in header]
        if options.column_map.get("text", "text") in header or "text" in plain:
            return _Csv(delimiter, header)
        regular = len(rows) > 1 and len(rows[1]) == len(header) > 1 and len(set(header)) == len(header)
        if regular and all(map(_HEADER_CELL.fullmatch, header)):
            likely.append((len(header), _Csv(delimiter, header)))
    return max(likely, key=lambda found: found[0])[1] if likely else None


def _first_rows(text: str, delimiter: str) -> list[list[str]]:
    lines = (line for line in text.splitlines(keepends=True) if line.strip())
    try:
        return [row for row, _ in zip(csv.reader(lines, delimiter=delimiter), range(2), strict=False)]
    except csv.Error:
        return []


def _recognise_csv(sample: Sample, options: ReadOptions) -> bool:
    first = sample.text.lstrip().partition("\n")[0]
    return (
        not first.startswith(("{", "[", "<")) and not heading_source(first) and bool(_sniff(sample, options))
    )


def _read_csv(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    found = _sniff(sample, options)
    if found is None:  # recognised before, so the file changed in between
        raise FileError("has no header", where=str(sample.path))
    columns = our_columns(found.header, options, sample.path)
    places = [(ours, found.header.index(theirs)) for ours, theirs in columns.items()]
    return _csv_items(sample, found, places, RowReader(options, sample.path.stem))


def _csv_items(
    sample: Sample, table: _Csv, places: Sequence[tuple[str, int]], reader: RowReader
) -> Iterator[Item]:
    ours = "post_id" in (name for name, _ in places)  # cells of our own files are protected from spreadsheets
    restored: Callable[[str], str] = restored_cell if ours else str
    width = len(table.header)
    with open_text(sample) as stream:
        rows = _csv_rows(stream, table.delimiter)
        next(rows)
        for line, cells in rows:
            position = f"line {line}"
            if isinstance(cells, str):
                yield RefusedItem(position, cells)
                continue
            if len(cells) < width or any(cells[width:]):
                yield RefusedItem(position, f"has {len(cells)} cells, the header has {width}")
            elif is_damaged(cells):
                yield RefusedItem(position, _NOT_UTF8)
            else:
                yield reader.item(position, {name: restored(cells[place]) for name, place in places})


def _csv_rows(stream: IO[str], delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each row that is not blank with its first line; for a row that cannot be parsed, the reason."""
    csv.field_size_limit(_LONGEST_FIELD)
    lines = _Lines(stream)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.begin_row()
        try:
            cells = next(rows, None)
        except csv.Error as error:
            lines.back_to_second()
            yield start, f"the quotes do not match ({error})"
            continue
        if cells is None:
            return
        if cells and cells != [""]:
            yield start, cells


class _Lines:
    """The lines of a file, of which those of the present row can be read again."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = iter(stream)
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._stream)
        self._row.append(line)
        return line

    def begin_row(self) -> int:
        """Forget the lines of the row before; return the number of the line that comes next."""
        self._number += len(self._row)
        self._row = []
        return self._number + 1

    def back_to_second(self) -> None:
        """Put back all lines of the present row but its first."""
        self._again.extendleft(reversed(self._row[1:]))
        self._row = self._row[:1]


def _recognise_jsonl(sample: Sample, _options: ReadOptions) -> bool:
    if not sample.text.lstrip().startswith("{"):
        return False
    first = sample.text.lstrip()[:2]
    return any(
        isinstance(row, dict) and (index == 0 or first == '{"')
        for index, row in enumerate(_first_objects(sample))
    )


def _first_objects(sample: Sample) -> list[Any]:
    """Return what the first lines hold; None for a line that is no JSON by itself."""
    found: list[Any] = []
    with open_text(sample, newline="\n") as stream:
        while len(found) < _LOOKED_AT:
            line = stream.readline(_LONGEST_FIELD)
            if not line:
                break
            if line.strip():
                found.append(_parsed(line)[0] if line.startswith("{") else None)
    return found


def _parsed(line: str) -> tuple[Any, str]:
    """Return the value of a line and, where there is none, the reason."""
    try:
        return json.loads(line, strict=False), ""
    except ValueError as error:
        return None, f"is not JSON ({error})"
    except RecursionError:
        return None, "is nested too deeply"


def _read_jsonl(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    names = dict.fromkeys(key for row in _first_objects(sample) if isinstance(row, dict) for key in row)
    columns = our_columns(names, options, sample.path)
    wanted = {**{name: name for name in READ_COLUMNS}, **columns}  # a field may first come on a later line
    return _jsonl_items(sample, wanted, RowReader(options, sample.path.stem))


def _jsonl_items(sample: Sample, columns: dict[str, str], reader: RowReader) -> Iterator[Item]:
    with open_text(sample, newline="\n") as stream:
        for number, line in _long_lines(stream):
            position = f"line {number}"
            if line is None:
                yield RefusedItem(position, "is longer than 64 MB")
            elif not is_encodable(line):
                yield RefusedItem(position, _NOT_UTF8)
            elif line.strip():
                row, reason = _parsed(line)
                if not isinstance(row, dict):
                    yield RefusedItem(position, reason or "is no JSON object")
                else:
                    yield reader.item(
                        position, {ours: row[theirs] for ours, theirs in columns.items() if theirs in row}
                    )


def _long_lines(stream: IO[str]) -> Iterator[tuple[int, str | None]]:
    """Yield the lines with their numbers, None for one that is too long to hold."""
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if len(line) < _LONGEST_LINE or line.endswith("\n"):
            yield number, line
            continue
        while (rest := stream.readline(_LONGEST_LINE)) and not rest.endswith("\n"):
            pass
        yield number, None


def _read_parquet(sample: Sample, options: ReadOptions) -> Iterator[Item]:
    try:
        with parquet.ParquetFile(sample.path) as table:
            names = table.schema_arrow.names
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise FileError(
            f"is a damaged Parquet file: {str(error).splitlines()[0]}",
            where=str(sample.path),
            hint="Write it again.",
        ) from error
    columns = our_columns(names, options, sample.path)
    return _parquet_items(sample, columns, RowReader(options, sample.path.stem))


def _parquet_items(sample: Sample, columns: dict[str, str], reader: RowReader) -> Iterator[Item]:
    number = 0
    try:
        with parquet.ParquetFile(sample.path) as table:
            for batch in table.iter_batches(_BATCH_ROWS, columns=list(dict.fromkeys(columns.values()))):
                for row in in_microseconds(batch).to_pylist():
                    number += 1
                    yield reader.item(
                        f"row {number}", {ours: row[theirs] for ours, theirs in columns.items()}
                    )
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = f"the file breaks off here: {str(error).splitlines()[0]}; the rows before are kept"
        yield RefusedItem(f"row {number + 1} and on", reason)


def in_microseconds(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Cut nanoseconds off, which Python's datetime does not have."""
    for index, column in enumerate(batch.schema):
        if pyarrow.types.is_timestamp(column.type) and column.type.unit == "ns":
            shorter = pyarrow.timestamp("us", column.type.tz)
            batch = batch.set_column(
                index, column.with_type(shorter), batch.column(index).cast(shorter, safe=False)
            )
    return batch


CSV = Format(
    "csv",
    "CSV or TSV with a column 'text' (or --map text=COLUMN)",
    _recognise_csv,
    _read_csv,
)
JSONL = Format("jsonl", "JSON lines with a field 'text' (or --map text=FIELD)", _recognise_jsonl, _read_jsonl)
PARQUET = Format(
    "parquet",
    "Parquet with a column 'text' (or --map text=COLUMN)",
    lambda sample, _options: sample.head.startswith(_PARQUET_MAGIC),
    _read_parquet,
)
