"""The solver against scikit-learn's logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from classifiers.solver import Design, Effort, Targets, fit_logistic

RNG = np.random.default_rng(0)
LEFT = sparse.random_array((120, 40), density=0.2, rng=RNG, dtype=np.float32).tocsr()
RIGHT = sparse.random_array((40, 60), density=0.3, rng=RNG, dtype=np.float32).tocsr()
YES = (RNG.random((120, 3)) < [0.1, 0.4, 0.7]).astype(np.float32) * RNG.choice([0.5, 1], (120, 3))
NO = ((YES == 0) * RNG.choice([0.03, 1], (120, 3)) + (YES == 0.5) * 0.5).astype(np.float32)
EXACT = Effort(max_iterations=500, tolerance=1e-5)


def test_all_tags_at_once_are_scikit_learns_one_by_one() -> None:
    """Weighted rows, soft labels and a product of factors: the same minimum."""
    fitted = fit_logistic(Design([LEFT, RIGHT]), Targets(YES.astype(np.float32), NO), 3.0, EXACT)
    rows = (LEFT @ RIGHT).toarray()
    for tag in range(3):
        theirs = LogisticRegression(C=3.0, tol=1e-8, max_iter=10_000)
        weight = np.concatenate([YES[:, tag], NO[:, tag]])
        label = np.repeat([1, 0], len(rows))
        theirs.fit(np.concatenate([rows, rows])[weight > 0], label[weight > 0], weight[weight > 0])
        ours = rows @ fitted.weights[:, tag] + fitted.bias[tag]
        assert ours == pytest.approx(theirs.decision_function(rows), abs=0.02)
    assert fitted.weights.dtype == fitted.bias.dtype == np.float32


def test_a_tag_is_fitted_as_it_would_be_alone() -> None:
    """Tags share passes over the data and nothing else."""
    both = fit_logistic(Design([LEFT]), Targets(YES[:, :2].astype(np.float32), NO[:, :2]), 1.0, EXACT)
    alone = fit_logistic(Design([LEFT]), Targets(YES[:, :1].astype(np.float32), NO[:, :1]), 1.0, EXACT)
    assert both.weights[:, 0] == pytest.approx(alone.weights[:, 0], abs=1e-3)


def test_the_same_input_gives_the_same_bits() -> None:
    """A bundle's digest depends on it."""
    targets = Targets(YES.astype(np.float32), NO)
    first, second = (fit_logistic(Design([LEFT, RIGHT]), targets, 3.0, Effort(20, 1e-3)) for _ in range(2))
    assert first.weights.tobytes() == second.weights.tobytes()


def test_a_tag_that_no_row_bears_gets_no_weights_to_speak_of() -> None:
    """Nothing to tell apart is nothing learnt, and no error."""
    nothing = Targets(np.zeros((120, 1), np.float32), np.ones((120, 1), np.float32))
    fitted = fit_logistic(Design([LEFT]), nothing, 1.0, EXACT)
    assert np.isfinite(fitted.weights).all()
    assert fitted.bias[0] < -5
