"""Bulk tagging: a file of posts in, a table of tags out."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from annotations.errors import FileError
from annotations.files import atomic_path, neutral_cell
from annotations.progress import Progress, silent
from annotations.readers import PostItem, ReadOptions, RefusedItem, read_posts
from annotations.records import Post
from classifiers.predictions import Prediction
from classifiers.scorer import Scorer

_BATCH = 256
_SHOWN = 20
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TagReport:
    """What a run did: rows written, and what was not tagged, with the first reasons as (position, reason)."""

    path: Path
    format: str
    model_version: str
    n_tagged: int
    n_skipped: int
    n_refused: int
    refusals: tuple[tuple[str, str], ...]


class _Writer(Protocol):
    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


def tag_file(
    scorer: Scorer,
    in_path: Path,
    out_path: Path,
    progress: Progress = silent,
    options: ReadOptions | None = None,
) -> TagReport:
    """Tag every post of a file of any supported format, in its order.

    The output is Parquet, CSV or JSON lines by the suffix of ``out_path``; per post ``post_id``,
    ``model_version``, and for every tag ``<tag>`` (yes, no, abstain) and ``<tag>_score`` (null for a tag
    that is not predicted).  It is written to a temporary file and renamed.  Rows that cannot be read are
    refused with their reason, messages without text are skipped.

    Raises
    ------
    FileError
        The input is of no known format, the suffix of the output means none, the output is the input, or
        it cannot be written.
    """
    opener = _WRITERS.get(out_path.suffix.lower())
    if opener is None:
        raise FileError(
            f"the suffix {out_path.suffix!r} means no known format",
            where=str(out_path),
            hint=f"Use one of {', '.join(sorted(_WRITERS))}.",
        )
    if in_path.exists() and out_path.exists() and out_path.samefile(in_path):
        raise FileError("is the input itself", where=str(out_path), hint="Choose another file for the tags.")
    reading = read_posts(in_path, options or ReadOptions())
    counts: Counter[str] = Counter()
    refusals: list[tuple[str, str]] = []
    with atomic_path(out_path) as temporary, ExitStack() as stack:
        writer = opener(temporary, tuple(scorer.rules))
        stack.callback(writer.close)
        for posts in _batches(reading.items, counts, refusals):
            predictions = scorer.predict([post.text for post in posts])
            writer.write([_row(post, found) for post, found in zip(posts, predictions, strict=True)])
            counts["tagged"] += len(posts)
            progress(counts["tagged"], None)
    return TagReport(
        path=out_path,
        format=reading.format,
        model_version=scorer.version,
        n_tagged=counts["tagged"],
        n_skipped=counts["skipped"],
        n_refused=counts["refused"],
        refusals=tuple(refusals),
    )


def _batches(
    items: Iterator[Any], counts: Counter[str], refusals: list[tuple[str, str]]
) -> Iterator[list[Post]]:
    posts: list[Post] = []
    for item in items:
        if isinstance(item, PostItem):
            posts.append(item.post)
        elif isinstance(item, RefusedItem):
            counts["refused"] += 1
            if len(refusals) < _SHOWN:
                refusals.append((item.position, item.reason))
        else:
            counts["skipped"] += 1
        if len(posts) == _BATCH:
            yield posts
            posts = []
    if posts:
        yield posts


def _row(post: Post, prediction: Prediction) -> Row:
    row: Row = {"post_id": post.post_id, "model_version": prediction.model_version}
    for tag in prediction.tags:
        row[tag.tag_id] = tag.decision.value
        row[f"{tag.tag_id}_score"] = tag.score
    return row


class _JsonLines:
    def __init__(self, path: Path, _tag_ids: Sequence[str]) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="\n")

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._stream.close()


class _Csv:
    def __init__(self, path: Path, tag_ids: Sequence[str]) -> None:
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._stream, _columns(tag_ids))
        self._writer.writeheader()

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows({name: neutral_cell(value) for name, value in row.items()} for row in rows)

    def close(self) -> None:
        self._stream.close()


class _Parquet:
    def __init__(self, path: Path, tag_ids: Sequence[str]) -> None:
        kinds = {name: pa.float64() if name.endswith("_score") else pa.string() for name in _columns(tag_ids)}
        self._schema = pa.schema(list(kinds.items()))
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.write_table(pa.Table.from_pylist(list(rows), schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_WRITERS: dict[str, Callable[[Path, Sequence[str]], _Writer]] = {
    ".jsonl": _JsonLines,
    ".csv": _Csv,
    ".parquet": _Parquet,
}


def _columns(tag_ids: Sequence[str]) -> list[str]:
    return ["post_id", "model_version", *[name for tag in tag_ids for name in (tag, f"{tag}_score")]]
