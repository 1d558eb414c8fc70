"""The scoring function: linear views over TF-IDF features, one of them pooled over sentences, and their average.

A post's uncalibrated score for a tag (log-odds) is the mean of its views' scores.  A view over the whole
post is linear.  A view over sentences is the average of the sentences' linear scores, each weighted by the
softmax of ``sharpness * score``: a soft maximum that still splits exactly into what every token adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from classifiers.features import Block, Corpus, Encoder, Matrix

Floats = npt.NDArray[np.float64]
Scope = Literal["post", "sentence"]
_BATCH = 256


@dataclass(frozen=True, slots=True)
class View:
    """One linear view.

    Attributes
    ----------
    scope
        Whether it scores whole posts, or sentences that are then pooled.
    weights
        Shape (n_terms, n_tags), float32.
    bias
        Shape (n_tags,), float32.
    """

    name: str
    scope: Scope
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenContributions:
    """What every token adds to the uncalibrated scores: they and ``base`` add up to the scores.

    ``added`` has shape (n_tokens, n_tags), the tokens of all sentences of ``corpus`` one after the other;
    ``base`` has shape (n_tags,).
    """

    corpus: Corpus
    added: Floats
    base: Floats


class LinearModel:
    """Views over shared blocks of features; ``tag_ids`` names the columns of all weights."""

    def __init__(
        self, blocks: Sequence[Block], views: Sequence[View], tag_ids: Sequence[str], sharpness: float
    ) -> None:
        self.blocks = tuple(blocks)
        self.views = tuple(views)
        self.tag_ids = tuple(tag_ids)
        self.sharpness = sharpness
        self._encoder = Encoder(blocks)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Return the uncalibrated scores (log-odds) of ``texts``, shape (n_texts, n_tags)."""
        parts = [self._batch(texts[i : i + _BATCH]) for i in range(0, len(texts), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.tag_ids)))

    def contributions(self, text: str) -> TokenContributions:
        """Split the scores of one text into what its tokens add."""
        corpus = Corpus.of([text])
        encoder = self._encoder
        counts = encoder.counts(corpus)
        parts, sentence_of = encoder.token_terms(corpus), corpus.sentence_of
        added = np.zeros((parts.shape[0], len(self.tag_ids)))
        for view in self.views:
            if view.scope == "post":
                whole = corpus.sums @ counts
                added += (
                    _shared(parts, np.zeros_like(sentence_of), whole, encoder.tfidf(whole)) @ view.weights
                )
            else:
                values = encoder.tfidf(counts)
                shares = pooling_weights(values @ view.weights, corpus.text_of, self.sharpness)
                added += (_shared(parts, sentence_of, counts, values) @ view.weights) * shares[sentence_of]
        base = np.asarray(np.mean([view.bias for view in self.views], axis=0, dtype=np.float64))
        return TokenContributions(corpus, added / len(self.views), base)

    def _batch(self, texts: Sequence[str]) -> Floats:
        corpus = Corpus.of(texts)
        counts = self._encoder.counts(corpus)
        values: dict[Scope, Matrix] = {}
        total = np.zeros((len(texts), len(self.tag_ids)))
        for view in self.views:
            if view.scope not in values:
                values[view.scope] = self._encoder.tfidf(
                    corpus.sums @ counts if view.scope == "post" else counts
                )
            scores = np.asarray(values[view.scope] @ view.weights, dtype=np.float64)
            if view.scope == "sentence":
                scores = pool(scores, corpus, self.sharpness)
            total += scores + view.bias
        return total / len(self.views)


def _shared(parts: Matrix, row_of: npt.NDArray[np.int64], counts: Matrix, values: Matrix) -> Matrix:
    """Return each token's part in the features of its row, shape (n_tokens, n_terms).

    Parameters
    ----------
    parts
        Each token's part in the counts of its row, shape (n_tokens, n_terms).
    row_of
        The row of every token, shape (n_tokens,).
    counts, values
        The rows' counts and the features made of them, shape (n_rows, n_terms), with the same stored entries.
    """
    n_terms = counts.shape[1]
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    places = rows * n_terms + counts.indices
    order = np.argsort(places)
    wanted = np.repeat(row_of, np.diff(parts.indptr)) * n_terms + parts.indices
    entry = order[np.searchsorted(places, wanted, sorter=order)]
    shared = parts.copy()
    shared.data = parts.data * (values.data[entry] / counts.data[entry])
    return shared


def pool(scores: Floats, corpus: Corpus, sharpness: float) -> Floats:
    """Return the pooled scores of every text, shape (n_texts, n_tags); 0 for a text without a sentence.

    Parameters
    ----------
    scores
        Shape (n_sentences, n_tags).
    """
    return np.asarray(
        corpus.sums @ (scores * pooling_weights(scores, corpus.text_of, sharpness)), dtype=np.float64
    )


def pooling_weights(scores: Floats, text_of: npt.NDArray[np.int64], sharpness: float) -> Floats:
    """Return the weight of every sentence in its text, shape (n_sentences, n_tags).

    A text's weights add up to 1.
    """
    if not len(text_of):
        return np.zeros(scores.shape)
    first = np.flatnonzero(np.diff(text_of, prepend=-1))
    segment = np.cumsum(np.diff(text_of, prepend=-1) > 0) - 1
    peak = np.maximum.reduceat(scores, first, axis=0)
    raised = np.exp(sharpness * (np.asarray(scores, dtype=np.float64) - peak[segment]))
    return np.asarray(raised / np.add.reduceat(raised, first, axis=0)[segment])
