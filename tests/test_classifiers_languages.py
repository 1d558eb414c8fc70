"""Languages: which one a text is in, and by which its words are stemmed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.languages import identify, main_languages, stem, stemming_language

SAMPLES = {
    "en": "The river belongs to every village, and nobody may close it to the others.",
    "ru": "Эта река принадлежит всем деревням, и никто не вправе закрыть её для других.",
    "uk": "Ця річка належить усім селам, і ніхто не має права закривати її для інших.",
    "es": "El río pertenece a todas las aldeas y nadie puede cerrarlo a los demás.",
    "fr": "La rivière appartient à tous les villages et personne ne peut la fermer aux autres.",
    "ar": "النهر ملك لجميع القرى ولا يحق لأحد أن يغلقه في وجه الآخرين.",
    "zh": "这条河属于所有村庄，任何人都不得对他人关闭它。",
}


@pytest.mark.parametrize("language", SAMPLES)
def test_a_sentence_is_enough_to_tell_the_language(language: str) -> None:
    """Seven languages that a ministry may post in."""
    assert identify(SAMPLES[language]) == language
    assert identify(f"#Calverra @desk https://example.org/en {SAMPLES[language]}") == language


@pytest.mark.parametrize("text", ["", "🕊🕊", "12 345", "#BRICS", "https://example.org", "\ud800", "X"])
def test_where_nothing_tells_there_is_no_language(text: str) -> None:
    """Better none than any."""
    assert identify(text) is None


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_language_or_none(text: str) -> None:
    """No string is an error."""
    assert identify(text) is None or 2 <= len(str(identify(text))) <= 3


def test_main_languages_are_those_of_two_in_a_hundred_texts() -> None:
    """The most frequent first; a stray guess makes no language."""
    assert main_languages(["en"] * 60 + ["ru"] * 38 + ["fr"] + [None]) == ("en", "ru")
    assert main_languages([None]) == ()


@pytest.mark.parametrize(
    ("text", "identified", "languages", "expected"),
    [
        ("Nations", "fr", ("en", "fr"), "fr"),
        ("BRIEFING", None, ("en",), "en"),
        ("Nations", "nl", ("en", "fr"), "en"),
        ("Мир", None, ("en", "uk"), "uk"),
        ("Мир", None, ("en",), "ru"),
        ("世界", "zh", ("en",), "zh"),
        ("🕊", None, (), ""),
    ],
)
def test_words_are_stemmed_by_a_language_that_the_model_knows(
    text: str, identified: str | None, languages: tuple[str, ...], expected: str
) -> None:
    """A short text that is told wrongly goes by the main language of its script."""
    assert stemming_language(text, identified, languages) == expected


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "nations", "nation"),
        ("ru", "реками", "река"),
        ("uk", "україною", "україна"),
        ("es", "naciones", "nacion"),
        ("fr", "nationales", "national"),
        ("ar", "الدول", "دول"),
    ],
)
def test_forms_of_a_word_have_one_stem(language: str, one: str, other: str) -> None:
    """In every language that has forms."""
    assert stem(one, language) == stem(other, language)


def test_stems_are_the_same_from_many_threads() -> None:
    """The service stems from several at once."""
    words = [f"{root}ing" for root in ("act", "work", "play", "call", "talk")] * 200
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda word: stem(word, "en"), words)) == [word[:-3] for word in words]
