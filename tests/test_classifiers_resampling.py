"""Bootstrap of figures: a resample's figures are scikit-learn's on the posts that it draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from classifiers import metrics
from classifiers.resampling import (
    Resamples,
    average_precisions,
    interval,
    mean_draws,
    overall_draws,
    tag_draws,
)


def _answers(n: int = 60, n_tags: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    truth = rng.random((n, n_tags)) < 0.3
    score = np.round(np.clip(0.4 * truth + 0.6 * rng.random((n, n_tags)), 0, 1), 1)  # with ties
    return truth, score, score > 0.45


def test_figures_of_every_tag_are_those_of_the_posts_that_were_drawn() -> None:
    """A post drawn twice counts as two."""
    truth, score, yes = _answers()
    weights = Resamples(np.arange(60), n_samples=20, seed=1).weights
    found = tag_draws(truth, score, yes, weights)
    for number, weight in enumerate(weights):
        rows = np.repeat(np.arange(60), weight.astype(int))
        for k in range(3):
            t, s, y = truth[rows, k], score[rows, k], yes[rows, k]
            assert found.average_precision[number, k] == pytest.approx(sk.average_precision_score(t, s))
            assert found.brier[number, k] == pytest.approx(sk.brier_score_loss(t, s))
            assert found.precision[number, k] == pytest.approx(sk.precision_score(t, y, zero_division=0))
            assert found.recall[number, k] == pytest.approx(sk.recall_score(t, y))
            assert found.f1[number, k] == pytest.approx(sk.f1_score(t, y))
            assert found.expected_calibration_error[number, k] == pytest.approx(
                metrics.expected_calibration_error(t, s)
            )


def test_figures_over_all_tags_are_those_of_the_posts_that_were_drawn() -> None:
    """Micro, macro, the mean average precision, and what is pooled over all entries."""
    truth, score, yes = _answers()
    weights = Resamples(np.arange(60), n_samples=20, seed=2).weights
    found = overall_draws(truth, score, yes, weights)
    for number, weight in enumerate(weights):
        rows = np.repeat(np.arange(60), weight.astype(int))
        t, s, y = truth[rows], score[rows], yes[rows]
        expected = {
            "micro_precision": sk.precision_score(t, y, average="micro"),
            "micro_recall": sk.recall_score(t, y, average="micro"),
            "micro_f1": sk.f1_score(t, y, average="micro"),
            "macro_precision": sk.precision_score(t, y, average="macro"),
            "macro_recall": sk.recall_score(t, y, average="macro"),
            "macro_f1": sk.f1_score(t, y, average="macro"),
            "mean_average_precision": sk.average_precision_score(t, s, average="macro"),
            "brier": metrics.brier(t, s),
            "brier_skill": metrics.brier_skill(t, s),
            "expected_calibration_error": metrics.expected_calibration_error(t, s),
        }
        assert {name: draws[number] for name, draws in found.items()} == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=12))
def test_average_precision_with_ties_and_weights_is_scikit_learns(rows: list[tuple[bool, int, int]]) -> None:
    """Whatever scores and weights: as scikit-learn with sample weights; NaN without a positive post."""
    truth = np.array([row[0] for row in rows])
    score = np.array([row[1] / 4 for row in rows])
    weights = np.array([[row[2] for row in rows]], dtype=float)
    (found,) = average_precisions(truth, score, weights)
    if not weights[0][truth].sum():
        assert np.isnan(found)
        return
    assert found == pytest.approx(sk.average_precision_score(truth, score, sample_weight=weights[0]))


def test_posts_of_a_group_are_drawn_together() -> None:
    """Near-duplicates are one observation, and the first row is the posts as they are."""
    groups = np.array([5, 1, 5, 2, 1, *range(10, 20)])
    weights = Resamples(groups, n_samples=50).weights
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 1] == weights[:, 4]).all()
    assert (weights[0] == 1).all()
    assert weights.shape == (51, 15)


def test_copies_of_the_posts_do_not_narrow_an_interval() -> None:
    """Every post ten times, in a group each, is no more information than once."""
    values = np.random.default_rng(0).random((40, 1))
    once = interval(mean_draws(values, Resamples(np.arange(40)).weights))
    often = interval(
        mean_draws(np.repeat(values, 10, axis=0), Resamples(np.repeat(np.arange(40), 10)).weights)
    )
    assert once == pytest.approx(often)


def test_an_interval_of_a_mean_is_the_textbooks() -> None:
    """1.96 standard errors on either side, nearly."""
    values = np.random.default_rng(0).normal(size=(400, 1))
    limits = interval(mean_draws(values, Resamples(np.arange(400)).weights))
    assert limits is not None
    assert limits[1] - limits[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_few_groups_have_no_interval() -> None:
    """Nine groups tell too little."""
    weights = Resamples(np.repeat(np.arange(9), 20)).weights
    assert interval(mean_draws(np.ones((180, 1)), weights)) is None
