"""The second stage: what several views say, and other tags, made into calibrated log-odds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from classifiers.combining import combine, evidence_scale, fit_second_stage

RNG = np.random.default_rng(0)
TRUTH = (RNG.random((600, 3)) < [0.2, 0.4, 0.1]).astype(float)
VIEWS = np.stack(
    [
        TRUTH * 2 + RNG.normal(size=TRUTH.shape),
        RNG.normal(size=TRUTH.shape),
        TRUTH + RNG.normal(size=TRUTH.shape),
    ]
)
FOLD = np.arange(600) % 5


def test_views_count_for_what_they_tell() -> None:
    """One that tells nothing gets next to no weight."""
    stage = fit_second_stage(VIEWS, TRUTH, coupling=False)
    assert stage.weights[0].min() > stage.weights[2].max() > 0.3
    assert np.abs(stage.weights[1]).max() < 0.3
    assert not stage.between.any()


def test_log_odds_of_unseen_posts_are_calibrated() -> None:
    """They are about as high as the tags are frequent, and are those of the model."""
    mix, offset, unseen = combine(VIEWS, TRUTH, FOLD, coupling=True)
    assert expit(unseen).mean(axis=0) == pytest.approx(TRUTH.mean(axis=0), abs=0.02)
    applied = np.einsum("vnt,vtu->nu", VIEWS, mix) + offset
    assert np.corrcoef(applied.ravel(), unseen.ravel())[0, 1] > 0.99
    assert (mix.dtype, offset.dtype) == (np.float32, np.float32)


def test_a_tag_that_comes_with_another_is_known_by_it() -> None:
    """Where its own views tell nothing, the other tag's do."""
    truth = np.column_stack([TRUTH[:, 1], TRUTH[:, 1]])
    views = np.stack([np.column_stack([VIEWS[0, :, 1], RNG.normal(size=600)])])
    _, _, alone = combine(views, truth, FOLD, coupling=False)
    _, _, coupled = combine(views, truth, FOLD, coupling=True)
    assert np.corrcoef(coupled[:, 1], truth[:, 1])[0, 1] > np.corrcoef(alone[:, 1], truth[:, 1])[0, 1] + 0.3


def test_a_view_that_is_constant_is_no_error() -> None:
    """A tag without cues and quotes has no centroid."""
    views = VIEWS.copy()
    views[1] = 0
    mix, offset, unseen = combine(views, TRUTH, FOLD, coupling=True)
    assert np.isfinite(mix).all()
    assert np.isfinite(offset).all()
    assert np.isfinite(unseen).all()
    scale, shift = evidence_scale(views, ("documents", "sentences", "centroids"))
    assert not scale[1].any()
    assert np.isfinite(shift).all()


def test_an_average_sentence_has_no_strength() -> None:
    """Strengths are in standard deviations, the centroids counting twice."""
    scale, shift = evidence_scale(VIEWS, ("documents", "sentences", "centroids"))
    strength = np.einsum("vst,vt->st", VIEWS, scale) + shift
    assert strength.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert scale * VIEWS.std(axis=1) == pytest.approx(
        np.array([[0.25], [0.25], [0.5]]) * np.ones(3), abs=1e-5
    )
