"""The interchange table of posts: JSON lines, CSV or Parquet, and each of them can be imported again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow
from pyarrow import parquet

from annotations.errors import FileError
from annotations.files import atomic_path, atomic_text
from annotations.ledger.posts import StoredPost
from annotations.readers.cells import protected_cell
from annotations.readers.columns import POST_COLUMNS

FORMATS = ("jsonl", "csv", "parquet")

_ROWS = 5_000
_LISTS = pyarrow.list_(pyarrow.string())
_TIME = pyarrow.timestamp("us", tz="UTC")
_TYPES = {
    "date": _TIME,
    "edited_at": _TIME,
    "hashtags": _LISTS,
    "links": _LISTS,
    "media": _LISTS,
    "views": pyarrow.int64(),
    "forwards": pyarrow.int64(),
    "reactions": pyarrow.map_(pyarrow.string(), pyarrow.int64()),
}
_SCHEMA = pyarrow.schema([(name, _TYPES.get(name, pyarrow.string())) for name in POST_COLUMNS])


def table_format(path: Path) -> str:
    """Return the format that a file's suffix asks for.

    Raises
    ------
    FileError
        The suffix is none of .jsonl, .csv and .parquet.
    """
    name = path.suffix.lower().removeprefix(".")
    if name not in FORMATS:
        raise FileError("the suffix names no format", where=str(path), hint="Use .jsonl, .csv or .parquet.")
    return name


def write_posts(target: Path | IO[str], posts: Iterable[StoredPost], format_name: str | None = None) -> int:
    """Write posts to a file, whole or not at all, or as JSON lines or CSV to an open text stream.

    The format is that of the file's suffix, and ``jsonl`` for a stream, unless it is named.
    Returns how many posts were written.

    Raises
    ------
    FileError
        The format is unknown or not for a stream, or the file cannot be written.
    """
    if not isinstance(target, Path):
        return _writer(format_name or "jsonl")(target, posts)
    format_name = format_name or table_format(target)
    if format_name == "parquet":
        with atomic_path(target) as temporary:
            return _write_parquet(temporary, posts)
    with atomic_text(target) as stream:
        return _writer(format_name)(stream, posts)


def _writer(format_name: str) -> Callable[[IO[str], Iterable[StoredPost]], int]:
    writers = {"jsonl": _write_jsonl, "csv": _write_csv}
    if format_name not in writers:
        raise FileError(
            f"'{format_name}' cannot be written as text", hint="Use jsonl or csv, or name a .parquet file."
        )
    return writers[format_name]


def post_row(stored: StoredPost) -> dict[str, Any]:
    """Return a post as a row of the table, as Python values, in the order of ``POST_COLUMNS``."""
    post = stored.post
    return {
        "post_id": post.post_id,
        "channel": post.channel,
        "message_id": post.message_id,
        "date": post.date,
        "edited_at": post.edited_at,
        "text": post.text,
        "lang": post.lang,
        "forwarded_from": post.forwarded_from,
        "reply_to": post.reply_to,
        "hashtags": list(post.hashtags),
        "links": list(post.links),
        "media": list(post.media),
        "views": post.views,
        "forwards": post.forwards,
        "reactions": dict(post.reactions),
        "duplicate_of": stored.duplicate_of,
        "cluster": stored.cluster,
    }


def _text_row(stored: StoredPost) -> dict[str, Any]:
    row = post_row(stored)
    for name in ("date", "edited_at"):
        row[name] = row[name] and row[name].astimezone(UTC).isoformat()
    return row


def _write_jsonl(stream: IO[str], posts: Iterable[StoredPost]) -> int:
    number = 0
    for stored in posts:
        stream.write(json.dumps(_text_row(stored), ensure_ascii=False) + "\n")
        number += 1
    return number


def _write_csv(stream: IO[str], posts: Iterable[StoredPost]) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(POST_COLUMNS)
    number = 0
    for stored in posts:
        writer.writerow(map(_cell, _text_row(stored).values()))
        number += 1
    return number


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return protected_cell(value)


def _write_parquet(path: Path, posts: Iterable[StoredPost]) -> int:
    number = 0
    with parquet.ParquetWriter(path, _SCHEMA) as writer:
        for rows in _batches(map(post_row, posts)):
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=_SCHEMA))
            number += len(rows)
    return number


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _ROWS)):
        yield batch
