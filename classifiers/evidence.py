"""Which passages of a text speak for a tag: sentences, or the best 40 words in a row of a longer one.

What a sentence adds to the score follows from counts that the scoring has at hand; only a long sentence is
looked at word by word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from classifiers.features import Matrix
from classifiers.linear import LinearModel, Scored, pooling_weights
from classifiers.predictions import Evidence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MAX_PASSAGES = 3
MAX_WORDS = 40


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages of scored texts.

    Attributes
    ----------
    weights
        Shape (n_sentences, n_tags), what the passage of every sentence adds to the uncalibrated scores.
    starts
        For every long sentence, the first word of its passage for every tag, shape (n_tags,).
    """

    scored: Scored
    weights: Floats
    starts: Mapping[int, Ints]

    def best(self, row: int, column: int) -> tuple[Evidence, ...]:
        """Return up to three passages of a text that add most to a tag, the strongest first.

        None that speaks against it.
        """
        corpus = self.scored.corpus
        first, last = np.searchsorted(corpus.text_of, [row, row + 1]).tolist()
        weights = self.weights[first:last, column]
        order = np.argsort(-weights, kind="stable")[:MAX_PASSAGES].tolist()
        return tuple(self._passage(row, first + i, column) for i in order if weights[i] > 0)

    def _passage(self, row: int, sentence: int, column: int) -> Evidence:
        first = int(self.starts[sentence][column]) if sentence in self.starts else 0
        tokens = self.scored.corpus.tokens[sentence][first : first + MAX_WORDS]
        start, end = tokens[0].start, tokens[-1].end
        text = self.scored.corpus.texts[row][start:end]
        return Evidence(start, end, text, float(self.weights[sentence, column]))


def passages(model: LinearModel, scored: Scored, wanted: npt.NDArray[np.bool_]) -> Passages:
    """Find the passages of the ``wanted`` texts, shape (n_texts,)."""
    corpus = scored.corpus
    weights = sentence_parts(model, scored)
    lengths = np.fromiter(map(len, corpus.tokens), dtype=np.int64, count=len(corpus.tokens))
    long = np.flatnonzero((lengths > MAX_WORDS) & wanted[corpus.text_of])
    starts: dict[int, Ints] = {}
    if len(long):
        added = token_parts(model, scored, long)
        for number, (first, last) in zip(long, pairwise(np.cumsum([0, *lengths[long]])), strict=True):
            starts[int(number)], weights[number] = _best_windows(added[first:last])
    return Passages(scored, weights, starts)


def sentence_parts(model: LinearModel, scored: Scored) -> Floats:
    """Return what every sentence adds to the uncalibrated scores, shape (n_sentences, n_tags).

    The sentences of a text and ``model.base`` add up to its scores.
    """
    text_of = scored.corpus.text_of
    total = np.zeros((len(text_of), len(model.tag_ids)))
    for view, linear in zip(model.views, scored.linear, strict=True):
        if view.scope == "sentence":
            total += linear * pooling_weights(linear, text_of, model.sharpness)
        else:
            parts = _shared(
                scored.counts["sentence"], text_of, scored.counts["post"], scored.features["post"]
            )
            total += parts @ view.weights
    return total / len(model.views)


def token_parts(model: LinearModel, scored: Scored, sentences: Ints) -> Floats:
    """Return what the tokens of ``sentences`` (ascending) add to the uncalibrated scores, shape (n_tokens, n_tags).

    The tokens of a sentence add up to what the sentence adds.
    """
    corpus = scored.corpus
    tokens = [corpus.tokens[number] for number in sentences]
    parts = model.encoder.token_terms(tokens)
    sentence_of = np.repeat(sentences, [len(each) for each in tokens])
    total = np.zeros((parts.shape[0], len(model.tag_ids)))
    for view, linear in zip(model.views, scored.linear, strict=True):
        row_of = sentence_of if view.scope == "sentence" else corpus.text_of[sentence_of]
        shared = _shared(parts, row_of, scored.counts[view.scope], scored.features[view.scope])
        added = np.asarray(shared @ view.weights, dtype=np.float64)
        if view.scope == "sentence":
            added *= pooling_weights(linear, corpus.text_of, model.sharpness)[sentence_of]
        total += added
    return total / len(model.views)


def _shared(parts: Matrix, row_of: Ints, counts: Matrix, features: Matrix) -> Matrix:
    """Share each row's features out among its parts, in proportion to their counts.

    Parameters
    ----------
    parts
        The counts of parts of the rows, shape (n_parts, n_terms).
    row_of
        The row of every part, ascending, shape (n_parts,).
    counts, features
        The rows' counts and the features made of them, shape (n_rows, n_terms), with the same stored entries.
    """
    ratio = features.data / counts.data
    factor = np.zeros(counts.shape[1], dtype=np.float32)
    data = parts.data.copy()
    rows, first = np.unique(row_of, return_index=True)
    bounds = parts.indptr[[*first, len(row_of)]]
    for row, (start, end) in zip(rows, pairwise(bounds), strict=True):
        # Not cleared between rows: a part has no terms but those of its row.
        entries = slice(counts.indptr[row], counts.indptr[row + 1])
        factor[counts.indices[entries]] = ratio[entries]
        data[start:end] *= factor[parts.indices[start:end]]
    return sparse.csr_array((data, parts.indices, parts.indptr), shape=parts.shape)


def _best_windows(added: Floats) -> tuple[Ints, Floats]:
    """Return, for every tag, where the best run of 40 words starts and what it adds, both (n_tags,)."""
    sums = np.concatenate([np.zeros((1, added.shape[1])), np.cumsum(added, axis=0)])
    windows = sums[MAX_WORDS:] - sums[:-MAX_WORDS]
    starts = windows.argmax(axis=0)
    return starts, windows[starts, np.arange(added.shape[1])]
