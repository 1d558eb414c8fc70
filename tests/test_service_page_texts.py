"""Tests of service.page_texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.page_texts import excerpt, language_code, language_name, unseen, writable

ANY = st.text(st.characters(exclude_categories=()), max_size=60)


@given(text=ANY)
def test_any_text_can_be_written_and_keeps_its_offsets(text: str) -> None:
    """Half of a surrogate pair and NUL become replacement characters, one for one."""
    found = writable(text)
    assert len(found) == len(text)
    assert "\x00" not in found
    found.encode()


@given(text=ANY, length=st.integers(5, 40))
def test_an_excerpt_is_one_short_line(text: str, length: int) -> None:
    """Whatever the text, its excerpt is the beginning, in one line."""
    found = excerpt(text, length)
    assert len(found) <= length + 2
    assert "\n" not in found
    assert " ".join(writable(text).split()).startswith(found.removesuffix(" …"))


def test_an_excerpt_ends_with_a_word() -> None:
    """It is cut between words where there are any, and says that it is."""
    assert excerpt("one two three four", 12) == "one two …"
    assert excerpt("x" * 30, 12) == "x" * 12 + " …"
    assert excerpt("one\n two") == "one two"


def test_what_cannot_be_seen_is_named() -> None:
    """Direction marks and controls are counted; line ends, joiners of emoji and letters are not."""
    assert unseen("a\u202eb\u202e\u200b\x07 👨\u200d👩 מ\n\t") == [
        ("right-to-left override (U+202E)", 2),
        ("zero width space (U+200B)", 1),
        ("control character (U+0007)", 1),
    ]


def test_languages() -> None:
    """Codes are named; one that is none cannot get into an attribute."""
    assert [language_name(code) for code in ("ru", "uk", "qqq")] == ["Russian", "Ukrainian", "qqq"]
    assert [language_code(code) for code in ("ru", "xxx", "en-GB", '"x', "", None)] == [
        "ru", "xxx", None, None, None, None,
    ]  # fmt: skip
