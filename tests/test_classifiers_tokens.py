"""The tokeniser and the sentence splitter: offsets are exact, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.records import Span
from classifiers.tokens import is_word, normal_form, sentences, tokenise


@given(st.text())
def test_tokens_are_in_order_apart_and_inside_the_text(text: str) -> None:
    """Tokens are never empty and do not overlap, but for a hashtag's words, which lie in it."""
    end = start = 0
    for token in tokenise(text):
        assert start <= token.start < token.end <= len(text)
        assert token.form
        assert end <= token.start or token.end <= end
        start, end = token.start, max(end, token.end)


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
        ("Russia's DAY", ["russia's", "day"]),
        ("п'ять об’єктів", ["п'ять", "об'єктів"]),
        ("l'eau d’été DON'T -no-", ["l", "'", "eau", "d", "'", "été", "don't", "-", "no", "-"]),
        ("@mid 50%", ["@mid", "50", "%"]),
        ("“So-called” aid?! No.", ["“", "so-called", "”", "aid", "?!", "no", "."]),
        ("🇷🇺🇨🇳 👍🏽 ok", ["🇷🇺", "🇨🇳", "👍🏽", "ok"]),
        ("世界 多极化", ["世界", "界", "多极", "极化", "化"]),
        ("क्षत्रिय مُحَمَّد", ["क्षत्रिय", "محمد"]),
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#RiverPact", ["#riverpact", "river", "pact"]),
        ("#UN_Charter", ["#un_charter", "un", "charter"]),
        ("#UNCharter80", ["#uncharter80", "un", "charter", "80"]),
        ("#РекаМира", ["#рекамира", "река", "мира"]),
        ("#river", ["#river", "river"]),
        ("#世界", ["#世界", "世界", "界"]),
        ("@RiverPact", ["@riverpact"]),
    ],
)
def test_a_hashtag_is_followed_by_the_words_it_is_made_of(text: str, words: list[str]) -> None:
    """What is said in a hashtag is said."""
    assert [token.form for token in tokenise(text)] == words
    for token in tokenise(text)[1:]:
        assert normal_form(text[token.start : token.end])[0] == token.form[0]


def test_words_are_told_from_marks_and_emoji() -> None:
    """Windows of 40 words count words."""
    assert [is_word(token.form) for token in tokenise("Aid, #now 🕊 5 世!")] == [
        *(True, False, True, True, False, True, True, False),
    ]


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
        ("هل تعلم؟ نعم. لا!", ["هل تعلم؟", "نعم.", "لا!"]),
        ("यह नदी है। वह भी।", ["यह नदी है।", "वह भी।"]),
        ("Одна р. Две!  Три… четыре", ["Одна р. Две!", "Три… четыре"]),
        ("Річка, 5 тис. сіл. Так?", ["Річка, 5 тис. сіл.", "Так?"]),
        ("Aid came.\n🕊🕊\nIt helped", ["Aid came.\n🕊🕊", "It helped"]),
        (" \n ", []),
    ],
)
def test_sentence_boundaries(text: str, expected: list[str]) -> None:
    """Sentences end at marks, line breaks and bullets, not after abbreviations."""
    assert [span.quote(text) for span in sentences(text)] == expected
