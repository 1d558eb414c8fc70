"""Texts are cleaned as little as possible, and always the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.cleaning import clean, storable

_ANY_TEXT = st.text(st.characters(exclude_categories=()))
_LINES = st.lists(
    st.sampled_from(
        ["VIEW IN TELEGRAM", " Media is too big ", "a", " ", "", "\x00", "\ud83d", "\u2028", "\x85"]
    )
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("  \n a \n\n", "a"),
        ("a\nPlease open Telegram to view this post\nVIEW IN TELEGRAM\nb", "a\nb"),
        ("VIEW IN TELEGRAM", ""),
        ("We say: VIEW IN TELEGRAM", "We say: VIEW IN TELEGRAM"),
        ("a\x00b\ud83dc\udc00", "a\ufffdb\ufffdc\ufffd"),
        ("@un  #UN https://un.org 👨‍👩‍👧 \n \n x", "@un  #UN https://un.org 👨‍👩‍👧 \n \n x"),
    ],
)
def test_what_cleaning_does(raw: str, expected: str) -> None:
    """Line endings, outer whitespace, app lines and unstorable characters are all that changes."""
    assert clean(raw) == expected


@given(_ANY_TEXT | st.builds("\n".join, _LINES) | st.builds("\r".join, _LINES))
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    """A clean text stays as it is, and can be stored."""
    once = clean(raw)
    assert clean(once) == once
    assert once.encode("utf-8").decode("utf-8") == once
    assert "\x00" not in once


@given(_ANY_TEXT)
def test_no_offset_moves_when_characters_are_replaced(raw: str) -> None:
    """What cannot be stored is replaced one for one, the rest stays in place."""
    found = storable(raw)
    assert len(found) == len(raw)
    assert all(new in (old, "\ufffd") for old, new in zip(raw, found, strict=True))


def test_real_posts_are_clean_already(shared_data: Path) -> None:
    """Cleaning is the identity on the 245 texts of a real channel."""
    with (shared_data / "mfa" / "posts.csv").open(encoding="utf-8", newline="") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    assert len(texts) == 245
    assert [clean(text) for text in texts] == texts
