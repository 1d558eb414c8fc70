"""The learner of ``benchmarks.queue``: logistic regressions of all tags at once, over a Gram matrix made once a corpus.

Features are TF-IDF of words and characters as in the product's post view; quotes are training rows of their own;
both classes weigh the same; the penalty is the product's. A fit costs a few products with a block of the Gram matrix,
whatever the number of tags, so that thousands of fits take minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.queue_corpora import Corpus

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_PENALTY = 0.1  # 1 / (2 C) times 2, C = 10
_HISTORY = 6
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Material:
    """A corpus vectorised: the Gram matrix of posts and, after them, quotes, and what each row says of every tag.

    ``features`` (n_posts, n_terms) are the posts' own vectors, for strategies that want them.
    """

    corpus: Corpus
    gram: Floats
    yes: Floats
    no: Floats
    post_of: Ints
    features: sparse.csr_matrix

    @classmethod
    def of(cls, corpus: Corpus) -> Material:
        """Vectorise the posts and quotes of a corpus."""
        blocks = [
            TfidfVectorizer(
                ngram_range=(1, 2), token_pattern=r"\w+", sublinear_tf=True, min_df=2, dtype=np.float32
            ),
            TfidfVectorizer(
                analyzer="char_wb",
                ngram_range=(3, 5),
                sublinear_tf=True,
                min_df=2,
                dtype=np.float32,
                max_features=200_000,
            ),
        ]
        posts = sparse.hstack([block.fit_transform(corpus.texts) for block in blocks], format="csr")
        rows = posts
        if corpus.quotes:
            quoted = sparse.hstack([block.transform(corpus.quotes) for block in blocks], format="csr")
            rows = sparse.vstack([posts, quoted], format="csr")
        gram = np.empty((rows.shape[0], rows.shape[0]), dtype=np.float32)
        other = rows.T.tocsr()
        for first in range(0, rows.shape[0], 500):
            gram[first : first + 500] = (rows[first : first + 500] @ other).toarray()
        gram += 1  # a constant feature: the intercept
        gold = corpus.gold.astype(np.float32)
        return cls(
            corpus,
            gram,
            np.concatenate([gold, corpus.quote_yes.astype(np.float32)]),
            np.concatenate([1 - gold, corpus.quote_no.astype(np.float32)]),
            np.concatenate([np.arange(len(gold)), corpus.quote_post]),
            posts,
        )

    def rows_of(self, posts: Ints, *, evidence: bool) -> Ints:
        """Return the training rows that labelled posts bring: themselves and, with ``evidence``, their quotes."""
        if not evidence:
            return posts
        n_posts = len(self.corpus.texts)
        quotes = np.flatnonzero(np.isin(self.post_of[n_posts:], posts)) + n_posts
        return np.concatenate([posts, quotes])


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients (n_rows, n_tags) of training rows; ``known`` (n_tags,) are the tags with both classes."""

    rows: Ints
    coefficients: Floats
    known: npt.NDArray[np.bool_]
    n_positive: Ints
    n_labelled: int

    def margins(self, material: Material, posts: Ints) -> Floats:
        """Return the log-odds (n_posts, n_tags) under even odds; 0 for a tag that is not known."""
        return np.asarray(material.gram[np.ix_(posts, self.rows)] @ self.coefficients)

    def probabilities(self, material: Material, posts: Ints) -> npt.NDArray[np.float64]:
        """Return probabilities at the labelled posts' prevalence; NaN for a tag that is not known."""
        share = (self.n_positive + 0.5) / (self.n_labelled + 1)
        found = expit(self.margins(material, posts).astype(np.float64) + np.log(share / (1 - share)))
        found[:, ~self.known] = np.nan
        return found


