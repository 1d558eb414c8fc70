"""Texts are cleaned as little as possible, and always the same."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.cleaning import APP_LINES, clean, offset_map, storable
from annotations.records import Span

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


_PIECES = st.sampled_from(
    [
        "VIEW IN TELEGRAM",
        " Media is too big ",
        "\r\n",
        "\r",
        "\n",
        "\r\n\r\n",
        "peace",
        " ",
        "\u00a0",
        "\u200b",
        "\ufeff",
        "e\u0301",
        "\u0438\u0306",
        "👩🏽\u200d🚀",
        "🇺🇳",
        "7\ufe0f\u20e3",
        "\ud83d",
        "\ude00",
        "\x00",
        "\x1c",
        "\x85",
        "\u2028",
    ]
)
_RAW = _ANY_TEXT | st.lists(_PIECES, max_size=12).map("".join)


@given(_RAW)
def test_the_map_of_offsets_is_of_the_clean_text(raw: str) -> None:
    """What the map calls the clean text is what cleaning gives, and every character has its place, in order."""
    found = offset_map(raw)
    assert found.text == clean(raw)
    assert len(found.starts) == len(found.text)
    assert list(found.starts) == sorted(set(found.starts))
    for char, at in zip(found.text, found.starts, strict=True):
        assert char == storable(raw[at]).replace("\r", "\n")


@given(_RAW, st.data())
def test_every_span_of_the_clean_text_is_found_in_the_text_as_received(raw: str, data: st.DataObject) -> None:
    """The range in the raw text cleans to the quote: nothing but app lines and line endings lies between."""
    found = offset_map(raw)
    if not found.text:
        return
    start = data.draw(st.integers(0, len(found.text) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(found.text))))
    there = found.to_raw(span)
    assert there.fits(raw)
    received = storable(there.quote(raw)).replace("\r\n", "\n").replace("\r", "\n")
    rest = iter(received)
    assert all(char in rest for char in span.quote(found.text))
    if not any(line in raw for line in APP_LINES):
        assert received == span.quote(found.text)


@pytest.mark.parametrize(
    ("raw", "quote", "expected"),
    [
        (" \r\n a\r\nb", "a\nb", "a\r\nb"),
        ("a\r\nb", "\n", "\r\n"),
        ("a\nVIEW IN TELEGRAM\nb", "a\nb", "a\nVIEW IN TELEGRAM\nb"),
        ("VIEW IN TELEGRAM\r\nb", "b", "b"),
        ("\u00a0 👩🏽\u200d🚀 peace \ud83d", "👩🏽\u200d🚀 peace \ufffd", "👩🏽\u200d🚀 peace \ud83d"),
    ],
)
def test_where_a_quote_stands_in_the_text_as_received(raw: str, quote: str, expected: str) -> None:
    """Windows line endings, app lines, no-break spaces, emoji sequences and lone surrogates keep their places."""
    found = offset_map(raw)
    start = found.text.index(quote)
    assert found.to_raw(Span(start, start + len(quote))).quote(raw) == expected


def test_a_span_outside_the_text_has_no_place() -> None:
    """An empty span and one beyond the end are refused."""
    for span in (Span(0, 0), Span(0, 2), Span(-1, 1)):
        with pytest.raises(ValueError, match="does not lie inside"):
            offset_map("a").to_raw(span)
