"""Parquet: nested evidence, typed columns, zstd; a row an annotator and post, or a post."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from annotations.exporting.entries import Entry, Reading
from annotations.exporting.layout import Layout, quoted

_ROWS = 2_000
_TEXT, _TEXTS, _COUNT = pyarrow.string(), pyarrow.list_(pyarrow.string()), pyarrow.int32()
_EVIDENCE = pyarrow.list_(pyarrow.struct([("start", _COUNT), ("end", _COUNT), ("text", _TEXT)]))
_POST = (
    ("post_id", _TEXT),
    ("revision", _TEXT),
    ("channel", _TEXT),
    ("date", pyarrow.timestamp("us", tz="UTC")),
    ("lang", _TEXT),
    ("forwarded_from", _TEXT),
    ("duplicate_of", _TEXT),
    ("text", _TEXT),
    ("status", _TEXT),
)
_TAGS = pyarrow.list_(pyarrow.struct([("tag", _TEXT), ("origin", _TEXT), ("evidence", _EVIDENCE)]))
_GOLD_TAGS = pyarrow.list_(pyarrow.struct([("tag", _TEXT), ("evidence", _EVIDENCE)]))
_VOTES = pyarrow.list_(pyarrow.struct([("tag", _TEXT), ("n_yes", _COUNT), ("provenance", _TEXT)]))


def parquet_schema(layout: Layout, *, labels: bool = False) -> pyarrow.Schema:
    """Return the columns and their types; ``labels`` adds the tags as numbers, as classifiers want them.

    The schema's metadata says which tags the codebook has, under the key ``talkingpoints`` (JSON).
    """
    fields: list[tuple[str, pyarrow.DataType]] = list(_POST)
    fields += [("labels", pyarrow.list_(pyarrow.int64()))] if labels else []
    if layout.gold:
        fields += [("tags", _GOLD_TAGS), ("votes", _VOTES), ("n_annotators", _COUNT), ("provenance", _TEXT)]
        fields += [("flags", _TEXTS), ("codebook", _TEXT)]
    else:
        fields += [("annotator", _TEXT), ("tags", _TAGS), ("flags", _TEXTS), ("comment", _TEXT)]
        fields += [("codebook", _TEXT), ("lead_time", pyarrow.float64())]
    about = {
        "rows": "gold" if layout.gold else "annotators",
        "codebook": layout.codebook.digest,
        "tags": list(layout.codebook.tag_ids),
        "retired_tags": list(layout.retired),
    }
    return pyarrow.schema(fields).with_metadata({"talkingpoints": json.dumps(about)})


class ParquetTable:
    """A Parquet file, written some thousand rows at a time."""

    def __init__(self, path: Path, layout: Layout, *, labels: bool = False) -> None:
        self._layout = layout
        self._labels = {tag: number for number, tag in enumerate(layout.tag_ids)} if labels else None
        self._schema = parquet_schema(layout, labels=labels)
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self.n_rows = 0
        self.n_bytes = 0
        """The size of the rows in memory, uncompressed."""

    def write(self, entry: Entry, readings: Sequence[Reading]) -> int:
        """Write the rows of a post."""
        self._rows += [self._row(entry, reading) for reading in readings]
        if len(self._rows) >= _ROWS:
            self._flush()
        return len(readings)

    def close(self) -> None:
        """Write what is left and the file's footer."""
        try:
            self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            table = pyarrow.Table.from_pylist(rows, schema=self._schema)
            self._writer.write_table(table)
            self.n_rows += len(rows)
            self.n_bytes += table.nbytes

    def _row(self, entry: Entry, reading: Reading) -> dict[str, Any]:
        row: dict[str, Any] = {name: getattr(entry, name) for name, _ in _POST if name != "status"}
        date = entry.date_of(reading)
        row["date"] = date and date.astimezone(UTC)
        row["status"] = reading.status
        row["flags"], row["codebook"] = list(reading.flags), reading.codebook
        row["tags"] = [
            {"tag": tag, "origin": reading.origin.get(tag), "evidence": quoted(spans, entry.text)}
            for tag, spans in reading.tags.items()
        ]
        if self._labels is not None:
            row["labels"] = (
                sorted(self._labels[tag] for tag in reading.tags) if reading.status.is_judged else None
            )
        if self._layout.gold:
            row["n_annotators"], row["provenance"] = reading.n_annotators, reading.provenance
            row["votes"] = [
                {"tag": tag, "n_yes": vote.n_yes, "provenance": vote.provenance}
                for tag, vote in reading.votes.items()
            ]
        else:
            row["annotator"], row["comment"] = reading.annotator, reading.comment
            row["lead_time"] = reading.lead_time
        return row
