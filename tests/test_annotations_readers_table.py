"""Tables of posts: CSV, TSV, JSON lines and Parquet; each row is kept or refused with its place."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from annotations.cleaning import clean
from annotations.errors import FileError
from annotations.readers import (
    EmptyItem,
    Item,
    PostItem,
    ReadOptions,
    RefusedItem,
    parse_column_map,
    read_posts,
)
from annotations.records import Post

_STORABLE_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def _items(tmp_path: Path, content: str | bytes, options: ReadOptions | None = None) -> list[Item]:
    path = tmp_path / "table.dat"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_posts(path, options).items)


def _posts(items: list[Item]) -> list[Post]:
    return [item.post for item in items if isinstance(item, PostItem)]


def _refused(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.position, item.reason) for item in items if isinstance(item, RefusedItem)]


def test_a_scraped_channel(shared_data: Path) -> None:
    """The 245 rows of a scraped table come whole, with dates, views, links and photos."""
    items = list(read_posts(shared_data / "mfa" / "posts.csv", ReadOptions(channel="MFARussia")).items)
    posts = _posts(items)
    assert len(items) == len(posts) == 245
    first = posts[0]
    assert (first.post_id, first.views, first.media) == ("MFARussia/27748", 1310, ("photo",))
    assert first.date == datetime(2025, 12, 19, 15, 6, 58, tzinfo=UTC)
    assert first.hashtags == ("#ECOWAS", "#RussiaAfrica")
    assert all(post.raw is None for post in posts)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """Comma, semicolon and tab are told by the header; UTF-8 and UTF-16 by their marks."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(
        [["Message_ID", "text", "note"], ["7", 'He said: "Да; нет, \t\n не так"', ""], ["8", "b", "c"]]
    )
    posts = _posts(_items(tmp_path, stream.getvalue().encode(encoding)))
    assert [(post.post_id, post.text) for post in posts] == [
        ("table/7", 'He said: "Да; нет, \t\n не так"'),
        ("table/8", "b"),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(_STORABLE_TEXT, min_size=1, max_size=6), st.sampled_from([",", ";", "\t"]))
