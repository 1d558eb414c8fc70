"""The scorer: decisions by rule, evidence by place, and any text at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.records import Span
from classifiers.dataset import Dataset
from classifiers.evidence import token_parts, token_shares
from classifiers.predictions import DECISIONS, Decision
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, invented_scorer, quick_options
from classifiers.thresholds import ThresholdOptions
from classifiers.tokens import is_word, tokenise
from classifiers.training import train

CODEBOOK = invented_codebook()
TEXT = "🕊 The minister met the traders. The coast council lies again! Read more."


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return a scorer trained on the invented corpus."""
    return invented_scorer()


def test_a_post_gets_a_decision_for_every_tag_in_the_codebooks_order(scorer: Scorer) -> None:
    """What is predicted has a score and a threshold; what is refused says why."""
    (prediction,) = scorer.predict([TEXT])
    assert [tag.tag_id for tag in prediction.tags] == list(CODEBOOK.tag_ids)
    found = {tag.tag_id: tag for tag in prediction.tags}
    assert found["blame"].decision is Decision.YES
    assert found["blame"].score is not None
    assert found["blame"].threshold is not None
    assert found["blame"].score >= found["blame"].threshold
    assert (found["rare"].decision, found["rare"].score) == (Decision.ABSTAIN, None)
    assert "too few" in found["rare"].reason


def test_evidence_is_the_passage_that_was_learnt_at_its_place(scorer: Scorer) -> None:
    """Offsets count code points of the text as given."""
    (prediction,) = scorer.predict([TEXT], explain=True)
    evidence = next(tag for tag in prediction.tags if tag.tag_id == "blame").evidence
    assert "coast council lies again" in evidence[0].text
    assert TEXT[evidence[0].start : evidence[0].end] == evidence[0].text
    assert evidence[0].weight > 0
    assert all(not tag.evidence for tag in scorer.predict([TEXT])[0].tags)


def test_the_language_of_a_text_is_said(scorer: Scorer) -> None:
    """None where nothing tells it."""
    assert [each.lang for each in scorer.predict([TEXT, "🕊", "Все реки принадлежат всем деревням."])] == [
        *("en", None, "ru"),
    ]


def test_tables_hold_what_predictions_say(scorer: Scorer) -> None:
    """Scores, decisions and languages, post by post and tag by tag."""
    texts = [TEXT, "", "🕊", "Все реки принадлежат всем деревням."]
    judged = scorer.judge(texts)
    for row, prediction in enumerate(scorer.predict(texts)):
        assert judged.languages[row] == prediction.lang
        assert [DECISIONS[n] for n in judged.decisions[row]] == [tag.decision for tag in prediction.tags]
        scores = [None if np.isnan(score) else score for score in judged.scores[row]]
        assert scores == [tag.score for tag in prediction.tags]
    assert scorer.judge([]).scores.shape == (0, len(CODEBOOK.tags))


def test_only_the_tags_asked_for_are_answered(scorer: Scorer) -> None:
    """The order stays that of the codebook; an unknown tag is an error."""
    (prediction,) = scorer.predict([TEXT], tags=["blame", "shared-water"])
    assert [tag.tag_id for tag in prediction.tags] == ["shared-water", "blame"]
    with pytest.raises(KeyError):
        scorer.predict([TEXT], tags=["no-such-tag"])


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "x",
        " ".join(["the coast council lies again"] * 30),
        "Heroes of the league. the coast council lies again!\n" + "word " * 60 + "fair rights to the river",
    ],
)
def test_the_parts_of_tokens_add_up_to_the_strength_of_their_sentence(scorer: Scorer, text: str) -> None:
    """The best 40 words of a long sentence are chosen by what they add to it."""
    linear = scorer._model.linear
    (scored,) = linear.scored(["Questions of transport.", text])
    found = scored.sentences()
    nothing = sum(
        scale * view.bias for view, scale in zip(linear.views, linear.combination.evidence_scale, strict=True)
    )
    first, last = found.text_firsts[1:].tolist()
    assert (first, last > first) == (1, True)
    for sentence in range(first, last):
        shares = token_shares(linear, found, sentence)
        added = [
            token_parts(linear, found, (sentence, tag), shares).sum() for tag in range(len(linear.tag_ids))
        ]
        expected = found.strengths[sentence] - linear.combination.evidence_offset - nothing
        assert added == pytest.approx(expected, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(), max_size=120) | st.text("the coast lies. \n🕊é", max_size=200), max_size=4
    )
)
def test_any_text_is_tagged_with_exact_offsets(scorer: Scorer, texts: list[str]) -> None:
    """Lone surrogates, control characters, nothing at all: a text is a text, alone or in a batch."""
    for text, prediction in zip(texts, scorer.predict(texts, explain=True), strict=True):
        for tag in prediction.tags:
            assert tag.score is None or 0 <= tag.score <= 1
            for each in tag.evidence:
                assert 0 <= each.start < each.end <= len(text)
                assert text[each.start : each.end] == each.text
                assert sum(token.form[0].isalnum() for token in tokenise(each.text)) <= 40
    alone = [scorer.predict([text])[0] for text in texts]
    for one, many in zip(alone, scorer.predict(texts), strict=True):
        scores = [(tag.score or 0.0) for tag in one.tags]
        assert scores == pytest.approx([(tag.score or 0.0) for tag in many.tags], abs=1e-6)


