"""The output of an earlier run, to tag only what has changed since.

A row is known if the post has the same id and the same revision, the digest of its text, and the table is of the
same model and has the same columns.  Ids are looked up by a number of 8 bytes each, rows are read a row group at a
time, so that little of the table is in memory.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from annotations.errors import FileError
from annotations.records import text_digest
from classifiers.bulk.chunks import POSTS, Chunk, ReadPosts, TableRows, numbers_of, table_stream
from classifiers.bulk.table_rows import Read, read_posts, read_rows

Ints = npt.NDArray[np.int64]
_KEYS = ["post_id", "revision"]


class Earlier(AbstractContextManager["Earlier"]):
    """The rows of an earlier output that may be used again.

    Parameters
    ----------
    path
        A Parquet file with a column ``revision``.
    version
        Of the model.
    schema
        The columns that the new output is to have.
    """

    def __init__(self, path: Path, version: str, schema: pa.Schema) -> None:
        self.reason = ""
        """Why none of the rows can be used; empty if they can."""
        self._table: pq.ParquetFile | None = None
        self._keys: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._rows: Ints = np.zeros(0, np.int64)
        if not path.exists():
            self.reason = "there is no earlier output"
            return
        try:
            self._table = table = pq.ParquetFile(path)
            sizes = [table.metadata.row_group(n).num_rows for n in range(table.num_row_groups)]
            self._starts: Ints = np.cumsum([0, *sizes])
            self.reason = self._unfit(version, schema)
        except (pa.ArrowException, OSError) as error:
            raise FileError(
                f"is no Parquet file: {str(error).splitlines()[0]}",
                where=str(path),
                hint="Without --changed it is made anew.",
            ) from error
        self._schema = schema
        self._group = lru_cache(maxsize=2)(self._read_group)

    def _unfit(self, version: str, schema: pa.Schema) -> str:
        """Fill the index; return why the table is of no use."""
        table = self._table
        assert table is not None  # noqa: S101 - it was opened
        if table.schema_arrow.names != schema.names:
            return "the earlier output has other columns"
        parts = []
        for batch in table.iter_batches(columns=[*_KEYS, "model_version"]):
            if set(batch.column("model_version").unique().to_pylist()) - {version}:
                return "the earlier output is of another model"
            parts.append(_numbers(batch.column("post_id").to_pylist(), batch.column("revision").to_pylist()))
        keys = np.concatenate(parts) if parts else self._keys
        self._rows = np.argsort(keys, kind="stable")
        self._keys = keys[self._rows]
        return ""

    def reduced(self, chunk: Chunk) -> Chunk:
        """Return a chunk in which only the posts that have changed have a text."""
        read = _read(chunk)
        ids = read.ids.to_pylist()
        found, known = self._known(ids, [text_digest(text) for text in read.texts])
        if known is None:
            return chunk
        texts = [None if row >= 0 else text for row, text in zip(found.tolist(), read.texts, strict=True)]
        columns = [read.ids, pa.array(texts, pa.string()), read.channels, read.dates]
        posts = pa.Table.from_arrays(columns, schema=POSTS)
        beside = replace(
            chunk.beside,
            refused=[*chunk.beside.refused, *read.refused],
            n_skipped=chunk.beside.n_skipped + read.n_skipped,
        )
        return Chunk(ReadPosts(table_stream(posts), table_stream(known)), beside)

    def _known(self, ids: list[str], revisions: list[str]) -> tuple[Ints, pa.Table | None]:
        """Return the earlier row of every post, -1 where there is none, and these rows in order."""
        found = np.full(len(ids), -1, dtype=np.int64)
        if self.reason or not len(self._keys) or not ids:
            return found, None
        wanted = _numbers(ids, revisions)
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        alike = self._keys[places] == wanted
        found[alike] = self._rows[places[alike]]
        rows = self._taken(found[found >= 0])
        if rows is None:
            return found, None
        at = np.flatnonzero(found >= 0)
        theirs = zip(rows["post_id"].to_pylist(), rows["revision"].to_pylist(), strict=True)
        pairs = zip(at.tolist(), theirs, strict=True)
        same = np.array([(ids[place], revisions[place]) == pair for place, pair in pairs], dtype=bool)
        found[at[~same]] = -1  # equal numbers of other posts
        return found, rows.filter(pa.array(same)) if same.any() else None

    def _taken(self, rows: Ints) -> pa.Table | None:
        if not len(rows):
            return None
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        parts, order = [], []
        for group in np.unique(groups).tolist():
            here = np.flatnonzero(groups == group)
            parts.append(self._group(group).take(rows[here] - self._starts[group]))
            order.append(here)
        return pa.concat_tables(parts).take(np.argsort(np.concatenate(order)))

    def _read_group(self, group: int) -> pa.Table:
        assert self._table is not None  # noqa: S101 - there are rows
        return self._table.read_row_group(group).cast(self._schema)

    def __exit__(self, *_error: object) -> None:
        """Let the file go."""
        if self._table is not None:
            self._table.close()


def _read(chunk: Chunk) -> Read:
    return read_rows(chunk.posts) if isinstance(chunk.posts, TableRows) else read_posts(chunk.posts)


def _numbers(ids: list[str], revisions: list[str]) -> npt.NDArray[np.uint64]:
    pairs = zip(ids, revisions, strict=True)
    return numbers_of(f"{post_id}\n{revision}" for post_id, revision in pairs)
