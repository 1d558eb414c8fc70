"""Tables read column by column: every row ends as the reader of tables would have it."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations.cleaning import APP_LINES
from annotations.ledger.posts import StoredPost
from annotations.posts_table import write_posts
from annotations.readers import PostItem, ReadOptions, RefusedItem, read_posts
from annotations.records import Post
from classifiers.bulk.chunks import TableRows
from classifiers.bulk.sources import FileSource
from classifiers.bulk.table_rows import read_rows

_PIECES = ["a", "Вода", "\n", "\r\n", "\x00", " ", "\u00a0", "\u2003", "🕊", "\x85", "\t", *sorted(APP_LINES)]
_TEXTS = st.none() | st.lists(st.sampled_from(_PIECES), max_size=6).map("".join)
_IDS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "1", "27748.0", "a/1", "a/b/2", "/3", "a/", "x y", " 4", "a-5", "a/a-5", "б/6", "7\x00"]
    ),
    st.sampled_from(["a/0123456789abcdef", "a/ca978112ca1bbdca", "9" * 201, "a/" + "9" * 16]),
)
_NAMES = st.none() | st.sampled_from(["", "a", "a b", " a", "A/B", "б", "\u00a0", "a\x00", "9"])
_MOMENTS = st.none() | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
_DATE_TYPES = [
    pa.timestamp("us", tz="UTC"),
    pa.timestamp("s"),
    pa.timestamp("us", tz="Europe/Madrid"),
    pa.string(),
    pa.date32(),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw tables with odd cells and columns of every type that tables have them in."""
    size = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    found = {"text": pa.array(column(_TEXTS), draw(st.sampled_from([pa.string(), pa.large_string()])))}
    for name, values in (("post_id", _IDS), ("channel", _NAMES), ("message_id", _IDS), ("reply_to", _IDS)):
        kind = draw(st.sampled_from(["none", "text", "text", "number", "float", "category", "null"]))
        if kind in ("text", "category"):
            cells = pa.array(column(values), pa.string())
            found[name] = cells.dictionary_encode() if kind == "category" else cells
        elif kind == "number":
            found[name] = pa.array(column(st.none() | st.integers(-5, 2**40)), pa.int64())
        elif kind == "float":
            found[name] = pa.array(
                column(st.none() | st.sampled_from([1.0, 2.5, float("nan")])), pa.float64()
            )
        elif kind == "null":
            found[name] = pa.nulls(size)
    for name in ("date", "edited_at"):
        if draw(st.booleans()):
            found[name] = _dates(column(_MOMENTS), draw(st.sampled_from(_DATE_TYPES)))
    return pa.table(found)


def _dates(values: list[datetime | None], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array([value and value.isoformat() for value in values], kind)
    if pa.types.is_date32(kind):
        return pa.array([value and date(value.year, value.month, value.day) for value in values], kind)
    plain = [value and value.replace(microsecond=0) for value in values]
    return pa.array(plain, pa.timestamp("us")).cast(pa.timestamp(kind.unit)).cast(pa.int64()).cast(kind)


def by_rows(path: Path, options: ReadOptions) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]], int]:
    """Return posts, refusals and how many were skipped, by the reader."""
    posts, refused, n_skipped = [], [], 0
    for item in read_posts(path, options).items:
        if isinstance(item, PostItem):
            posts.append((item.post.post_id, item.post.text, item.post.channel, item.post.date))
        elif isinstance(item, RefusedItem):
            refused.append((item.position, item.reason))
        else:
            n_skipped += 1
    return posts, refused, n_skipped


def by_columns(
    path: Path, options: ReadOptions, size: int
) -> tuple[list[tuple[Any, ...]], list[tuple[str, str]], int]:
    """Return the same, by columns."""
    posts, refused, n_skipped = [], [], 0
    for chunk in FileSource(path, options).chunks(size):
        assert isinstance(chunk.posts, TableRows)
        read = read_rows(chunk.posts)
        columns = read.ids.to_pylist(), read.texts, read.channels.to_pylist(), read.dates.to_pylist()
        posts += zip(*columns, strict=True)
        refused += [(each.position, each.reason) for each in read.refused]
        n_skipped += read.n_skipped
    return posts, refused, n_skipped


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables(), zone=st.sampled_from([None, ZoneInfo("Europe/Madrid")]), size=st.integers(1, 7))
def test_rows_end_as_the_reader_would_have_them(table: pa.Table, zone: ZoneInfo | None, size: int) -> None:
    """The same ids, texts, channels, dates; the same rows refused, with the same reasons; the same ones skipped."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "posts.parquet"
        pq.write_table(table, path)
        options = ReadOptions(timezone=zone)
        assert by_columns(path, options, size) == by_rows(path, options)


def test_posts_of_our_own_table_need_no_look_at_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the ledger wrote is clean already, and is read as what it was."""
    posts = [
        Post(
            channel="ministry",
            message_id=str(number),
            text=f"Вода {number}. 🕊",
            date=datetime(2025, 3, 1, tzinfo=UTC) + timedelta(hours=number) if number % 2 else None,
            reply_to="1" if number % 3 else None,
            hashtags=("#a",),
        )
        for number in range(50)
    ]
    path = tmp_path / "posts.parquet"
    write_posts(path, [StoredPost(post, None) for post in posts])
    expected = by_rows(path, ReadOptions())
    monkeypatch.setattr("classifiers.bulk.table_rows._settled", None)
    assert by_columns(path, ReadOptions(), 20) == expected
    assert [post[0] for post in expected[0]] == [post.post_id for post in posts]


def test_bytes_that_are_not_utf8_cost_their_row_only(tmp_path: Path) -> None:
    """The reader gives the rest of such a file up; here the others are kept."""
    offsets, data = (
        pa.py_buffer(pa.array([0, 2, 4, 6], pa.int32()).buffers()[1]),
        pa.py_buffer(b"ok\xff\xfeok"),
    )
    text = pa.StringArray.from_buffers(3, offsets, data)
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"post_id": ["a/1", "a/2", "a/3"], "text": text}), path)
    posts, refused, _ = by_columns(path, ReadOptions(), 10)
    assert [post[0] for post in posts] == ["a/1", "a/3"]
    assert refused == [("row 2", "holds bytes that are not UTF-8")]


def test_long_texts_make_small_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a chunk is bounded, whatever the rows hold."""
    monkeypatch.setattr("classifiers.bulk.sources._MOST_BYTES", 1_000_000)
    path = tmp_path / "posts.parquet"
    texts = [f"{number} " + "x" * 100_000 for number in range(50)]
    pq.write_table(
        pa.table({"post_id": [f"a/{n}" for n in range(50)], "text": texts}), path, use_dictionary=False
    )
    sizes = [chunk.posts.data.size for chunk in FileSource(path).chunks(4_096)]
    assert len(sizes) > 1
    assert max(sizes) < 1_200_000
