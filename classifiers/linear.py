"""The scoring function: linear views over TF-IDF features, one of them pooled over sentences, and their average.

A post's uncalibrated score for a tag (log-odds) is the mean of its views' scores.  A view over the whole
post is linear.  A view over sentences is the average of the sentences' linear scores, each weighted by the
softmax of ``sharpness * score``: a soft maximum that still splits exactly into what every token adds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from classifiers.features import Block, Corpus, Encoder, Matrix

Floats = npt.NDArray[np.float64]
Scope = Literal["post", "sentence"]
_BATCH = 256
_BATCH_CHARACTERS = 200_000


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
class Scored:
    """Some texts with their scores and what these were made of.

    Attributes
    ----------
    counts, features
        For every scope in use, the terms' counts and the features made of them, shape (n_rows, n_terms),
        with the same stored entries; a row is a text or a sentence.  Sentences are always counted.
    linear
        The linear scores of every view without its bias, shape (n_rows, n_tags).
    scores
        The uncalibrated scores, shape (n_texts, n_tags).
    """

    corpus: Corpus
    counts: Mapping[Scope, Matrix]
    features: Mapping[Scope, Matrix]
    linear: Sequence[Floats]
    scores: Floats


class LinearModel:
    """Views over shared blocks of features; ``tag_ids`` names the columns of all weights."""

    def __init__(
        self, blocks: Sequence[Block], views: Sequence[View], tag_ids: Sequence[str], sharpness: float
    ) -> None:
        self.blocks = tuple(blocks)
        self.views = tuple(views)
        self.tag_ids = tuple(tag_ids)
        self.sharpness = sharpness
        self.encoder = Encoder(blocks)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Return the uncalibrated scores (log-odds) of ``texts``, shape (n_texts, n_tags)."""
        parts = [part.scores for part in self.scored(texts)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.tag_ids)))

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Score ``texts`` in batches that fit into memory, in order."""
        for batch in _batches(texts):
            yield self._score(Corpus.of(batch))

    @property
    def base(self) -> Floats:
        """Shape (n_tags,): the scores of a text without any known term."""
        return np.asarray(np.mean([view.bias for view in self.views], axis=0, dtype=np.float64))

    def _score(self, corpus: Corpus) -> Scored:
        scopes = {view.scope for view in self.views}
        counts: dict[Scope, Matrix] = {"sentence": self.encoder.counts(corpus)}
        if "post" in scopes:
            counts["post"] = corpus.sums @ counts["sentence"]
        features = {scope: self.encoder.tfidf(found) for scope, found in counts.items() if scope in scopes}
        linear = [np.asarray(features[view.scope] @ view.weights, dtype=np.float64) for view in self.views]
        total = np.zeros((len(corpus.texts), len(self.tag_ids)))
        for view, found in zip(self.views, linear, strict=True):
            total += found if view.scope == "post" else pool(found, corpus, self.sharpness)
        return Scored(corpus, counts, features, linear, total / len(self.views) + self.base)


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut ``texts`` into runs of a bounded number and, but for a single text, of bounded length."""
    first, size = 0, 0
    for number, text in enumerate(texts):
        if number > first and (number - first == _BATCH or size + len(text) > _BATCH_CHARACTERS):
            yield texts[first:number]
            first, size = number, 0
        size += len(text)
    if first < len(texts):
        yield texts[first:]


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
