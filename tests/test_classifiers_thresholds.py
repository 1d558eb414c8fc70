"""Calibration, thresholds and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.predictions import Decision
from classifiers.thresholds import TagRule, ThresholdOptions, choose_threshold, fit_rules, refusal


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


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_probabilities_whatever_end_as_always_yes(data: st.DataObject) -> None:
    """Ties, certainties, a handful of posts: at most (1 + prevalence) / 2 of the posts get a yes."""
    n = data.draw(st.integers(2, 60))
    shares = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=n, max_size=n)))
    values = st.sampled_from([1e-9, 0.1, 0.5, 0.99, 0.999]) | st.floats(1e-6, 1 - 1e-6)
    probabilities = np.array(data.draw(st.lists(values, min_size=n, max_size=n)))
    threshold = choose_threshold(probabilities, shares)
    assert 0 < threshold < 1
    assert (probabilities >= threshold).sum() <= min(n * (1 + shares.mean()) / 2, n - 1)


def test_a_tag_that_nearly_every_post_bears_is_still_not_always_yes() -> None:
    """The bound holds where the probabilities are all beyond 0.99."""
    shares = np.ones(10_000)
    shares[:5] = 0
    probabilities = np.linspace(0.995, 0.9999, 10_000)
    assert (probabilities < choose_threshold(probabilities, shares)).any()


def test_a_frequent_separable_tag_is_cut_between_its_two_sides() -> None:
    """Where the scores tell the posts apart, so does the threshold."""
    shares = np.repeat([1.0, 0.0], 100)
    probabilities = np.repeat([0.95, 0.05], 100)
    assert 0.05 < choose_threshold(probabilities, shares) <= 0.95


def test_calibrated_probabilities_are_about_as_high_as_the_tag_is_frequent() -> None:
    """A score of no meaning becomes the base rate."""
    rng = np.random.default_rng(3)
    shares = (rng.random((400, 2)) < [0.1, 0.6]).astype(float)
    scores = rng.normal(size=(400, 2)) + shares * 2
    for k, rule in enumerate(fit_rules(("rare", "often"), scores, shares, ThresholdOptions())):
        assert rule.calibrated(scores[:, k]).mean() == pytest.approx(shares[:, k].mean(), abs=0.02)


@pytest.mark.parametrize(
    ("n_yes", "n_no", "reason"),
    [(4, 96, "too few examples: 4 positive"), (96, 4, "too few counter-examples: 4"), (5, 5, "")],
)
def test_too_little_support_is_refused_with_the_reason(n_yes: int, n_no: int, reason: str) -> None:
    """A tag needs five posts with it and five without."""
    shares = np.repeat([1.0, 0.0], [n_yes, n_no])
    assert refusal(shares, ThresholdOptions()).startswith(reason)
    (rule,) = fit_rules(
        ("x",), np.linspace(1, -1, n_yes + n_no)[:, None], shares[:, None], ThresholdOptions()
    )
    assert rule.predicted is (reason == "")
    assert rule.decide(0.99) is (Decision.ABSTAIN if reason else Decision.YES)


def test_a_refused_tag_has_no_probability() -> None:
    """Asking for one is a mistake of the caller."""
    with pytest.raises(ValueError, match="'x' is not predicted"):
        TagRule("x", 0.0, 0.0).calibrated(np.zeros(1))


def test_the_abstain_band_lies_about_the_threshold() -> None:
    """Its edges are decided; without a margin the band is empty."""
    rule = TagRule("x", 0.5, 9.0, 1.0, 0.0, 0.5, abstain_margin=0.25)
    decisions = [rule.decide(score) for score in (0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8)]
    no, maybe, yes = Decision.NO, Decision.ABSTAIN, Decision.YES
    assert decisions == [no, no, maybe, maybe, maybe, yes, yes]
    plain = TagRule("x", 0.5, 9.0, 1.0, 0.0, 0.5)
    assert [plain.decide(score) for score in (0.4999, 0.5)] == [no, yes]
