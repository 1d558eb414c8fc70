"""annotations.suggesting: suggestions from a codebook's cues."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from annotations.codebook import Codebook, Family, Tag
from annotations.records import Span
from annotations.studio.tasks import Suggestion, prediction_of
from annotations.suggesting import CueSuggester

CODEBOOK = Codebook(
    version="1",
    title="Cues",
    families=(Family(id="claims", title="Claims"),),
    tags=(
        Tag(
            id="poles",
            title="Many poles",
            family="claims",
            definition=".",
            cues=("multipolar*", "many poles"),
        ),
        Tag(id="law", title="Law", family="claims", definition=".", cues=("международн* прав*",)),
        Tag(id="silent", title="Silent", family="claims", definition="."),
        Tag(id="old", title="Old", family="claims", definition=".", cues=("old",), replaced_by="poles"),
    ),
)


def test_tags_are_suggested_with_the_words_that_speak_for_them() -> None:
    """Spans are code points of the text, emoji and combining marks before them or not."""
    text = "🇷🇺 e\u0301 A MULTIPOLAR world, old and new: международное право, many  poles."
    found = CueSuggester(CODEBOOK).suggest(text)
    assert {tag: [span.quote(text) for span in spans] for tag, spans in found.items()} == {
        "poles": ["MULTIPOLAR", "many  poles"],
        "law": ["международное право"],
    }


def test_a_word_in_every_line_is_marked_five_times() -> None:
    """More marks of one tag would only hide the text."""
    assert len(CueSuggester(CODEBOOK).suggest("multipolar\n" * 50)["poles"]) == 5


def test_the_version_changes_with_the_codebook() -> None:
    """A version names the codebook, so that a changed cue is another version."""
    suggester = CueSuggester(CODEBOOK)
    assert suggester.version == f"cues-{CODEBOOK.digest[:8]}"
    changed = replace(CODEBOOK.tags[0], cues=("other",))
    other = replace(CODEBOOK, tags=(changed, *CODEBOOK.tags[1:]))
    assert CueSuggester(other).version != suggester.version


def test_no_cue_is_no_suggestion_but_a_model_may_say_that_none_applies() -> None:
    """The absence of a phrase is not a judgement; that of a model's tags is."""

    def result(*, is_judged: bool) -> list[object]:
        empty = Suggestion(
            post_id="a/1", revision="r", text="x", tags={}, confidence=0.0, is_judged=is_judged
        )
        found: list[object] = prediction_of(empty, 1, "v", CODEBOOK)["result"]
        return found

    assert result(is_judged=False) == []
    assert len(result(is_judged=True)) == 1


@given(st.text())
def test_every_span_fits_its_text(text: str) -> None:
    """Whatever the text: no span is empty or outside."""
    found = CueSuggester(CODEBOOK).suggest(text)
    assert all(isinstance(span, Span) and span.fits(text) for spans in found.values() for span in spans)
