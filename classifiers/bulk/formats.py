"""The output: its columns, and Parquet, CSV and JSON lines as pieces that a worker makes and the driver appends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from annotations.errors import FileError
from annotations.files import neutral_cell
from classifiers.bulk.chunks import MOMENT, table_of, table_stream
from classifiers.predictions import DECISIONS
from classifiers.scorer import Judged

EXTRA_COLUMNS = ("channel", "date", "lang", "revision")
"""Columns of a post that the output has if they are asked for."""

_NAMES = pa.array([decision.value for decision in DECISIONS])
_WORD = pa.dictionary(pa.int8(), pa.string())
_TYPES = {"post_id": pa.string(), "date": MOMENT, "revision": pa.string()}


def output_schema(columns: Sequence[str], tag_ids: Sequence[str]) -> pa.Schema:
    """Return the columns of the output.

    They are ``post_id``, ``model_version``, those of ``columns``, and for each tag ``<tag>`` (yes, no, abstain) and
    ``<tag>_score``, a float32 that is null where the tag is not predicted.
    """
    plain = ["post_id", "model_version", *columns]
    fields = [(name, _TYPES.get(name, pa.dictionary(pa.int32(), pa.string()))) for name in plain]
    for tag in tag_ids:
        fields += [(tag, _WORD), (f"{tag}_score", pa.float32())]
    return pa.schema(fields)


def check_columns(columns: Sequence[str], tag_ids: Sequence[str]) -> None:
    """Refuse extra columns that are unknown, or that a tag of the model is called like.

    Raises
    ------
    FileError
        There is such a column.
    """
    if unknown := sorted(set(columns) - set(EXTRA_COLUMNS)):
        raise FileError(
            f"'{unknown[0]}' is no column of a post",
            where="--columns",
            hint=f"There are: {', '.join(EXTRA_COLUMNS)}.",
        )
    taken = {name for tag in tag_ids for name in (tag, f"{tag}_score")}
    if odd := sorted(taken & {"post_id", "model_version", *columns}):
        raise FileError(
            f"the model has a tag '{odd[0]}', so the output cannot have a column of that name",
            where="--columns",
            hint="Leave the column out, or train with a codebook that names the tag otherwise.",
        )


def output_table(schema: pa.Schema, plain: Mapping[str, Any], judged: Judged) -> pa.Table:
    """Return rows of the output.

    Parameters
    ----------
    plain
        The columns that are not of tags; what is missing is filled by type.
    """
    arrays = [_cast(plain[name], schema.field(name).type) for name in plain]
    scores, decisions = judged.scores.T.astype(np.float32, order="C"), judged.decisions.T.copy()
    for decided, score in zip(decisions, scores, strict=True):
        arrays.append(pa.DictionaryArray.from_arrays(pa.array(decided), _NAMES))
        arrays.append(pa.array(score, mask=np.isnan(score)))
    return pa.Table.from_arrays(arrays, schema=schema)


def _cast(column: Any, kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column.cast(kind) if column.type != kind else column


class Sink(Protocol):
    """An output that grows by pieces."""

    def append(self, piece: pa.Buffer) -> None:
        """Add a piece as :func:`encoded` made it."""

    def close(self) -> None:
        """Write the end."""


class _Parquet:
    """A row group a piece, compressed by zstd."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=words)

    def append(self, piece: pa.Buffer) -> None:
        self._writer.write_table(table_of(piece))

    def close(self) -> None:
        self._writer.close()


class _Lines:
    """Text: the pieces one after the other."""

    def __init__(self, path: Path, header: bytes) -> None:
        self._stream: IO[bytes] = path.open("wb")
        self._stream.write(header)

    def append(self, piece: pa.Buffer) -> None:
        self._stream.write(piece)

    def close(self) -> None:
        self._stream.close()


def open_sink(format_name: str, path: Path, schema: pa.Schema) -> Sink:
    """Begin an output of a format."""
    if format_name == "parquet":
        return _Parquet(path, schema)
    header = ",".join(schema.names) + "\n" if format_name == "csv" else ""
    return _Lines(path, header.encode())


def encoded(table: pa.Table, format_name: str) -> pa.Buffer:
    """Return rows as a piece of an output."""
    return FORMATS[format_name](table)


def _csv(table: pa.Table) -> pa.Buffer:
    columns = [_csv_column(column) for column in _plain(table)]
    sink = pa.BufferOutputStream()
    plain = pa.table(columns, names=table.schema.names)
    pyarrow.csv.write_csv(plain, sink, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
    return sink.getvalue()


def _csv_column(column: Any) -> Any:
    """Return a column with dates in ISO 8601, numbers in few digits, and nothing that a spreadsheet runs."""
    if pa.types.is_floating(column.type):
        return column.cast(pa.string())
    if pa.types.is_timestamp(column.type):
        return pa.chunked_array([[_iso(value) for value in column.to_pylist()]], pa.string())
    if pc.any(_is_formula(column)).as_py():
        return pa.chunked_array([[neutral_cell(value) for value in column.to_pylist()]], pa.string())
    return column


def _is_formula(column: Any) -> Any:
    return pc.fill_null(pc.match_substring_regex(column, r"^[=+\-@\t\r]"), False)


def _json_lines(table: pa.Table) -> pa.Buffer:
    """Return a line a row; numbers are written by Arrow, each in as few digits as tell it from its neighbours."""
    columns, names = [], []
    for name, column in zip(table.schema.names, _plain(table), strict=True):
        names.append(json.dumps(name, ensure_ascii=False).replace("%", "%%"))
        if pa.types.is_floating(column.type):
            columns.append(pc.fill_null(column.cast(pa.string()), "null").to_pylist())
        else:
            values = column.to_pylist()
            if pa.types.is_timestamp(column.type):
                values = list(map(_iso, values))
            written = {value: json.dumps(value, ensure_ascii=False) for value in set(values)}
            columns.append([written[value] for value in values])
    line = "{" + ", ".join(f"{name}: %s" for name in names) + "}\n"
    return pa.py_buffer("".join(map(line.__mod__, zip(*columns, strict=True))).encode())


def _plain(table: pa.Table) -> list[Any]:
    """Return the columns with dictionaries written out."""
    return [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]


def _iso(value: Any) -> str | None:
    return None if value is None else str(value.isoformat())


FORMATS: Mapping[str, Callable[[pa.Table], pa.Buffer]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "parquet": table_stream,
}
"""How rows become a piece of an output, by the suffix of its file without the dot."""


def output_format(path: Path) -> str:
    """Return the format that a file's suffix asks for.

    Raises
    ------
    FileError
        The suffix means none.
    """
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        known = ", ".join(f".{format_name}" for format_name in sorted(FORMATS))
        raise FileError(
            f"the suffix {path.suffix!r} means no known format", where=str(path), hint=f"Use one of {known}."
        )
    return name