def test_any_text_arrives_from_csv(tmp_path: Path, texts: list[str], delimiter: str) -> None:
    """Whatever the texts, each row arrives clean or is empty."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(
        [["id", "text"], *enumerate(texts)]
    )
    items = _items(tmp_path, stream.getvalue())
    assert [item.post.text if isinstance(item, PostItem) else "" for item in items] == [
        clean(t) for t in texts
    ]
    assert not _refused(items)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_rest_of_a_table_is_read_to_its_end(tmp_path: Path, rest: str) -> None:
    """Whatever follows a header and a row, nothing crashes, and the row before is kept."""
    items = _items(tmp_path, "id,text\n1,first\n" + rest + "\n9,last\n")
    assert isinstance(items[0], PostItem)
    assert len({item.position for item in items}) == len(items)


def test_ragged_rows_are_refused_with_their_line(tmp_path: Path) -> None:
    """A row with too few or too many cells is refused; lines are counted through quoted newlines."""
    items = _items(tmp_path, 'id,text,note\n1,"a\nb",\n2,x\n\n3,y,z,w\n4,ok,,\n')
    assert [post.text for post in _posts(items)] == ["a\nb", "ok"]
    assert _refused(items) == [
        ("line 4", "has 2 cells, the header has 3"),
        ("line 6", "has 4 cells, the header has 3"),
    ]


def test_an_open_quote_swallows_no_rows(tmp_path: Path) -> None:
    """After a quote that is never closed, reading goes on at the next line."""
    items = _items(tmp_path, 'id,text\n1,a\n2,"open\n3,c\n4,d\n')
    assert [post.text for post in _posts(items)] == ["a", "c", "d"]
    assert [position for position, _ in _refused(items)] == ["line 3"]


def test_a_large_field(tmp_path: Path) -> None:
    """A text of a megabyte is read."""
    text = "word " * 200_000
    assert _posts(_items(tmp_path, f"id,text\n1,{text}\n"))[0].text == text.strip()


def test_bytes_of_another_encoding(tmp_path: Path) -> None:
    """In a file of UTF-8, a row with other bytes is refused and the others are kept."""
    items = _items(tmp_path, "id,text\n1,Мир\n2,".encode() + b"\xcc\xe8\n3,ok\n")
    assert [post.text for post in _posts(items)] == ["Мир", "ok"]
    assert _refused(items) == [("line 3", "holds bytes that are not UTF-8")]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_missing_text_column_names_those_there(tmp_path: Path, ending: str) -> None:
    """Without a text column the error lists the columns and shows a mapping."""
    rows = [{"id": 1, "body": "a"}, {"id": 2, "body": "b"}]
    path = _write(tmp_path, rows, ending)
    with pytest.raises(FileError, match=r"no column 'text'\n.*id, body.*--map text=body"):
        read_posts(path)
    with pytest.raises(FileError, match=r"no column 'content' \(--map\)\n.*id, body"):
        read_posts(path, ReadOptions(column_map={"text": "content"}))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_mapped_columns(tmp_path: Path, ending: str) -> None:
    """--map says which of their columns are ours."""
    rows = [{"key": "5", "created": "2025-01-02T03:04:05Z", "body": "#Мир", "views": "2K"}]
    options = ReadOptions(column_map=parse_column_map("text=body, date=created,message_id=key"), channel="C")
    (item,) = read_posts(_write(tmp_path, rows, ending), options).items
    assert isinstance(item, PostItem)
    expected = Post(
        channel="C",
        message_id="5",
        text="#Мир",
        date=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC),
        hashtags=("#Мир",),
        views=2000,
    )
    assert item.post == expected


@pytest.mark.parametrize("spec", ["text", "text=", "colour=body"])
def test_a_mapping_that_cannot_be_read(spec: str) -> None:
    """A wrong mapping says how to write one."""
    with pytest.raises(FileError, match="OURS=THEIRS"):
        parse_column_map(spec)


def test_a_column_that_occurs_twice(tmp_path: Path) -> None:
    """Two columns of the same name would leave it open which is meant."""
    with pytest.raises(FileError, match="occurs twice"):
        _items(tmp_path, "id,text,Text\n1,a,b\n")


def test_json_lines_that_are_wrong_are_refused(tmp_path: Path) -> None:
    """A line that is no JSON object, or whose text is no text, is refused; the others are kept."""
    lines = [
        '{"text": "a',
        '{"text": "b"}',
        "[1]",
        "",
        '{"text": 5}',
        '{"id": 1}',
        '{"text": null}',
        '{"text": "\\ud83d"}',
    ]
    items = _items(tmp_path, "\n".join(lines))
    assert [post.text for post in _posts(items)] == ["b", "\ufffd"]
    assert [position for position, _ in _refused(items)] == ["line 1", "line 3", "line 5", "line 6"]
    assert [item.position for item in items if isinstance(item, EmptyItem)] == ["line 7"]


def test_a_field_that_first_comes_late(tmp_path: Path) -> None:
    """A field that the first lines lack is read where it comes."""
    lines = [json.dumps({"text": str(number)}) for number in range(50)]
    items = _items(tmp_path, "\n".join([*lines, '{"text": "late", "views": 3}']))
    assert _posts(items)[-1].views == 3


def test_parquet_types(tmp_path: Path) -> None:
    """Times in nanoseconds, ids as floats and lists come as they are meant."""
    path = tmp_path / "posts.bin"
    table = pyarrow.table(
        {
            "text": pyarrow.array(["a", None]),
            "message_id": pyarrow.array([12.0, None]),
            "date": pyarrow.array([1_766_156_818_123_456_789, None], pyarrow.timestamp("ns", tz="UTC")),
            "links": pyarrow.array([["https://x.org"], None]),
        }
    )
    parquet.write_table(table, path)
    first, second = read_posts(path).items
    assert isinstance(first, PostItem)
    assert first.post.post_id == "posts/12"
    assert first.post.date == datetime(2025, 12, 19, 15, 6, 58, 123456, tzinfo=UTC)
    assert first.post.links == ("https://x.org",)
    assert isinstance(second, EmptyItem)


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    """A file that is cut off cannot be read, and says so."""
    with pytest.raises(FileError, match="damaged Parquet"):
        _items(tmp_path, b"PAR1" + b"\x00" * 50)


def test_the_channel_of_a_row(tmp_path: Path) -> None:
    """The option wins; then come the row's channel, the beginning of its post id, the name of the file."""
    content = "post_id,channel,text\nA/1,B,x\nA/2,,y\n3,,z\n"
    assert [post.post_id for post in _posts(_items(tmp_path, content))] == ["B/1", "A/2", "table/3"]
    items = _items(tmp_path, content, ReadOptions(channel="C"))
    assert [post.post_id for post in _posts(items)] == ["C/1"]
    assert [position for position, _ in _refused(items)] == ["line 3", "line 4"]


def test_a_date_that_cannot_be_read_refuses_the_row(tmp_path: Path) -> None:
    """A date is never guessed: the row is refused with the reason."""
    items = _items(tmp_path, "id,text,date\n1,a,03/04/2025\n2,b,\n3,c,2025-01-01 10:00\n")
    assert [(post.text, post.date) for post in _posts(items)] == [
        ("b", None),
        ("c", datetime(2025, 1, 1, 10, tzinfo=UTC)),
    ]
    assert "'03/04/2025' is no date" in _refused(items)[0][1]
    assert [item.notes for item in items if isinstance(item, PostItem)] == [
        (),
        ("a date without a time zone was read as UTC",),
    ]


def _write(tmp_path: Path, rows: list[dict[str, Any]], ending: str) -> Path:
    path = tmp_path / f"rows.{ending}"
    if ending == "csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path
