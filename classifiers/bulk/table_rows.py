"""Rows of Parquet files, read column by column: what needs no look at a row needs no Python for it.

The outcome of every row is that of :class:`annotations.readers.columns.RowReader`.  Rows of which that cannot be
told from the columns alone (a text that is not clean, an id with blanks, a date as text) are given to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from annotations.cleaning import APP_LINES
from annotations.readers import ChannelNames, PostItem, RefusedItem
from annotations.readers.cells import word
from annotations.readers.columns import RowReader
from annotations.readers.table import in_microseconds
from annotations.records import Post
from classifiers.bulk.chunks import MOMENT, POSTS, ReadPosts, Refused, TableRows, table_of

COLUMNS = ("post_id", "channel", "message_id", "date", "edited_at", "text", "reply_to")
"""Those of our columns on which depends whether a row is refused, and what it is called."""

_DIRT = (b"\x00", b"\r", *(line.encode() for line in sorted(APP_LINES)))
_PLAIN_ID = "^[0-9A-Za-z]{1,200}$"  # without a dot: 27748.0 is read as 27748
_PLAIN_POST_ID = r"^(?:(?P<channel>[^/]*)/)?(?P<message>[0-9A-Za-z]{1,15})$"  # shorter than a text's digest
_MOST_CHANNELS = 1_000
_UTC = (None, "UTC", "+00:00", "Etc/UTC")
_FIRST, _LAST = -62_104_060_800_000_000, 253_370_764_800_000_000  # the years 2 to 9998
_NOT_UTF8 = "holds bytes that are not UTF-8"
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Read:
    """Posts with clean texts, and what was left out.

    ``ids``, ``channels`` and ``dates`` are arrays of Arrow, one value a text.
    """

    ids: Any
    texts: list[str]
    channels: Any
    dates: Any
    refused: list[Refused] = field(default_factory=list)
    n_skipped: int = 0


def read_posts(posts: ReadPosts) -> Read:
    """Return posts that were read already; a text may be None, see there."""
    table = table_of(posts.data).combine_chunks()
    ids, texts, channels, dates = (table.column(name).combine_chunks() for name in POSTS.names)
    return Read(ids, texts.to_pylist(), channels, dates)


def read_rows(rows: TableRows) -> Read:
    """Read the rows."""
    batch = table_of(rows.data).combine_chunks().to_batches()[0]
    batch = _plain_types(in_microseconds(batch))
    columns = {ours: batch.column(theirs) for ours, theirs in rows.columns.items() if ours in COLUMNS}
    texts, unsure = _texts(columns["text"])
    reader = RowReader(rows.options, Path(rows.file).stem)
    ids, channels, is_plain = _identities(columns, reader)
    unsure |= ~is_plain
    dates, is_plain = _dates(columns, rows)
    unsure |= ~is_plain
    if "reply_to" in columns:
        unsure |= ~_is_plain_reply(columns["reply_to"])
    read = Read(ids, texts, channels, dates)
    return _settled(read, np.flatnonzero(unsure), batch, rows, reader) if unsure.any() else read


def _plain_types(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Write dictionaries (as pandas' categories are stored) out."""
    for index, column in enumerate(batch.schema):
        if pa.types.is_dictionary(column.type):
            plain = batch.column(index).dictionary_decode()
            batch = batch.set_column(index, column.with_type(plain.type), plain)
    return batch


def _texts(column: Any) -> tuple[list[Any], Bools]:
    """Return the texts, and which of them may not be clean."""
    size = len(column)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return [None] * size, np.ones(size, dtype=bool)
    try:
        texts = column.to_pylist()
    except UnicodeDecodeError:
        return [None] * size, np.ones(size, dtype=bool)
    unsure = np.zeros(size, dtype=bool)
    unsure[[at for at, text in enumerate(texts) if not text or text[0].isspace() or text[-1].isspace()]] = (
        True
    )
    offsets = np.frombuffer(column.buffers()[1], np.int32 if pa.types.is_string(column.type) else np.int64)
    offsets = offsets[column.offset : column.offset + size + 1]
    data = bytes(column.buffers()[2] or b"")
    for dirt in _DIRT:
        place = data.find(dirt, offsets[0])
        while 0 <= place < offsets[-1]:
            at = int(np.searchsorted(offsets, place, side="right")) - 1
            unsure[at] = True
            place = data.find(dirt, offsets[at + 1])
    return texts, unsure