def fit(material: Material, labelled: Ints, *, evidence: bool, start: Fit | None = None) -> Fit:
    """Fit all tags on the labelled posts, starting from the coefficients of another fit."""
    rows = material.rows_of(labelled, evidence=evidence)
    yes, no = material.yes[rows], material.no[rows]
    gold = material.corpus.gold[labelled]
    known = gold.any(axis=0) & ~gold.all(axis=0)
    total = yes.sum(axis=0) + no.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        yes = np.where(known, yes * total / 2 / yes.sum(axis=0), 0).astype(np.float32)
        no = np.where(known, no * total / 2 / no.sum(axis=0), 0).astype(np.float32)
    initial = np.zeros((len(rows), yes.shape[1]), dtype=np.float32)
    if start is not None:
        position = {int(row): number for number, row in enumerate(rows)}
        kept = [number for number, row in enumerate(start.rows) if int(row) in position]
        initial[[position[int(start.rows[number])] for number in kept]] = start.coefficients[kept] * known
    coefficients = _minimise(np.ascontiguousarray(material.gram[np.ix_(rows, rows)]), yes, no, initial)
    return Fit(rows, coefficients, known, gold.sum(axis=0), len(labelled))


def _minimise(gram: Floats, yes: Floats, no: Floats, start: Floats) -> Floats:
    """Minimise the penalised logistic loss of every column by L-BFGS in the space that ``gram`` spans.

    Inner products are those of the weight vectors; one product with the Gram matrix a step.
    """
    current, margin = start.copy(), gram @ start
    history: list[tuple[Floats, Floats, Floats, Floats, Floats]] = []
    gradient, value = _slope(current, margin, yes, no)
    image = gram @ gradient
    first = np.maximum((gradient * image).sum(axis=0), 1e-12)
    for _ in range(_STEPS):
        step, step_image = _direction(gradient, image, history)
        slope = (step * image).sum(axis=0)
        length = np.ones(current.shape[1], dtype=np.float32)
        if not history:
            length = np.minimum(1, 1 / np.sqrt(np.maximum((step * step_image).sum(axis=0), 1e-12)))
        for _ in range(12):
            new, new_margin = current + length * step, margin + length * step_image
            new_gradient, new_value = _slope(new, new_margin, yes, no)
            bad = new_value > value + 1e-4 * length * slope + 1e-6 * np.abs(value)
            if not bad.any():
                break
            length = np.where(bad, length / 2, length)
        new_image = gram @ new_gradient
        s, s_image = length * step, length * step_image
        y, y_image = new_gradient - gradient, new_image - image
        history = [
            *history[-_HISTORY + 1 :],
            (s, s_image, y, y_image, np.maximum((s_image * y).sum(axis=0), 1e-10)),
        ]
        current, margin, gradient, image, value = new, new_margin, new_gradient, new_image, new_value
        if np.all((gradient * image).sum(axis=0) <= 1e-5 * first):
            break
    return current


def _slope(current: Floats, margin: Floats, yes: Floats, no: Floats) -> tuple[Floats, Floats]:
    """Return the gradient's coefficients and the value of every column."""
    loss = (yes * np.logaddexp(0, -margin) + no * np.logaddexp(0, margin)).sum(axis=0)
    value = loss + _PENALTY / 2 * (current * margin).sum(axis=0)
    odds = expit(margin)
    return (no * odds - yes * (1 - odds) + _PENALTY * current).astype(np.float32), value


def _direction(
    gradient: Floats, image: Floats, history: list[tuple[Floats, Floats, Floats, Floats, Floats]]
) -> tuple[Floats, Floats]:
    """Return the quasi-Newton step and its product with the Gram matrix, by the two-loop recursion."""
    step, step_image = gradient, image
    weights = []
    for _, s_image, y, y_image, curvature in reversed(history):
        weight = (s_image * step).sum(axis=0) / curvature
        weights.append(weight)
        step, step_image = step - weight * y, step_image - weight * y_image
    if history:
        _, _, y, y_image, curvature = history[-1]
        scale = curvature / np.maximum((y * y_image).sum(axis=0), 1e-12)
        step, step_image = scale * step, scale * step_image
    for (s, s_image, _, y_image, curvature), weight in zip(history, reversed(weights), strict=True):
        back = (y_image * step).sum(axis=0) / curvature
        step, step_image = step + (weight - back) * s, step_image + (weight - back) * s_image
    return -step, -step_image
