"""Thresholds by policy, the abstain band and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from classifiers.predictions import DECISIONS, Decision
from classifiers.thresholds import TagRule, ThresholdOptions, choose_threshold, decide, fit_rules, refusal

BEST_F1 = ThresholdOptions()
POLICIES = (
    BEST_F1,
    ThresholdOptions(policy="precision", floor=0.9),
    ThresholdOptions(policy="recall", floor=0.9),
    ThresholdOptions(policy="cost", false_yes_cost=0.2),
)


@pytest.mark.parametrize("n_positive", [5, 8, 40, 120, 160])
@pytest.mark.parametrize("options", POLICIES, ids=lambda options: options.policy)
def test_a_threshold_never_says_yes_to_nearly_everything(n_positive: int, options: ThresholdOptions) -> None:
    """Scores that tell nothing do not end as always-yes, whether the tag is rare or frequent."""
    rng = np.random.default_rng(1)
    probabilities = np.clip(n_positive / 200 + rng.normal(scale=0.02, size=200), 0.001, 0.999)
    yes = probabilities >= choose_threshold(probabilities, n_positive / 200, options)
    assert yes.mean() <= (1 + n_positive / 200) / 2


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_probabilities_whatever_end_as_always_yes(data: st.DataObject) -> None:
    """Ties, certainties, a handful of posts, any policy: at most (1 + prevalence) / 2 of the posts get a yes."""
    n = data.draw(st.integers(2, 60))
    prevalence = data.draw(st.floats(0, 1))
    values = st.sampled_from([1e-9, 0.1, 0.5, 0.99, 0.999, 1.0]) | st.floats(1e-6, 1 - 1e-6)
    probabilities = np.array(data.draw(st.lists(values, min_size=n, max_size=n)))
    threshold = choose_threshold(probabilities, prevalence, data.draw(st.sampled_from(POLICIES)))
    assert 0 < threshold < 1
    if probabilities.max() < 1:
        assert (probabilities >= threshold).sum() <= min(n * (1 + prevalence) / 2, n - 1)


def test_equal_probabilities_are_decided_alike_and_not_all_yes() -> None:
    """Ties at the threshold do not sweep the whole corpus in."""
    assert not (np.full(100, 0.1) >= choose_threshold(np.full(100, 0.1), 0.1, BEST_F1)).any()


def test_the_best_f1_is_reached_at_half_of_it() -> None:
    """The threshold is the one that a search over calibrated posts without end would find."""
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.3, 1.5, 20_000)
    truth = rng.random(20_000) < probabilities

    def f1(threshold: float) -> float:
        yes = probabilities >= threshold
        return float(2 * (yes & truth).sum() / (yes.sum() + truth.sum()))

    chosen = choose_threshold(probabilities, float(truth.mean()), BEST_F1)
    assert f1(chosen) >= max(f1(t) for t in np.linspace(0.05, 0.95, 91)) - 0.005


@pytest.mark.parametrize("floor", [0.6, 0.8, 0.95])
def test_a_floor_of_precision_or_recall_is_kept(floor: float) -> None:
    """And no more is given up for it than needed."""
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.4, 1, 20_000)
    truth = rng.random(20_000) < probabilities
    precise = probabilities >= choose_threshold(
        probabilities, 0.3, ThresholdOptions(policy="precision", floor=floor)
    )
    complete = probabilities >= choose_threshold(
        probabilities, 0.3, ThresholdOptions(policy="recall", floor=floor)
    )
    assert truth[precise].mean() == pytest.approx(floor, abs=0.02)
    assert truth[complete].sum() / truth.sum() == pytest.approx(floor, abs=0.02)


def test_a_precision_that_nothing_reaches_is_a_threshold_that_nothing_reaches() -> None:
    """Better no yes than one that breaks the promise."""
    probabilities = np.linspace(0.1, 0.6, 50)
    options = ThresholdOptions(policy="precision", floor=0.9)
    assert not (probabilities >= choose_threshold(probabilities, 0.3, options)).any()


def test_the_dearer_a_false_yes_the_higher_the_threshold() -> None:
    """A yes that costs three times as much must be three times as likely right as wrong."""
    probabilities = np.linspace(0.001, 0.9, 100)
    options = ThresholdOptions(policy="cost", false_yes_cost=3)
    assert choose_threshold(probabilities, 0.4, options) == pytest.approx(0.75)


@pytest.mark.parametrize(
    "wrong", [{"floor": 0}, {"floor": 1.1}, {"false_yes_cost": 0}, {"false_yes_cost": float("inf")}]
)
def test_a_policy_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    """Before anything is trained."""
    with pytest.raises(ValueError, match="above 0"):
        ThresholdOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_yes", "n_no", "reason"),
    [(4, 96, "too few examples: 4 positive"), (96, 4, "too few counter-examples: 4"), (5, 5, "")],
)
def test_too_little_support_is_refused_with_the_reason(n_yes: int, n_no: int, reason: str) -> None:
    """A tag needs five posts with it and five without."""
    shares = np.repeat([1.0, 0.0], [n_yes, n_no])
    assert refusal(shares, BEST_F1).startswith(reason)
    probabilities = np.linspace(0.9, 0.1, n_yes + n_no)
    (rule,) = fit_rules(("x",), logit(probabilities)[:, None], shares[:, None], BEST_F1)
    assert rule.predicted is (reason == "")
    assert _decided(rule, 0.99) == [Decision.ABSTAIN if reason else Decision.YES]


def test_the_abstain_band_lies_about_the_threshold() -> None:
    """Its edges are decided; without a margin the band is empty."""
    rule = TagRule("x", 0.5, 9.0, 0.5, abstain_margin=0.25)
    no, maybe, yes = Decision.NO, Decision.ABSTAIN, Decision.YES
    found = _decided(rule, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8, np.nan)
    assert found == [no, no, maybe, maybe, maybe, yes, yes, maybe]
    assert _decided(TagRule("x", 0.5, 9.0, 0.5), 0.4999, 0.5) == [no, yes]


def _decided(rule: TagRule, *scores: float) -> list[Decision]:
    return [DECISIONS[number] for number in decide([rule], np.array(scores)[:, None])[:, 0]]
