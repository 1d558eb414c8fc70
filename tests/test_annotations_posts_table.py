"""The table of posts: written in three formats, each of which imports again as unchanged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sqlalchemy import insert

from annotations.cleaning import clean
from annotations.errors import FileError
from annotations.importing import import_file
from annotations.ledger.near_duplicates import find_near_duplicates, renew_signatures
from annotations.ledger.posts import StoredPost, current_posts
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.tables import imports
from annotations.posts_table import FORMATS, write_posts
from annotations.readers import PostItem, read_posts
from annotations.readers.columns import POST_COLUMNS
from annotations.records import Post

_POSTS = [
    Post(
        channel="@канал",
        message_id="1",
        text="=SUM(A1)\n\"quoted\", 'x'; 👍",
        date=datetime(2025, 1, 1, 12, 30, 15, 123456, tzinfo=UTC),
        edited_at=datetime(2025, 1, 2, tzinfo=UTC),
        lang="ru",
        forwarded_from="-X",
        reply_to="0",
        hashtags=("#a", "#b"),
        links=("https://x.org/?a=1|2", "=x"),
        media=("photo", "poll"),
        views=10,
        forwards=0,
        reactions={"🔥": 2, "custom:1": 1},
    ),
    Post(channel="C", message_id="2", text="'=already protected"),
    Post(channel="C", message_id="3", text="''@twice"),
    Post(channel="C", message_id="4", text="'plain quote"),
    Post(channel="C", text="no id, no date"),
    Post(channel="C", message_id="5", text="no id, no date"),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger with posts that are hard to write."""
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    renew_signatures(opened)
    with opened.begin() as connection:
        connection.execute(
            insert(imports).values(import_id=1, file="f", format="x", started_at=now(), counts={})
        )
        record_posts(connection, 1, _POSTS)
    find_near_duplicates(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize("ending", FORMATS)
def test_a_written_table_imports_as_unchanged(ledger: Ledger, tmp_path: Path, ending: str) -> None:
    """Each format gives back every post, and the ledger stays as it was."""
    path = tmp_path / f"posts.{ending}"
    before = list(current_posts(ledger))
    assert write_posts(path, before) == len(_POSTS)
    report = import_file(ledger, path)
    assert report.format == ending
    assert report.counts["unchanged"] == report.messages == len(_POSTS)
    assert list(current_posts(ledger)) == before
    assert [item.post for item in read_posts(path).items if isinstance(item, PostItem)] == [
        s.post for s in before
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(), max_size=5), st.sampled_from(FORMATS))
def test_any_text_comes_back(tmp_path: Path, texts: list[str], ending: str) -> None:
    """Whatever the texts, a written table reads as the same posts."""
    found = [text for text in map(clean, texts) if text] or ["x"]
    posts = [Post(channel="C", message_id=str(number), text=text) for number, text in enumerate(found)]
    path = tmp_path / f"posts.{ending}"
    write_posts(path, [StoredPost(post, None) for post in posts])
    back = [item.post.text for item in read_posts(path).items if isinstance(item, PostItem)]
    assert back == found


def test_csv_cells_are_neutralised(ledger: Ledger) -> None:
    """No cell of the CSV begins like a formula."""
    stream = io.StringIO()
    write_posts(stream, current_posts(ledger), "csv")
    header, *rows = csv.reader(io.StringIO(stream.getvalue()))
    assert tuple(header) == POST_COLUMNS
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_a_stream_takes_json_lines(ledger: Ledger) -> None:
    """Standard output gets JSON lines with every column, and the first post of duplicates."""
    stream = io.StringIO()
    write_posts(stream, current_posts(ledger))
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [tuple(row) for row in rows] == [POST_COLUMNS] * len(_POSTS)
    assert rows[0]["date"] == "2025-01-01T12:30:15.123456+00:00"
    duplicates = {row["post_id"]: row["duplicate_of"] for row in rows if row["duplicate_of"]}
    assert duplicates == {"C/5": _POSTS[4].post_id}


def test_parquet_has_types(ledger: Ledger, tmp_path: Path) -> None:
    """Dates are times in UTC, counts numbers, hashtags lists."""
    path = tmp_path / "posts.parquet"
    write_posts(path, current_posts(ledger))
    schema = parquet.read_schema(path)
    assert schema.field("date").type == pyarrow.timestamp("us", tz="UTC")
    assert schema.field("views").type == pyarrow.int64()
    assert schema.field("hashtags").type == pyarrow.list_(pyarrow.field("element", pyarrow.string()))


def test_a_suffix_that_names_no_format(tmp_path: Path) -> None:
    """Another suffix is refused, and so is Parquet to a stream; no file is left."""
    with pytest.raises(FileError, match=r"\.jsonl, \.csv or \.parquet"):
        write_posts(tmp_path / "posts.xlsx", [])
    with pytest.raises(FileError, match="cannot be written as text"):
        write_posts(io.StringIO(), [], "parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    """The file is written whole or not at all."""
    path = tmp_path / "posts.jsonl"
    path.write_text("old")

    def failing() -> Iterator[StoredPost]:
        yield StoredPost(_POSTS[0], None)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_posts(path, failing())
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["posts.jsonl"]
