"""The learning curve: the law is found again, the interval covers it, and the answer is plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.learning_curve import CurveOptions, PowerLaw, fit_power_law, learning_curve, summary
from classifiers.testing import invented_annotations, invented_codebook, quick_options

SIZES = np.array([50, 75, 110, 160, 240])


@given(st.floats(0.4, 0.99), st.floats(0.1, 2.0), st.floats(0.1, 1.5))
def test_a_law_is_found_again(limit: float, height: float, exponent: float) -> None:
    """From points without noise, the score with more posts is told to a hundredth."""
    law = PowerLaw(limit, height, exponent)
    found = fit_power_law(SIZES, [law.at(size) for size in SIZES])
    assert found.at(340) == pytest.approx(law.at(340), abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_a_law_never_falls_and_never_passes_one(scores: list[float]) -> None:
    """Whatever the points: more posts are not worse, and no score is above 1."""
    law = fit_power_law(SIZES, scores)
    ahead = [law.at(n) for n in (50, 240, 340, 10_000)]
    assert ahead == sorted(ahead)
    assert max(ahead) <= 1 + 1e-9


def test_the_interval_covers_the_true_gain() -> None:
    """With noise in every fold, about 95 of 100 intervals hold the truth."""
    rng = np.random.default_rng(0)
    law = PowerLaw(0.85, 1.5, 0.4)
    truth = law.at(400) - law.at(300)
    options = CurveOptions(n_resamples=200)
    covered = 0
    for _ in range(100):
        curves = np.array([[law.at(n) for n in SIZES]]) + rng.normal(0, 0.02, (10, len(SIZES)))
        curve = summary(SIZES, curves, 300, options)
        covered += curve.gain_low <= truth <= curve.gain_high
        assert curve.gain_low <= curve.gain <= curve.gain_high
    assert covered >= 88


@pytest.mark.parametrize(
    ("law", "signal"),
    [(PowerLaw(0.8, 0.0, 1.0), "stop"), (PowerLaw(0.9, 3.0, 0.4), "go on")],
)
def test_the_answer_is_plain(law: PowerLaw, signal: str) -> None:
    """A flat curve says stop, a steep one says go on."""
    curves = np.array([[law.at(n) for n in SIZES]] * 10)
    curve = summary(SIZES, curves, 300, CurveOptions())
    assert curve.signal == signal
    assert "100 more posts" in curve.advice


def test_a_curve_of_real_trainings() -> None:
    """Growing parts of a small corpus are trained and judged; the figures can be written as JSON."""
    codebook = invented_codebook()
    dataset = Dataset.from_annotations(invented_annotations(60), codebook)
    seen: list[tuple[int, int | None]] = []
    options = CurveOptions(training=quick_options(), n_sizes=2, n_folds=2, n_repeats=1)
    curve = learning_curve(dataset, codebook, options, lambda done, total: seen.append((done, total)))
    assert curve.sizes == (7, 30)
    assert 0 <= curve.scores[0] < curve.scores[1] <= 1
    assert seen[-1] == (4, 4)
    assert curve.to_dict()["law"]["exponent"] > 0


def test_too_few_posts_are_refused_with_the_way_out() -> None:
    """Ten posts make no curve."""
    codebook = invented_codebook()
    dataset = Dataset.from_annotations(invented_annotations(10), codebook)
    with pytest.raises(DatasetError, match="at least 40 annotated posts, there are 10"):
        learning_curve(dataset, codebook)
