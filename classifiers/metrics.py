"""Figures of quality, each from its publication or from scikit-learn.

Shapes: ``y_true`` (bool), ``y_yes`` (bool) and ``y_score`` (probabilities) are (n_posts, n_tags) or
(n_posts,).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from annotations.records import Span
from classifiers.tokens import is_word, tokenise

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
N_BINS = 10


def precision_recall_f1(y_true: Bools, y_yes: Bools) -> tuple[float, float, float]:
    """Return precision, recall and F1 over all entries; each is 0 where it is undefined."""
    precision, recall, f1, _ = precision_recall_fscore_support(
        y_true.ravel(), y_yes.ravel(), average="binary", zero_division=0.0
    )
    return float(precision), float(recall), float(f1)


def average_precision(y_true: Bools, y_score: Floats) -> float:
    """Return the average precision of one tag; equal scores are one step of the curve. NaN without a positive.

    A constant score gives the prevalence.
    """
    return float(average_precision_score(y_true, y_score)) if y_true.any() else float("nan")


def brier(y_true: Bools, y_score: Floats) -> float:
    """Return the mean squared difference between probability and truth (Brier 1950, one class)."""
    return float(np.mean((y_score - y_true) ** 2))


def brier_skill(y_true: Bools, y_score: Floats) -> float:
    """Return 1 - Brier / Brier of each tag's own base rate.

    0 is no better than the base rate. NaN if that is 0.
    """
    reference = brier(y_true, np.broadcast_to(y_true.mean(axis=0, keepdims=True), y_true.shape))
    return 1 - brier(y_true, y_score) / reference if reference else float("nan")


def expected_calibration_error(y_true: Bools, y_score: Floats, n_bins: int = N_BINS) -> float:
    """Return the expected calibration error, pooled over all entries (Naeini, Cooper and Hauskrecht 2015).

    ``n_bins`` bins of equal width, [0, 0.1), ..., [0.9, 1]; the absolute difference between the mean
    probability and the share of positives in a bin, averaged by the number of entries in the bins.
    """
    score, truth = y_score.ravel(), y_true.ravel()
    bins = np.minimum((score * n_bins).astype(np.int64), n_bins - 1)
    gap = np.abs(np.bincount(bins, score - truth, minlength=n_bins))
    return float(gap.sum() / len(score))


def evidence_hit(passages: Sequence[Span], annotated: Collection[Span]) -> bool:
    """Tell whether the first passage shares a character with any annotated span."""
    return bool(passages) and any(
        passages[0].start < span.end and span.start < passages[0].end for span in annotated
    )


def word_starts(text: str) -> tuple[int, ...]:
    """Return where the words of a text begin."""
    return tuple(token.start for token in tokenise(text) if is_word(token.form))


def evidence_token_f1(starts: Sequence[int], passages: Sequence[Span], annotated: Collection[Span]) -> float:
    """Return the F1 of the words in the first passage against those that annotators highlighted.

    The plausibility figure of J. DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models" (2020),
    section 4.1, of one passage.

    Parameters
    ----------
    starts
        Where the words of the text begin, see :func:`word_starts`.
    """
    ours = {at for at in starts if any(span.start <= at < span.end for span in passages[:1])}
    theirs = {at for at in starts if any(span.start <= at < span.end for span in annotated)}
    return 2 * len(ours & theirs) / max(1, len(ours) + len(theirs))


def ranking_metrics(y_true: Bools, y_score: Floats) -> dict[str, float]:
    """Return figures that no threshold enters, over the tags (columns) that occur; NaN columns are refused tags.

    A refused tag's average precision is its prevalence, and its probability the prevalence.  Where no tag
    occurs (annotators who agree on none) there are no figures but the counts.
    """
    occurring = y_true.any(axis=0)
    if not occurring.any():
        return {"n_posts": len(y_true), "n_tags": 0}
    truth = y_true[:, occurring]
    score = np.where(np.isnan(y_score), y_true.mean(axis=0), y_score)[:, occurring]
    return {
        "n_posts": len(y_true),
        "n_tags": int(occurring.sum()),
        "mean_average_precision": float(
            np.mean([average_precision(t, s) for t, s in zip(truth.T, score.T, strict=True)])
        ),
        "brier": brier(truth, score),
        "brier_skill": brier_skill(truth, score),
        "expected_calibration_error": expected_calibration_error(truth, score),
    }