def test_evidence_of_a_long_sentence_is_its_best_forty_words(scorer: Scorer) -> None:
    """A passage can be read at a glance."""
    text = " ".join(["word"] * 100 + ["the coast council lies again"] + ["word"] * 100)
    evidence = scorer.passages(text, ["blame"])["blame"]
    assert "coast council lies" in evidence[0].text
    assert len(evidence[0].text.split()) == 40


def test_evidence_is_given_for_what_is_not_decided_no(scorer: Scorer) -> None:
    """Yes and the abstain band are explained; no and refused tags are not."""
    options = quick_options(thresholds=ThresholdOptions(abstain_margin=1.0))
    unsure = Scorer(
        train(Dataset.from_annotations(invented_annotations(60), CODEBOOK), CODEBOOK, options).model, "x"
    )
    for judge in (scorer, unsure):
        for tag in judge.predict([TEXT], explain=True)[0].tags:
            assert bool(tag.evidence) <= (tag.score is not None and tag.decision is not Decision.NO)
    found = {tag.tag_id: tag for tag in unsure.predict([TEXT], explain=True)[0].tags}
    assert found["blame"].decision is Decision.ABSTAIN
    assert found["blame"].evidence


def test_explaining_changes_nothing_but_the_evidence(scorer: Scorer) -> None:
    """Scores and decisions are the same with and without it, and the passages those asked for by name."""
    texts = [TEXT, "", "fair rights to the river", TEXT * 30]
    plain, explained = scorer.predict(texts), scorer.predict(texts, explain=True)
    for text, one, other in zip(texts, plain, explained, strict=True):
        for tag, same in zip(one.tags, other.tags, strict=True):
            assert (tag.score, tag.decision, tag.evidence) == (same.score, same.decision, ())
            if same.evidence:
                (alone,) = scorer.passages(text, [tag.tag_id]).values()
                assert [Span(e.start, e.end) for e in alone] == [Span(e.start, e.end) for e in same.evidence]
    assert scorer.passages(TEXT, ["rare"]) == {}


def test_at_most_three_passages_the_strongest_first(scorer: Scorer) -> None:
    """Of equal passages the earlier comes first; beyond the first none is below average."""
    text = "\n".join(["The coast council lies again"] * 5)
    evidence = scorer.passages(text, ["blame"])["blame"]
    assert [each.start for each in evidence] == [0, 58]
    assert evidence[0].text == text[:57]
    assert all(each.weight > 0 for each in evidence)


def test_the_strongest_passage_takes_in_what_stands_beside_it_and_speaks_for_the_tag(scorer: Scorer) -> None:
    """Up to 40 words in all, whole words only; what speaks against it stays out."""
    swindlers = "Those swindlers of the coast"
    (apart,) = scorer.passages(f"Read the full text.\n{swindlers}", ["blame"])["blame"]
    assert apart.text == swindlers
    text = f"The coast council lies again and {'again ' * 33}!\n{swindlers}"
    first, *_ = scorer.passages(text, ["blame"])["blame"]
    assert sum(is_word(token.form) for token in tokenise(first.text)) == 40
    assert swindlers.split(maxsplit=1)[0] in first.text


def test_probabilities_are_the_scores_with_nan_for_refused_tags(scorer: Scorer) -> None:
    """The table for whoever counts has a column for every tag of the codebook."""
    found = scorer.probabilities([TEXT, ""])
    expected = [[np.nan if t.score is None else t.score for t in p.tags] for p in scorer.predict([TEXT, ""])]
    assert found == pytest.approx(np.array(expected), nan_ok=True)
    assert scorer.predict([]) == []


def test_a_text_of_fifty_thousand_lines_is_explained(scorer: Scorer) -> None:
    """No text makes the evidence grow faster than the text."""
    text = "a\n" * 50_000 + "the coast council lies again"
    (prediction,) = scorer.predict([text], explain=True)
    evidence = scorer.passages(text, ["blame"])["blame"]
    assert len(prediction.tags) == len(CODEBOOK.tag_ids)
    assert evidence[0].text == "the coast council lies again"
