"""What goes to a worker: some posts, as they are in a Parquet file or as a reader gave them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from annotations.readers import ReadOptions
from annotations.records import Post

MOMENT = pa.timestamp("us", tz="UTC")
POSTS = pa.schema(
    [("post_id", pa.string()), ("text", pa.string()), ("channel", pa.string()), ("date", MOMENT)]
)
"""The columns of posts that were read."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What could not be read: the file, the place in it, the reason."""

    file: str
    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a Parquet file, still to be read: the worker does what the reader of tables would.

    Attributes
    ----------
    data
        A record batch as an Arrow stream, with the columns that tell a post's identity, text and dates.
    columns
        Which of the file's columns holds each of ours.
    first
        The number of the first row, from 1.
    """

    data: pa.Buffer
    file: str
    columns: Mapping[str, str]
    options: ReadOptions
    first: int

    def digest(self) -> str:
        """Return a digest of all that the result depends on."""
        names = [self.file, sorted(self.columns.items()), str(self.options.timezone), self.first]
        return _digest(repr(names), self.data)


@dataclass(frozen=True, slots=True)
class ReadPosts:
    """Posts that were read: a record batch of :data:`POSTS` as an Arrow stream.

    ``known`` are rows of the output of an earlier run, as an Arrow stream; they are those of the posts whose
    text is null, in their order.
    """

    data: pa.Buffer
    known: pa.Buffer | None = None

    def digest(self) -> str:
        """Return a digest of all that the result depends on."""
        return _digest("known" if self.known is not None else "", self.data, self.known)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the driver knows of a chunk beside its posts.

    ``share`` is how much of the whole input has been read at its end, from 0 to 1.
    """

    share: float
    refused: Sequence[Refused] = ()
    n_skipped: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of work: some posts, and what was found beside them."""

    posts: TableRows | ReadPosts
    beside: Beside


def as_stream(batch: pa.RecordBatch) -> pa.Buffer:
    """Return a record batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def table_stream(table: pa.Table) -> pa.Buffer:
    """Return a table as an Arrow stream of one batch."""
    batches = table.combine_chunks().to_batches()
    if batches:
        return as_stream(batches[0])
    return as_stream(
        pa.record_batch([pa.nulls(0, field.type) for field in table.schema], schema=table.schema)
    )


def table_of(data: pa.Buffer) -> pa.Table:
    """Return what an Arrow stream holds."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


def posts_batch(posts: Sequence[Post]) -> pa.RecordBatch:
    """Return posts as a record batch of :data:`POSTS`."""
    columns: list[list[Any]] = [
        [post.post_id for post in posts],
        [post.text for post in posts],
        [post.channel for post in posts],
        [post.date for post in posts],
    ]
    arrays = [pa.array(values, kind.type) for values, kind in zip(columns, POSTS, strict=True)]
    return pa.record_batch(arrays, schema=POSTS)


def no_posts() -> ReadPosts:
    """Return posts that are none, for what was found beside them."""
    return ReadPosts(as_stream(posts_batch([])))


def numbers_of(names: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Return a number for every name: the same for the same name, and hardly ever for another one."""
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(b"".join(digests), np.uint64)


def _digest(names: str, *buffers: pa.Buffer | None) -> str:
    found = hashlib.sha256(names.encode("utf-8", "surrogatepass"))
    for buffer in buffers:
        if buffer is not None:
            found.update(buffer)
    return found.hexdigest()[:32]
