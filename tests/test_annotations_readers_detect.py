"""Files are told by their content; what cannot be read says why, and what can."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotations.errors import FileError
from annotations.readers import FORMATS, read_posts


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"\x1f\x8b\x08\x00\x00\x00", "binary file of no known format"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary file of no known format"),
        (b"<html><body>Forwarded</body></html>", "no known format"),
        (b'{"a": 1,\n "b": [1]}', "no known format"),
        (b'[{"text": "a"}]', "no known format"),
        ("Привет всем, это текст".encode("koi8-r"), "of no known format"),
    ],
)
def test_files_that_are_not_read(tmp_path: Path, content: bytes, problem: str) -> None:
    """Empty, binary, foreign: the error says which, and names the formats."""
    path = tmp_path / "posts.csv"
    path.write_bytes(content)
    with pytest.raises(FileError, match=problem) as error:
        read_posts(path)
    assert str(path) in str(error.value)
    if "format" in problem:
        assert all(kind.description in str(error.value) for kind in FORMATS)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    """A folder and a missing file are told as such."""
    with pytest.raises(FileError, match="is a folder"):
        read_posts(tmp_path)
    with pytest.raises(FileError, match="No such file"):
        read_posts(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"name": "X", "messages": []}', "telegram-desktop"),
        ('{"contacts": {}, "chats": {"list": []}}', "telegram-desktop"),
        ('{"text": "a"}\n', "jsonl"),
        ("text\nhello\n", "csv"),
        ("id;text\n1;a\n", "csv"),
        ('id,text\n1,"Forwarded from X\nForwarded from Y"\n', "csv"),
        ("Forwarded from X, Y\nid, text\n", "text-dump"),
        ("VIEW IN TELEGRAM\nA post\n", "text-dump"),
    ],
)
def test_the_suffix_does_not_matter(tmp_path: Path, content: str, expected: str) -> None:
    """The content alone decides."""
    path = tmp_path / "posts.parquet"
    path.write_text(content, encoding="utf-8")
    assert read_posts(path).format == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever the file, it is read to its end or refused with a FileError."""
    path = tmp_path / "any"
    path.write_bytes(content)
    with suppress(FileError):
        list(read_posts(path).items)
