"""Looking for what is left of an erased post in files."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import pytest

from annotations.traces import find_traces

TEXT = 'Short line.\nThe "harbour" of Маравент & its 🚢 ferry were sold\\bought on Monday.\nEnd.'


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        json.dumps({"text": TEXT}),
        json.dumps({"text": TEXT}, ensure_ascii=False),
        escape(TEXT),
        'a,"' + TEXT.replace('"', '""') + '",b',
        "x" * (4 << 20) + TEXT,
        "x" * ((4 << 20) - 60) + TEXT,
    ],
    ids=["plain", "json", "json unescaped", "html", "csv", "far", "across two reads"],
)
def test_a_text_is_found_as_files_write_it(tmp_path: Path, content: str) -> None:
    """Plain, escaped, quoted, and wherever in the file."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text(content, encoding="utf-8")
    (tmp_path / "other").write_text("Nothing of it.", encoding="utf-8")
    assert find_traces(tmp_path, [TEXT], ["C/1"]).holding == (tmp_path / "deep" / "file",)


def test_a_file_that_names_the_post_is_found(tmp_path: Path) -> None:
    """Its id and not the begin of another one; compressed files are named, as nobody looked into them."""
    (tmp_path / "tags.csv").write_text("C/1,yes\n")
    (tmp_path / "others.csv").write_text("C/12,yes\nABC/1,no\nC/1/2\n")
    (tmp_path / "tags.parquet").write_bytes(b"C/1")
    found = find_traces(tmp_path, [TEXT], ["C/1"])
    assert (found.holding, found.naming) == ((), (tmp_path / "tags.csv",))
    assert found.packed == (tmp_path / "tags.parquet",)


def test_a_text_too_short_to_be_telling_is_not_looked_for(tmp_path: Path) -> None:
    """Three letters are in every file."""
    (tmp_path / "file").write_text("Yes, of course. Yes!")
    assert find_traces(tmp_path, ["Yes"], []).holding == ()
