"""Changed texts: what is taken out, and what a model that leans on it loses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.records import Annotation
from classifiers.dataset import Dataset
from classifiers.outcomes import outcomes
from classifiers.robustness import answers, check, quoted, variants, without_boilerplate
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, invented_scorer, quick_options
from classifiers.training import train

CODEBOOK = invented_codebook()


def _data(*texts: str) -> Dataset:
    return Dataset.from_annotations(
        [Annotation(post_id=f"p/{n}", annotator="A", text=text, tags={}) for n, text in enumerate(texts)],
        CODEBOOK,
    )


def test_what_is_taken_out_becomes_spaces() -> None:
    """Every other character stays where it was."""
    text = '🎙 He called us «swindlers», “liars” and "fools" 🇺🇳 #OurRiver'
    changed = {name: texts[0] for name, texts in variants(_data(text)).items()}
    assert changed["no_emoji"] == text.replace("🎙", " ").replace("🇺🇳", "  ")
    assert changed["no_hashtags"] == text.replace("#OurRiver", " " * 9)
    assert " ".join(changed["no_quoted_words"].split()) == '🎙 He called us « », “ ” and " " 🇺🇳 #OurRiver'
    assert len(changed["no_quoted_words"]) == len(text)
    assert changed["upper_case"] == text.upper()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("„Lügner“, sagte er", ["Lügner"]),
        ("他说「谎言」。", ["谎言"]),
        ('It is 5" wide\nand 6" long', []),
        ("don't and can't", []),
        ("", []),
    ],
)
def test_quoted_words(text: str, expected: list[str]) -> None:
    """Of several languages; a lone mark and an apostrophe quote nothing, and a quotation ends with its line."""
    assert [span.quote(text) for span in quoted(text)] == expected


@given(st.text(alphabet='ab «»“”„"\n', max_size=60))
def test_quotations_lie_in_the_text_one_after_the_other(text: str) -> None:
    """Whatever the marks."""
    spans = quoted(text)
    assert all(span.fits(text) for span in spans)
    assert all(left.end <= right.start for left, right in pairwise(spans))


def test_a_channels_footer_is_masked() -> None:
    """It is found among the posts themselves."""
    posts = [f"{each.text}\nSubscribe: t.me/calverra" for each in invented_annotations(20, annotators=("A",))]
    masked = without_boilerplate(_data(*posts))
    assert not any("Subscribe" in text for text in masked)
    assert all(text[:20] == post[:20] for text, post in zip(masked, _data(*posts).texts, strict=True))


def test_a_model_that_reads_a_tag_off_a_hashtag_is_found_out() -> None:
    """Without the hashtag it loses nearly everything, and the check says how much."""
    plain = [
        replace(each, text=f"{each.text} #blaming" if "blame" in each.tags else each.text)
        for each in invented_annotations(90, annotators=("A",))
    ]
    told = []
    for each in plain:
        hidden = each.text
        for phrase in (
            "the coast council lies again",
            "those swindlers of the coast",
            "shameless tricks of the council",
        ):
            hidden = hidden.replace(phrase, "The talks in the capital lasted")
        told.append(replace(each, text=hidden, tags={"blame": ()} if "blame" in each.tags else {}))
    learnt, test = (Dataset.from_annotations(part, CODEBOOK) for part in (told[:60], told[60:]))
    scorer = Scorer(train(learnt, CODEBOOK, quick_options()).model, "x")
    texts = variants(test)
    found = check(outcomes(scorer, test), answers(scorer, texts), test, texts)
    drop = found["no_hashtags"].drops["micro_f1"]
    assert drop.drop > 0.5
    assert drop.low is not None
    assert drop.low > 0.2
    assert found["no_hashtags"].n_lost >= 5
    assert found["no_emoji"].drops["micro_f1"].drop == 0


def test_answers_on_unchanged_texts_are_the_models_own() -> None:
    """Decisions by the same thresholds, refused tags included."""
    scorer = invented_scorer()
    data = Dataset.from_annotations(invented_annotations(30, seed=3), CODEBOOK)
    said = outcomes(scorer, data)
    score, yes = answers(scorer, {"same": data.texts})["same"]
    assert score == pytest.approx(said.score)
    assert (yes == said.yes).all()
