"""Fitting the views: one vectorisation shared by all tags, one logistic regression a tag and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from classifiers.dataset import Dataset
from classifiers.documents import Targets, passage_targets, post_targets, quotes, sentence_targets
from classifiers.features import Corpus, Encoder, Matrix
from classifiers.linear import Scope, pool

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Fitted = tuple[npt.NDArray[np.float32], np.float32]
"""The weights (n_terms,) and the bias of one tag in one view."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What a fit needs to know: ``inverse_penalty`` is scikit-learn's ``C``, the rest as in TrainingOptions."""

    inverse_penalty: float
    sharpness: float
    sentence_view: bool


@dataclass(frozen=True, slots=True)
class ViewRows:
    """A view's training rows with their targets, and the posts (or all posts' sentences) it can score.

    ``rows`` is (n_rows, n_terms); ``scored`` is (n_posts, n_terms), or (n_sentences, n_terms) for a
    sentence view.
    """

    name: str
    scope: Scope
    rows: Matrix
    targets: Targets
    scored: Matrix


class Material:
    """The counts of all posts, sentences and quotes of a dataset, made once.

    Parameters
    ----------
    evidence
        Whether quotes, and the sentences they touch, are training rows.
    """

    def __init__(self, dataset: Dataset, corpus: Corpus, encoder: Encoder, *, evidence: bool) -> None:
        self.corpus = corpus
        self._encoder = encoder
        self._sentences = encoder.counts(corpus)
        self._posts = corpus.sums @ self._sentences
        self._post_targets = post_targets(dataset)
        self._sentence_targets = sentence_targets(dataset, corpus)
        texts, spans, post_of = quotes(dataset) if evidence else ([], [], np.zeros(0, dtype=np.int64))
        quote_corpus = Corpus.of(texts)
        self._quotes = quote_corpus.sums @ encoder.counts(quote_corpus)
        self._quote_targets = passage_targets(dataset, spans, post_of)

    def known_terms(self, posts: Bools, min_df: npt.NDArray[np.int64]) -> Bools:
        """Return which terms (n_terms,) a model trained on ``posts`` (n_posts,) alone would have."""
        chosen = self._posts[np.flatnonzero(posts)]
        return np.asarray(np.bincount(chosen.indices, minlength=chosen.shape[1]) >= min_df)

    def views(self, known: Bools | None, options: FitOptions) -> list[ViewRows]:
        """Return the rows of every view, made of the ``known`` terms only (None: of all)."""
        posts, quoted = self._features(self._posts, known), self._features(self._quotes, known)
        views = [_view("post", posts, quoted, self._post_targets.joined(self._quote_targets))]
        if options.sentence_view and quoted.shape[0]:
            sentences = self._features(self._sentences, known)
            views.append(
                _view("sentence", sentences, quoted, self._sentence_targets.joined(self._quote_targets))
            )
        return views

    def _features(self, counts: Matrix, known: Bools | None) -> Matrix:
        if known is not None:
            counts = counts.copy()
            counts.data = counts.data * known[counts.indices]
            counts.eliminate_zeros()
        return self._encoder.tfidf(counts)


def fit_tag(views: Sequence[ViewRows], tag: int, posts: Bools, options: FitOptions) -> list[Fitted]:
    """Fit one tag's views on the rows that come from ``posts`` (n_posts,)."""
    with threadpool_limits(limits=1):
        return [_fit(view, tag, posts[view.targets.post_of], options) for view in views]


def score_tag(
    views: Sequence[ViewRows], fitted: Sequence[Fitted], corpus: Corpus, options: FitOptions
) -> Floats:
    """Return the uncalibrated scores (n_posts,) of one tag: the mean of its views."""
    total = np.zeros(len(corpus.texts))
    for view, (weights, bias) in zip(views, fitted, strict=True):
        scores = np.asarray(view.scored @ weights, dtype=np.float64)
        if view.scope == "sentence":
            scores = pool(scores[:, None], corpus, options.sharpness)[:, 0]
        total += scores + bias
    return total / len(views)


def _view(scope: Scope, scored: Matrix, quoted: Matrix, targets: Targets) -> ViewRows:
    rows = sparse.csr_array(sparse.vstack([scored, quoted], format="csr"))
    # scikit-learn's solvers insist on 32-bit indices.
    rows.indices, rows.indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    return ViewRows(scope, scope, rows, targets, scored)


def _fit(view: ViewRows, tag: int, usable: Bools, options: FitOptions) -> Fitted:
    """Fit one logistic regression in which both classes weigh the same.

    Soft labels enter as weights of both.
    """
    yes, no = view.targets.yes[:, tag] * usable, view.targets.no[:, tag] * usable
    rows_yes, rows_no = np.flatnonzero(yes), np.flatnonzero(no)
    if not len(rows_yes) or not len(rows_no):
        return np.zeros(view.rows.shape[1], dtype=np.float32), np.float32(0)
    total = yes.sum() + no.sum()
    weight = np.concatenate([yes[rows_yes] * total / 2 / yes.sum(), no[rows_no] * total / 2 / no.sum()])
    label = np.repeat([1, 0], [len(rows_yes), len(rows_no)])
    # lbfgs draws no random numbers, and does not penalise the intercept.
    estimator = LogisticRegression(C=options.inverse_penalty, solver="lbfgs", tol=1e-3, max_iter=1000)
    estimator.fit(view.rows[np.concatenate([rows_yes, rows_no])], label, sample_weight=weight)
    return estimator.coef_[0].astype(np.float32), np.float32(estimator.intercept_[0])
