"""The scorer: decisions by rule, evidence by place, and any text at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from annotations.errors import FileError
from annotations.records import Span
from classifiers import metrics
from classifiers.dataset import Dataset
from classifiers.evaluation import evaluate
from classifiers.predictions import Decision
from classifiers.scorer import Scorer
from classifiers.tagging import tag_file
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.thresholds import ThresholdOptions, choose_threshold, fit_rules
from classifiers.training import train

CODEBOOK = invented_codebook()
TEXT = "🕊 The minister met the traders. The coast council lies again! Read more."


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return a scorer trained on the invented corpus."""
    data = Dataset.from_annotations(invented_annotations(80), CODEBOOK)
    return Scorer(train(data, CODEBOOK, quick_options()).model, "0123456789ab")


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


def test_only_the_tags_asked_for_are_answered(scorer: Scorer) -> None:
    """The order stays that of the codebook; an unknown tag is an error."""
    (prediction,) = scorer.predict([TEXT], tags=["blame", "shared-water"])
    assert [tag.tag_id for tag in prediction.tags] == ["shared-water", "blame"]
    with pytest.raises(KeyError):
        scorer.predict([TEXT], tags=["no-such-tag"])


def test_token_contributions_add_up_to_the_score(scorer: Scorer) -> None:
    """Evidence is exact: the parts and the base are the whole."""
    linear = scorer._model.linear
    for text in (
        TEXT,
        "the river belongs to every village",
        "x",
        " ".join(["the coast council lies again"] * 30),
    ):
        split = linear.contributions(text)
        assert split.added.sum(axis=0) + split.base == pytest.approx(linear.scores([text])[0], abs=1e-4)


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
                assert len(each.text.split()) <= 41
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


def test_calibration_never_turns_the_order_of_scores_around() -> None:
    """A higher score is a higher probability, even where the labels say the opposite."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(80, 1))
    labels = (scores[:, [0]] < 0).astype(float)
    (rule,) = fit_rules(("a",), scores, labels, ThresholdOptions())
    assert np.all(np.diff(rule.calibrated(np.linspace(-5, 5, 50))) >= 0)


@pytest.mark.parametrize("n_positive", [5, 8, 40, 120, 160])
def test_a_threshold_never_says_yes_to_nearly_everything(n_positive: int) -> None:
    """Scores that tell nothing do not end as always-yes, whether the tag is rare or frequent."""
    rng = np.random.default_rng(1)
    shares = np.zeros(200)
    shares[:n_positive] = 1
    probabilities = np.clip(n_positive / 200 + rng.normal(scale=0.02, size=200), 0.001, 0.999)
    yes = probabilities >= choose_threshold(probabilities, shares)
    assert yes.mean() <= (1 + n_positive / 200) / 2


def test_equal_probabilities_are_decided_alike_and_not_all_yes() -> None:
    """Ties at the threshold do not sweep the whole corpus in."""
    shares = np.zeros(100)
    shares[:10] = 1
    assert not (np.full(100, 0.1) >= choose_threshold(np.full(100, 0.1), shares)).any()


def test_metrics_equal_scikit_learns() -> None:
    """Average precision, Brier score, precision, recall and F1 are the library's."""
    rng = np.random.default_rng(2)
    truth = rng.random((50, 3)) < 0.3
    score = rng.random((50, 3))
    assert metrics.brier(truth[:, 0], score[:, 0]) == pytest.approx(
        sk.brier_score_loss(truth[:, 0], score[:, 0])
    )
    assert metrics.average_precision(truth[:, 0], np.full(50, 0.5)) == pytest.approx(truth[:, 0].mean())
    _, _, f1 = metrics.precision_recall_f1(truth, score > 0.5)
    assert f1 == pytest.approx(sk.f1_score(truth.ravel(), score.ravel() > 0.5))


def test_calibration_error_of_a_worked_example() -> None:
    """Two bins: 0.2 against 0.5 true, 0.8 against 1.0 true, four entries each: (0.3 + 0.2) / 2."""
    score = np.array([0.2] * 4 + [0.8] * 4)
    truth = np.array([1, 1, 0, 0, 1, 1, 1, 1], dtype=bool)
    assert metrics.expected_calibration_error(truth, score) == pytest.approx(0.25)


def test_evidence_hits_where_it_overlaps() -> None:
    """Touching is not overlapping; only the first passage counts."""
    assert metrics.evidence_hit([Span(0, 5)], [Span(4, 9)])
    assert not metrics.evidence_hit([Span(0, 5)], [Span(5, 9)])
    assert not metrics.evidence_hit([Span(0, 2), Span(4, 6)], [Span(4, 6)])


def test_evaluation_counts_every_tag_that_occurs_the_refused_too(scorer: Scorer) -> None:
    """A tag that the model refuses has F1 0 and its prevalence as average precision; abstaining is no."""
    figures = evaluate(scorer, invented_annotations(50, seed=7, annotators=("A",))).to_dict()
    rare = figures["tags"]["rare"]
    assert (rare["f1"], rare["threshold"], rare["n_positive"]) == (0.0, None, 1)
    assert rare["average_precision"] == pytest.approx(1 / 50)
    assert figures["tags"]["blame"]["f1"] > 0.8
    assert figures["coverage"] == pytest.approx(0.75)
    assert figures["macro_f1"] == pytest.approx(np.mean([tag["f1"] for tag in figures["tags"].values()]))
    assert figures["evidence_hit_rate"] > 0.8


ROWS = [
    {"post_id": "a/1", "text": TEXT},
    {"post_id": "=cmd()/2", "text": "Nothing of note."},
    {"post_id": "a/3", "text": ""},
    {"post_id": "a/4", "text": 7},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_tagged_row_by_row(scorer: Scorer, tmp_path: Path, suffix: str) -> None:
    """Posts are tagged in order; a message without text is skipped, a bad row refused with its place."""
    source, target = tmp_path / "posts.jsonl", tmp_path / f"tags{suffix}"
    source.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    report = tag_file(scorer, source, target)
    assert (report.n_tagged, report.n_skipped, report.n_refused) == (2, 1, 1)
    assert "line 4" in report.refusals[0][0]
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
    }
    table = readers[suffix](target)
    assert list(table["post_id"]) == ["a/1", "'=cmd()/2" if suffix == ".csv" else "=cmd()/2"]
    assert list(table["blame"]) == ["yes", "no"]
    assert table["blame_score"].between(0, 1).all()
    assert set(table["rare"]) == {"abstain"}
    assert table["rare_score"].isna().all()


def test_a_run_that_fails_leaves_the_old_output(scorer: Scorer, tmp_path: Path) -> None:
    """Half a table never takes the place of a whole one."""
    target = tmp_path / "tags.csv"
    target.write_text("old", encoding="utf-8")
    with pytest.raises(FileError):
        tag_file(scorer, tmp_path / "nowhere.jsonl", target)
    source = tmp_path / "posts.jsonl"
    source.write_text(json.dumps(ROWS[0]), encoding="utf-8")

    def stop(_done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tag_file(scorer, source, target, stop)
    assert target.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.jsonl", "tags.csv"]
