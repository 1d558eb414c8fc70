"""Evaluation: every tag that occurs counts, also one that is refused or abstained from."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from annotations.records import Annotation, Span
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.evaluation import Evaluation, TagFigures, evaluate, joined, outcomes, summarise
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, invented_scorer
from classifiers.thresholds import ThresholdOptions

KEYS = {
    "n_posts",
    "micro_f1",
    "macro_f1",
    "mean_average_precision",
    "brier",
    "expected_calibration_error",
    "coverage",
    "evidence_hit_rate",
    "tags",
}
TAG_KEYS = {"n_positive", "precision", "recall", "f1", "average_precision", "threshold"}
TEST_POSTS = invented_annotations(40, seed=7, annotators=("A",))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return a scorer trained on the invented corpus."""
    return invented_scorer()


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


def test_the_figures_have_the_published_keys_and_are_json(scorer: Scorer) -> None:
    """What scripts read is there, in plain JSON without NaN."""
    figures = evaluate(scorer, TEST_POSTS).to_dict()
    assert set(figures) >= KEYS
    assert all(set(tag) >= TAG_KEYS for tag in figures["tags"].values())
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["n_posts"] == 40


def test_abstaining_is_no_and_lowers_the_coverage() -> None:
    """A model that never commits itself has F1 0, whatever its scores are worth."""
    unsure = invented_scorer(60, thresholds=ThresholdOptions(abstain_margin=1.0))
    figures = evaluate(unsure, TEST_POSTS)
    assert (figures.coverage, figures.micro_f1, figures.macro_f1) == (0, 0, 0)
    assert figures.mean_average_precision > 0.5


def test_a_tie_between_annotators_is_no_positive(scorer: Scorer) -> None:
    """Gold needs more than half."""
    ties = [replace(each, annotator="B", tags={}) for each in TEST_POSTS]
    figures = evaluate(scorer, [*TEST_POSTS, *ties])
    assert (figures.n_tags, figures.micro_f1, figures.tags) == (0, 0, {})


def test_without_highlighted_evidence_there_is_no_hit_rate(scorer: Scorer) -> None:
    """Unknown is not zero."""
    bare = [replace(each, tags=dict.fromkeys(each.tags, ())) for each in TEST_POSTS]
    assert (evaluate(scorer, bare).evidence_hit_rate, evaluate(scorer, bare).n_evidence) == (None, 0)


def test_tags_that_nobody_ticked_do_not_count(scorer: Scorer) -> None:
    """A macro average is over what can be found."""
    only = [replace(each, tags={t: s for t, s in each.tags.items() if t == "blame"}) for each in TEST_POSTS]
    assert list(evaluate(scorer, only).tags) == ["blame"]


def test_parts_put_together_are_judged_as_one_whole(scorer: Scorer) -> None:
    """Cross-validation pools its folds before it counts."""
    data = Dataset.from_annotations(TEST_POSTS, invented_codebook())
    parts = [outcomes(scorer, data.subset(range(0, 15))), outcomes(scorer, data.subset(range(15, len(data))))]
    found, expected = summarise(joined(parts)), summarise(outcomes(scorer, data))
    for tag, figures in expected.tags.items():
        assert _plain(found.tags[tag]) == pytest.approx(_plain(figures), abs=1e-6)
    assert _plain(found) == pytest.approx(_plain(expected), abs=1e-6)


def _plain(figures: Evaluation | TagFigures) -> dict[str, float]:
    return {name: value for name, value in asdict(figures).items() if name not in ("tags", "intervals")}


def test_every_figure_has_an_interval_around_it(scorer: Scorer) -> None:
    """Of a tag and of all; with too few posts there is none."""
    found = evaluate(scorer, TEST_POSTS)
    assert set(found.intervals) > KEYS - {"n_posts", "tags"}
    for of in (found, *found.tags.values()):
        for name, limits in of.intervals.items():
            value = getattr(of, name)
            assert limits is not None
            assert limits[0] <= limits[1]
            # A bootstrap of a calibration error lies above it: resamples add noise to every bin.
            assert "calibration" in name or limits[0] - 1e-9 <= value <= limits[1] + 1e-9
    few = evaluate(scorer, TEST_POSTS[:5])
    assert set(few.intervals.values()) == {None}


def test_intervals_are_the_same_every_time(scorer: Scorer) -> None:
    """The seed is fixed."""
    assert evaluate(scorer, TEST_POSTS).intervals == evaluate(scorer, TEST_POSTS).intervals


def test_other_labels_for_the_same_answers(scorer: Scorer) -> None:
    """Evidence that an annotator marked elsewhere is missed; a tag that nobody marked has no hit."""
    data = Dataset.from_annotations(TEST_POSTS, invented_codebook())
    said = outcomes(scorer, data)
    elsewhere = [{tag: (Span(0, 1),) for tag in marked} for marked in data.evidence]
    other = said.against(data.gold, elsewhere, data.texts)
    assert np.nanmean(other.hit) < np.nanmean(said.hit)
    nothing = said.against(data.gold, [{} for _ in data.texts], data.texts)
    assert np.isnan(nothing.hit).all()
    assert np.array_equal(said.against(data.gold, data.evidence, data.texts).hit, said.hit, equal_nan=True)


def test_labels_that_cannot_be_used_are_an_error(scorer: Scorer) -> None:
    """A tag of another codebook is not counted silently as missed."""
    with pytest.raises(DatasetError, match="unknown tag"):
        evaluate(scorer, [Annotation(post_id="p/1", annotator="A", text="x", tags={"nonsense": ()})])
