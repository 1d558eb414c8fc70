"""Damaged and odd files: what the fuzzer of ``make soak`` found, and files cut at any byte."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from annotations.errors import FileError
from annotations.readers import Item, PostItem, RefusedItem, read_posts
from soak.seeds import DEEP, seeds

FORMATS = (
    "telegram-desktop", "telegram-desktop-html", "telegram-web", "telegram-api-list", "telegram-api-lines", "jsonl",
    "csv", "text-dump",
)  # fmt: skip


def _items(path: Path, data: bytes) -> list[Item]:
    path.write_bytes(data)
    return list(read_posts(path).items)


def test_deep_nesting_on_the_first_line_is_no_crash(tmp_path: Path) -> None:
    """The line is refused, the next one is read."""
    data = b'{"_": 1, "id": 1, "text": ' + b"[" * DEEP + b'\n{"text": "x"}\n'
    first, second = _items(tmp_path / "a", data)
    assert isinstance(first, RefusedItem)
    assert isinstance(second, PostItem)


@pytest.mark.parametrize("date", ["NaN", "Infinity", "-1e400"])
def test_a_date_that_is_no_number_is_no_crash(tmp_path: Path, date: str) -> None:
    """JSON of Python programs can hold NaN; there is one outcome for the message."""
    assert len(_items(tmp_path / "a", b'[{"id": 1, "message": "x", "date": %s}]' % date.encode())) == 1


def test_a_column_name_of_wrong_bytes_is_a_damaged_parquet_file(tmp_path: Path) -> None:
    """It is refused by name."""
    target = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["a"], "channel": ["b"]}), target, store_schema=False)
    with pytest.raises(FileError, match="damaged Parquet"):
        _items(tmp_path / "a", target.getvalue().replace(b"channel", b"\xffhannel"))


@pytest.mark.parametrize("time", ["02.01.2026 03:04:05 UTC+99:99", "01.01.0001 00:00:00 UTC+14:00"])
def test_a_zone_that_no_place_has_costs_the_date_alone(tmp_path: Path, time: str) -> None:
    """The text of the message is kept."""
    page = seeds("telegram-desktop-html")[1].replace(b"02.01.2026 03:04:05", time.encode())
    texts = [item.post for item in _items(tmp_path / "a", page) if isinstance(item, PostItem)]
    assert [post.date for post in texts] == [None, None]


@pytest.mark.parametrize("encoding", ["koi8-r", "shift_jis", "utf-16"])
def test_pages_in_encodings_that_are_written_with_underscores(tmp_path: Path, encoding: str) -> None:
    """The parser of pages knows them by other names; in UTF-16 the end of the page is found too."""
    text = "Вода должна принадлежать всем деревням, заявил посланник, и никто не спорил." * 20
    page = seeds("telegram-desktop-html")[0].decode().replace("🔥", "x").replace("two", text)
    items = _items(tmp_path / "a", page.encode(encoding))
    assert [type(item).__name__ for item in items] == ["ServiceItem", "PostItem", "PostItem"]


@pytest.mark.parametrize("name", ["telegram-desktop-html", "telegram-web"])
def test_messages_of_one_name_have_places_of_their_own(tmp_path: Path, name: str) -> None:
    """Pages glued together repeat names; a refusal of each is found again by its place."""
    data = seeds(name)[0]
    positions = [
        item.position for item in _items(tmp_path / "a", data.replace(b"</body></html>", b"") + data)
    ]
    assert len(set(positions)) == len(positions) == 2 * len(_items(tmp_path / "b", data))


def test_lists_of_one_name_have_places_of_their_own(tmp_path: Path) -> None:
    """JSON may say `messages` twice in one object; both lists are read."""
    data = b'{"name": "x", "messages": [{"id": 1}, {"id": 2}], "messages": [{"id": 3}]}'
    positions = [item.position for item in _items(tmp_path / "a", data)]
    assert positions == ["messages[0]", "messages[1]", "messages[2]"]


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_file_keeps_what_is_whole(tmp_path: Path, name: str) -> None:
    """Cut at any byte: the messages before the cut are those of the whole file, and the cut is said."""
    data = seeds(name)[0]
    whole = {item.position: item for item in _items(tmp_path / "whole", data)}
    chance = random.Random(name)
    for place in sorted(chance.sample(range(len(data) // 3, len(data) - 1), 60)):
        try:
            items = _items(tmp_path / "cut", data[:place])
        except FileError:
            continue  # too little is left to tell what it is
        same = [item for item in items if whole.get(item.position) == item]
        others = [item for item in items if whole.get(item.position) != item]
        assert len(others) <= 2, (place, others)
        assert len(same) >= _n_whole(name, data[:place])
        if name not in ("csv", "text-dump") and not data[:place].rstrip().endswith((b"}", b"</html>")):
            assert any(isinstance(item, RefusedItem) for item in others), (place, items)


def test_half_a_parquet_file_is_refused_by_name(tmp_path: Path) -> None:
    """Its table of contents stands at its end: without it nothing can be read, and that is said."""
    data = seeds("parquet")[0]
    for place in (8, len(data) // 2, len(data) - 1):
        with pytest.raises(FileError, match="damaged Parquet file") as caught:
            _items(tmp_path / "cut", data[:place])
        assert caught.value.hint


def _n_whole(name: str, data: bytes) -> int:
    """Return how many messages certainly stand before the cut."""
    if name in ("telegram-api-lines", "jsonl"):
        return data.count(b"\n")
    if name in ("telegram-desktop", "telegram-api-list"):
        for end in range(len(data), 0, -1):
            if data[end - 1 : end] == b"}":
                for closing in (b"]}", b"]"):
                    try:
                        document = json.loads(data[:end] + closing)
                    except ValueError:
                        continue
                    return len(document["messages"] if isinstance(document, dict) else document)
    return 0
