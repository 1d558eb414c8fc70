"""The second stage: from the views' scores to log-odds, learnt from scores of posts that the views had not seen.

``z_t = sum over views of (a_v + d_vt) s_vt + b_t + sum over tags u of m_ut mean_v(s_vu)``, over scores that
are standardised by tag and view.  The views' weights ``a`` are free; a tag's deviations ``d`` and what other
tags tell about it ``m`` are drawn to zero, so that tags with few examples go by what all have in common.  The
result is calibrated since it is fitted by the likelihood of unseen posts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from classifiers.scored import ViewName

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_PENALTY = 30.0
_BIAS_PENALTY = 0.05
_EVIDENCE_RATIO: dict[ViewName, float] = {"documents": 1, "sentences": 1, "centroids": 2}


@dataclass(frozen=True, slots=True)
class SecondStage:
    """Fitted parameters: weights (n_views, n_tags), bias (n_tags,), and between tags (n_tags, n_tags)."""

    weights: Floats
    bias: Floats
    between: Floats

    def scores(self, standard: Floats) -> Floats:
        """Return log-odds (n_posts, n_tags) of standardised scores (n_views, n_posts, n_tags)."""
        own = np.einsum("vnt,vt->nt", standard, self.weights)
        return np.asarray(own + self.bias + standard.mean(axis=0) @ self.between)


def fit_second_stage(standard: Floats, shares: Floats, *, coupling: bool) -> SecondStage:
    """Fit on standardised scores (n_views, n_posts, n_tags) and label shares (n_posts, n_tags).

    ``coupling`` says whether tags may tell about one another.
    """
    n_views, _, n_tags = standard.shape
    mean = standard.mean(axis=0)
    sizes = np.cumsum([n_views, n_views * n_tags, n_tags])

    def unpacked(values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        common, own, bias, between = np.split(values, sizes)
        return common, own.reshape(n_views, n_tags), bias, between.reshape(-1, n_tags)

    def loss(values: Floats) -> tuple[float, Floats]:
        common, own, bias, between = unpacked(values)
        z = np.einsum("vnt,vt->nt", standard, common[:, None] + own) + bias
        if coupling:
            z += mean @ between
        error = expit(z) - shares
        by_view = np.einsum("vnt,nt->vt", standard, error)
        penalty = _PENALTY / 2 * ((own**2).sum() + (between**2).sum()) + _BIAS_PENALTY / 2 * (bias**2).sum()
        slopes = [
            by_view.sum(axis=1),
            (by_view + _PENALTY * own).ravel(),
            error.sum(0) + _BIAS_PENALTY * bias,
        ]
        if coupling:
            slopes.append((mean.T @ error + _PENALTY * between).ravel())
        return float((np.logaddexp(0, z) - shares * z).sum() + penalty), np.concatenate(slopes)

    start = np.zeros(sizes[-1] + (n_tags * n_tags if coupling else 0))
    start[:n_views] = 0.5
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-8})
    common, own, bias, between = unpacked(found.x)
    return SecondStage(common[:, None] + own, bias, between if coupling else np.zeros((n_tags, n_tags)))


def combine(
    held_out: Floats, shares: Floats, fold: Ints, *, coupling: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Floats]:
    """Fit the second stage.

    Parameters
    ----------
    held_out
        Every view's score of every post by a model that has not seen it, (n_views, n_posts, n_tags).
    fold
        The fold of every post, (n_posts,).

    Returns
    -------
    tuple
        ``mix`` and ``offset`` of the :class:`classifiers.linear.Combination`, and the log-odds (n_posts,
        n_tags) of every post by a second stage that has not seen it either.
    """
    centre = held_out.mean(axis=1, keepdims=True)
    spread = held_out.std(axis=1, keepdims=True)
    spread[spread <= 1e-9] = 1.0
    standard = (held_out - centre) / spread
    unseen = np.zeros(shares.shape)
    for number in np.unique(fold):
        stage = fit_second_stage(standard[:, fold != number], shares[fold != number], coupling=coupling)
        unseen[fold == number] = stage.scores(standard[:, fold == number])
    stage = fit_second_stage(standard, shares, coupling=coupling)
    n_views, _, n_tags = held_out.shape
    mix = stage.between[None] / n_views / spread[:, 0, :, None]
    mix[:, np.arange(n_tags), np.arange(n_tags)] += stage.weights / spread[:, 0]
    offset = stage.bias - np.einsum("vt,vtu->u", centre[:, 0], mix)
    return mix.astype(np.float32), offset.astype(np.float32), unseen


def evidence_scale(
    of_sentences: Floats, views: tuple[ViewName, ...]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return what each view counts for in the strength of a sentence, and the offset.

    Parameters
    ----------
    of_sentences
        Every view's score of unseen sentences, (n_views, n_sentences, n_tags).
    """
    ratio = np.array([_EVIDENCE_RATIO[name] for name in views])
    spread = of_sentences.std(axis=1)
    spread[spread <= 1e-9] = np.inf
    scale = (ratio / ratio.sum())[:, None] / spread
    offset = -(scale * of_sentences.mean(axis=1)).sum(axis=0)
    return scale.astype(np.float32), offset.astype(np.float32)
