"""The tokeniser and the sentence splitter: offsets are exact, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.records import Span
from classifiers.tokens import normal_form, sentences, tokenise


@given(st.text())
def test_tokens_are_in_order_apart_and_inside_the_text(text: str) -> None:
    """Tokens never overlap and are never empty, whatever the text."""
    end = 0
    for token in tokenise(text):
        assert end <= token.start < token.end <= len(text)
        assert token.form
        end = token.end


@given(st.text(alphabet=st.characters(), max_size=200) | st.text(alphabet="aБ.!?…。 \n•\u0301#世'🇫🇷"))
def test_sentences_cover_everything_but_white_space(text: str) -> None:
    """What lies outside the sentences is white space, and sentences do not overlap."""
    end = 0
    for span in sentences(text):
        assert not text[end : span.start].strip()
        assert span.fits(text)
        assert span.quote(text) == span.quote(text).strip()
        end = span.end
    assert not text[end:].strip()


@given(st.text(alphabet="aБ.!?…。 \n•\u0301#世'https://x/🇫🇷"))
def test_no_sentence_boundary_parts_a_token(text: str) -> None:
    """Every token lies in exactly one sentence."""
    spans = sentences(text)
    for token in tokenise(text):
        assert sum(span.start <= token.start and token.end <= span.end for span in spans) == 1


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("Russia's DAY", ["russia", "s", "day"]),
        ("п'ять об’єктів", ["п'ять", "об'єктів"]),
        ("#UN_Charter @mid 50%", ["#un_charter", "@mid", "50"]),
        ("🇷🇺🇨🇳 👍🏽 ok", ["🇷🇺", "🇨🇳", "👍🏽", "ok"]),
        ("世界 多极化", ["世", "界", "多", "极", "化"]),
        ("क्षत्रिय مُحَمَّد", ["क्षत्रिय", "مُحَمَّد"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("see https://Example.org/a?b=c, ok", ["see", "https://example.org", "ok"]),
        ("Http://Example.org/A", ["https://example.org"]),
        ("so\u00adft ﬁne", ["soft", "fine"]),
        ("", []),
        ("\ud800 \x00 \u200b", []),
    ],
)
def test_forms_of_tokens(text: str, forms: list[str]) -> None:
    """Words, hashtags, addresses, emoji and characters of unspaced scripts become one token each."""
    assert [token.form for token in tokenise(text)] == forms


def test_a_word_without_end_has_a_bounded_form() -> None:
    """A token of any length has a form of 64 characters at most, and keeps its offsets."""
    (token,) = tokenise("a" * 100_000)
    assert (token.start, token.end, len(token.form)) == (0, 100_000, 64)
    assert len(normal_form("ﷺ" * 100)) == 64


@pytest.mark.parametrize("run", ["." * 300_000 + "x", "!?" * 150_000 + "x", "." + "'" * 300_000 + "x"])
def test_a_run_of_marks_without_end_is_no_burden(run: str) -> None:
    """Marks that end no sentence are looked at once, not once from each of them."""
    assert sentences(run) == [Span(0, len(run))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Low met Dr. High. They spoke!", ["Mr. Low met Dr. High.", "They spoke!"]),
        ("The U.S. side left. J. Doe stayed.", ["The U.S. side left.", "J. Doe stayed."]),
        ("В 2024 г. Россия и т.д. росла. Да?", ["В 2024 г. Россия и т.д. росла.", "Да?"]),
        ("Rose by 3.5% . Then fell…  then rose", ["Rose by 3.5% .", "Then fell…  then rose"]),
        ("世界。你好！好", ["世界。", "你好！", "好"]),
        ("Points: • one • two\nthree", ["Points:", "• one", "• two", "three"]),
        ("He said “No.” We left.", ["He said “No.”", "We left."]),
        (" \n ", []),
    ],
)
def test_sentence_boundaries(text: str, expected: list[str]) -> None:
    """Sentences end at marks, line breaks and bullets, not after abbreviations."""
    assert [span.quote(text) for span in sentences(text)] == expected