def _identities(columns: Mapping[str, Any], reader: RowReader) -> tuple[Any, Any, Bools]:
    """Return post ids and channels, and of which rows they are certain."""
    size = len(columns["text"])
    found = {name: columns[name] for name in ("post_id", "channel", "message_id") if name in columns}
    title, message = _words(found.get("channel"), size), _words(found.get("message_id"), size)
    certain = np.full(size, not any(map(_is_odd, found.values())))
    if "post_id" in found and (title.null_count or message.null_count):
        whole = _words(found["post_id"], size)
        parts = pc.extract_regex(whole, pattern=_PLAIN_POST_ID)
        certain &= ~_true(pc.and_(whole.is_valid(), parts.is_null())) | _true(title.is_valid())
        title = pc.coalesce(title, pc.struct_field(parts, "channel"))
        message = pc.coalesce(message, pc.struct_field(parts, "message"))
    title = pc.fill_null(title, "").dictionary_encode()
    if len(title.dictionary) > _MOST_CHANNELS:
        return message, message, np.zeros(size, dtype=bool)
    try:
        names = title.dictionary.to_pylist()
    except UnicodeDecodeError:
        return message, message, np.zeros(size, dtype=bool)
    slugs = [reader.options.channel_of(ChannelNames(name or None, None, reader.stem)) for name in names]
    is_whole = pa.array([(word(name) or "") == name for name in names], pa.bool_()).take(title.indices)
    channels = pa.array(slugs, pa.string()).take(title.indices)
    certain &= _true(pc.and_(pc.match_substring_regex(message, _PLAIN_ID), is_whole))
    return pc.binary_join_element_wise(channels, message, "/"), channels, certain


def _words(column: Any, size: int) -> Any:
    """Return a column of ids or names as text, null where it is empty or of a type that is looked at by row."""
    if column is None or not (_is_text(column) or pa.types.is_integer(column.type)):
        return pa.nulls(size, pa.string())
    words = column.cast(pa.string())
    return pc.if_else(pc.equal(words, ""), pa.scalar(None, pa.string()), words)


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _is_odd(column: Any) -> bool:
    """Tell whether a column of names or ids may hold what :func:`_words` passes over."""
    return not (_is_text(column) or pa.types.is_integer(column.type) or pa.types.is_null(column.type))


def _dates(columns: Mapping[str, Any], rows: TableRows) -> tuple[Any, Bools]:
    """Return the dates, and of which rows both dates are certain."""
    size = len(columns["text"])
    certain, found = np.ones(size, dtype=bool), pa.nulls(size, MOMENT)
    for name in ("edited_at", "date"):
        column = columns.get(name)
        if column is None:
            continue
        found = pa.nulls(size, MOMENT)
        kind = column.type
        is_day, is_moment = pa.types.is_date32(kind), pa.types.is_timestamp(kind)
        is_local = rows.options.timezone is not None and (is_day or (is_moment and kind.tz is None))
        if not (is_day or is_moment) or is_local or (is_moment and kind.tz not in _UTC):
            certain &= ~_true(column.is_valid())
            continue
        try:
            # to a number first: a cast between zones is none of the number
            plain = column.cast(pa.timestamp("us", tz=kind.tz if is_moment else None))
        except pa.ArrowInvalid:  # outside of what microseconds reach
            certain &= ~_true(column.is_valid())
            continue
        number = plain.cast(pa.int64())
        certain &= _true(pc.fill_null(pc.and_(pc.greater(number, _FIRST), pc.less(number, _LAST)), True))
        found = number.cast(MOMENT)
    return found, certain


def _is_plain_reply(column: Any) -> Bools:
    if pa.types.is_null(column.type) or pa.types.is_integer(column.type):
        return np.ones(len(column), dtype=bool)
    if not _is_text(column):
        return np.asarray(~_true(column.is_valid()))
    return _true(pc.fill_null(pc.match_substring_regex(column, _PLAIN_ID), True))


def _true(column: Any) -> Bools:
    """Return a Boolean column of Arrow as an array; null is false."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=bool)


def _settled(
    read: Read, unsure: npt.NDArray[np.int64], batch: pa.RecordBatch, rows: TableRows, reader: RowReader
) -> Read:
    """Have the rows that are not certain read one by one, and put their posts in their places."""
    keep = np.ones(len(read.texts), dtype=bool)
    posts: dict[int, Post] = {}
    for at in unsure.tolist():
        position = f"row {rows.first + at}"
        try:
            values = batch.slice(at, 1).to_pylist()[0]
        except (UnicodeDecodeError, ValueError, OverflowError) as error:
            reason = _NOT_UTF8 if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error}"
            read.refused.append(Refused(rows.file, position, reason))
            keep[at] = False
            continue
        item = reader.item(position, {ours: values[theirs] for ours, theirs in rows.columns.items()})
        keep[at] = isinstance(item, PostItem)
        if isinstance(item, PostItem):
            posts[at] = item.post
        elif isinstance(item, RefusedItem):
            read.refused.append(Refused(rows.file, position, item.reason))
        else:
            read.n_skipped += 1
    for at, post in posts.items():
        read.texts[at] = post.text
    mask = np.zeros(len(keep), dtype=bool)
    mask[list(posts)] = True
    chosen = [posts[at] for at in sorted(posts)]
    read.ids = _replaced(read.ids, mask, [post.post_id for post in chosen]).filter(pa.array(keep))
    read.channels = _replaced(read.channels, mask, [post.channel for post in chosen]).filter(pa.array(keep))
    read.dates = _replaced(read.dates, mask, [post.date for post in chosen]).filter(pa.array(keep))
    read.texts = [text for text, kept in zip(read.texts, keep.tolist(), strict=True) if kept]
    return read


def _replaced(column: Any, mask: Bools, values: list[Any]) -> Any:
    if not values:
        return column
    return pc.replace_with_mask(column, pa.array(mask), pa.array(values, column.type))
