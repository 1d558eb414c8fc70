"""Where posts come from: a file, a folder of files, the ledger; in chunks, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from annotations.errors import FileError
from annotations.ledger.posts import current_posts, post_counts
from annotations.ledger.store import Ledger
from annotations.readers import Item, PostItem, ReadOptions, RefusedItem, read_posts
from annotations.readers.columns import our_columns
from annotations.records import Post
from classifiers.bulk.chunks import (
    Beside,
    Chunk,
    ReadPosts,
    Refused,
    TableRows,
    as_stream,
    no_posts,
    posts_batch,
)
from classifiers.bulk.table_rows import COLUMNS

SUFFIXES = frozenset({".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".html", ".htm", ".txt"})
"""Of the files of a folder that are read; a single file may be called anything."""

_MOST_CHARACTERS = 16_000_000
_MOST_BYTES = 64_000_000
_MAGIC = b"PAR1"
_READ_BYTES = 1 << 20


class Source(Protocol):
    """Posts in a fixed order."""

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield the posts, at most ``size`` at a time, in the same pieces whenever the posts are the same.

        Raises
        ------
        FileError
            There is nothing that can be read.
        """


@dataclass(frozen=True)
class LedgerSource:
    """The current posts of a ledger, by date and post id."""

    ledger: Ledger

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield the posts."""
        total = max(1, post_counts(self.ledger)["posts"])
        gathered = _Gathered(size)
        for number, stored in enumerate(current_posts(self.ledger), start=1):
            gathered.add(PostItem(stored.post.post_id, stored.post), "ledger")
            if gathered.is_full:
                yield gathered.chunk(number / total)
                gathered = _Gathered(size)
        if not gathered.is_empty:
            yield gathered.chunk(1.0)


@dataclass(frozen=True)
class FileSource:
    """A file of any format that the readers know, or a folder of such files.

    The files of a folder are taken in the order of their paths, those of its folders included, hidden ones and
    those of ``without`` left out.  One that cannot be read is refused as a whole.
    """

    path: Path
    options: ReadOptions = field(default_factory=ReadOptions)
    without: tuple[Path, ...] = ()

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield the posts."""
        if not self.path.is_dir():
            yield from self._of_file(self.path, str(self.path), size)
            return
        files = self._files()
        weights = [max(1, path.stat().st_size) for path in files]
        done, failures = 0, 0
        for path, weight in zip(files, weights, strict=True):
            name = str(path.relative_to(self.path))
            shares = done / sum(weights), weight / sum(weights)
            try:
                for chunk in self._of_file(path, name, size):
                    share = shares[0] + shares[1] * chunk.beside.share
                    yield replace(chunk, beside=replace(chunk.beside, share=share))
            except FileError as error:
                failures += 1
                if failures == len(files):
                    raise
                refused = Refused(name, "", error.problem)
                yield Chunk(no_posts(), Beside(sum(shares), [refused]))
            done += weight

    def _files(self) -> list[Path]:
        left_out = {path.resolve() for path in self.without}
        found = [
            path
            for path in sorted(self.path.rglob("*"), key=lambda path: path.relative_to(self.path).parts)
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(self.path).parts)
            and not left_out & {path.resolve(), *path.resolve().parents}
        ]
        if not found:
            raise FileError(
                "the folder holds no file of posts",
                where=str(self.path),
                hint=f"Files with these suffixes are read: {', '.join(sorted(SUFFIXES))}.",
            )
        return found

    def _of_file(self, path: Path, name: str, size: int) -> Iterator[Chunk]:
        # A channel named for the whole file has to be checked in the file's order.
        if self.options.channel is None and _is_parquet(path):
            return _table_chunks(path, name, self.options, size)
        return _read_chunks(path, name, self.options, size)


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False  # told by the reader


@dataclass(slots=True)
class _Gathered:
    """What is to be a chunk of at most ``size`` posts."""

    size: int
    posts: list[Post] = field(default_factory=list)
    n_characters: int = 0
    refused: list[Refused] = field(default_factory=list)
    n_skipped: int = 0

    def add(self, item: Item, name: str) -> None:
        """Add a message of the file ``name``."""
        if isinstance(item, PostItem):
            self.posts.append(item.post)
            self.n_characters += len(item.post.text)
        elif isinstance(item, RefusedItem):
            self.refused.append(Refused(name, item.position, item.reason))
        else:
            self.n_skipped += 1

    @property
    def is_full(self) -> bool:
        """Whether it is time to begin another."""
        many = max(len(self.posts), len(self.refused)) >= self.size
        return many or self.n_characters >= _MOST_CHARACTERS

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.posts or self.refused or self.n_skipped)

    def chunk(self, share: float) -> Chunk:
        """Return it as a chunk."""
        posts = ReadPosts(as_stream(posts_batch(self.posts)))
        return Chunk(posts, Beside(min(1.0, share), self.refused, self.n_skipped))


def _read_chunks(path: Path, name: str, options: ReadOptions, size: int) -> Iterator[Chunk]:
    """Yield what the reader of the file's format reads."""
    reading = read_posts(path, options)
    gathered = _Gathered(size)
    for item in reading.items:
        gathered.add(item, name)
        if gathered.is_full:
            yield gathered.chunk(reading.meter.bytes_read() / max(1, reading.meter.size))
            gathered = _Gathered(size)
    if not gathered.is_empty:
        yield gathered.chunk(1.0)


def _table_chunks(path: Path, name: str, options: ReadOptions, size: int) -> Iterator[Chunk]:
    """Yield the rows of a Parquet file with the columns that matter, as they are; a worker reads them."""
    read_posts(path, options)  # raises what is wrong with the file
    first = 1
    try:
        # in small reads: a column of a row group may be larger than memory
        with pq.ParquetFile(path, buffer_size=_READ_BYTES, pre_buffer=False) as table:
            total = max(1, table.metadata.num_rows)
            columns = our_columns(table.schema_arrow.names, options, path)
            columns = {ours: theirs for ours, theirs in columns.items() if ours in COLUMNS}
            wanted = list(dict.fromkeys(columns.values()))
            size = min(size, _rows_at_once(table.metadata))
            for batch in table.iter_batches(size, columns=wanted, use_threads=False):
                rows = TableRows(as_stream(batch), name, columns, options, first)
                first += len(batch)
                yield Chunk(rows, Beside(min(1.0, (first - 1) / total)))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = f"the file breaks off here: {str(error).splitlines()[0]}; the rows before are kept"
        refused = Refused(name, f"row {first} and on", reason)
        yield Chunk(no_posts(), Beside(1.0, [refused]))


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows of a file may be held, by their size in bytes."""
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    return max(1, int(_MOST_BYTES * metadata.num_rows // max(1, size)))
