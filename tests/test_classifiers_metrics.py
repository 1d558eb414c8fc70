"""Figures of quality: worked examples, and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from annotations.records import Span
from classifiers import metrics


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


def test_worked_examples_of_scikit_learns_documentation() -> None:
    """Average precision 0.83 and a Brier score of 0.0375."""
    truth = np.array([False, False, True, True])
    assert metrics.average_precision(truth, np.array([0.1, 0.4, 0.35, 0.8])) == pytest.approx(
        0.8333, abs=1e-4
    )
    assert metrics.brier(np.array([0, 1, 1, 0], dtype=bool), np.array([0.1, 0.9, 0.8, 0.3])) == pytest.approx(
        0.0375
    )


def test_average_precision_of_a_tag_that_never_occurs_is_not_a_number() -> None:
    """There is nothing to be ranked."""
    assert np.isnan(metrics.average_precision(np.zeros(3, dtype=bool), np.arange(3.0)))


def test_the_base_rate_has_no_skill_and_certainty_has_all() -> None:
    """0 is as good as knowing each tag's frequency; 1 is perfect."""
    truth = np.array([[1, 0], [0, 0], [0, 1], [1, 0]], dtype=bool)
    base = np.broadcast_to(truth.mean(axis=0), truth.shape)
    assert metrics.brier_skill(truth, base) == pytest.approx(0)
    assert metrics.brier_skill(truth, truth.astype(float)) == 1
    assert np.isnan(metrics.brier_skill(np.ones((2, 1), dtype=bool), np.ones((2, 1))))


def test_nothing_said_yes_to_is_no_error() -> None:
    """Undefined precision, recall and F1 are 0."""
    assert metrics.precision_recall_f1(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)) == (0, 0, 0)


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    """The bins cover both ends."""
    assert metrics.expected_calibration_error(np.array([False, True]), np.array([0.0, 1.0])) == 0


def test_ranking_figures_count_a_refused_tag_at_its_prevalence() -> None:
    """Columns without a positive do not count; without any there are counts only."""
    truth = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]], dtype=bool)
    score = np.array([[0.9, np.nan, 0.1], [0.1, np.nan, 0.1], [0.2, np.nan, 0.1], [0.8, np.nan, 0.1]])
    figures = metrics.ranking_metrics(truth, score)
    assert (figures["n_posts"], figures["n_tags"]) == (4, 2)
    assert figures["mean_average_precision"] == pytest.approx((1 + 1 / 4) / 2)
    assert metrics.ranking_metrics(truth & False, score) == {"n_posts": 4, "n_tags": 0}
