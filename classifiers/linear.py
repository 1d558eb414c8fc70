"""The scoring function: three linear views of a post over vectors of its words, and how they are put together.

``documents`` looks at the whole post, ``sentences`` at every sentence, pooled by a soft maximum, ``centroids``
at how near the nearest sentence comes to what the codebook's cues and the annotators' quotes have in common.
A post's log-odds for a tag are linear in the views' scores, those of the other tags included.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from classifiers.features import (
    Block,
    Corpus,
    Kind,
    Matrix,
    WordKey,
    Words,
    columns_times,
    damped,
    present,
    scales,
    term_matrices,
)
from classifiers.languages import identify, stemming_language
from classifiers.scored import Floats, Floats32, Scored, Sentences, ViewName, WordVectors
from classifiers.tokens import is_word

Ints = npt.NDArray[np.int64]
TEMPERATURE = 0.5
"""Of the soft maximum over sentences: the lower, the more the best sentence decides alone."""
_BATCH = 256
_BATCH_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class View:
    """One view's weights (n_terms, n_tags) and bias (n_tags,), float32.

    ``sentences`` weighs stems alone, the others stems and then grams; ``centroids`` has a bias of 0.
    """

    name: ViewName
    weights: Floats32
    bias: Floats32


@dataclass(frozen=True, slots=True)
class Combination:
    """How the views' scores make the log-odds of every tag, and the strength of a sentence as evidence.

    Attributes
    ----------
    mix
        Shape (n_views, n_tags, n_tags): ``log-odds = offset + sum over views of scores @ mix[view]``.
    offset
        Shape (n_tags,).
    evidence_scale, evidence_offset
        Shapes (n_views, n_tags) and (n_tags,): a sentence's strength is ``evidence_offset + sum over views of
        evidence_scale[view] * score[view]``, in standard deviations above the average training sentence.
    """

    mix: Floats32
    offset: Floats32
    evidence_scale: Floats32
    evidence_offset: Floats32


def word_vectors(terms: Mapping[Kind, Matrix], blocks: Sequence[Block], views: Sequence[View]) -> WordVectors:
    """Return the vectors of words from the counts of their terms."""
    joint, alone = weighed(terms, blocks), columns_times(terms["stems"], blocks[0].idf)
    parts = {view.name: (alone if view.name == "sentences" else joint) @ view.weights for view in views}
    return WordVectors(parts, mass_of(joint))


def weighed(terms: Mapping[Kind, Matrix], blocks: Sequence[Block]) -> Matrix:
    """Return the vectors of words over stems and grams, shape (n_words, n_terms)."""
    parts = [columns_times(terms[block.kind], block.weights) for block in blocks]
    return sparse.csr_array(sparse.hstack(parts, format="csr"))


def mass_of(joint: Matrix) -> Floats32:
    """Return the squared length of every word's vector, shape (n_words,)."""
    squares = sparse.csr_array((joint.data**2, joint.indices, joint.indptr), shape=joint.shape)
    return np.asarray(squares.sum(axis=1), dtype=np.float32).ravel()


def sentence_scores(counts: Matrix, vectors: WordVectors, views: Sequence[View]) -> Floats:
    """Return what every view says of every sentence by itself, shape (n_views, n_sentences, n_tags)."""
    found = []
    for view in views:
        parts = vectors.parts[view.name]
        matrix = damped(counts) if view.name == "documents" else present(counts)
        scores = np.asarray(matrix @ parts, dtype=np.float64)
        if view.name != "sentences":
            scores /= scales(matrix, vectors.mass)[:, None]
        found.append(scores + view.bias)
    return np.stack(found)


def view_scores(
    post_counts: Matrix, of_sentences: Floats, text_of: Ints, vectors: WordVectors, views: Sequence[View]
) -> Floats:
    """Return the scores of all views, shape (n_views, n_texts, n_tags).

    Parameters
    ----------
    of_sentences
        The result of :func:`sentence_scores`.
    text_of
        The text of every sentence, ascending.
    """
    n_texts = post_counts.shape[0]
    found: list[Floats] = []
    for view, sentences in zip(views, of_sentences, strict=True):
        if view.name == "documents":
            matrix = damped(post_counts)
            scores = np.asarray(matrix @ vectors.parts["documents"], dtype=np.float64)
            found.append(scores / scales(matrix, vectors.mass)[:, None] + view.bias)
        else:
            pooled = np.tile(view.bias.astype(np.float64), (n_texts, 1))
            if len(text_of):
                first = np.flatnonzero(np.diff(text_of, prepend=-1))
                pooled[text_of[first]] = _pooled(sentences, text_of, first, soft=view.name == "sentences")
            found.append(pooled)
    return np.stack(found)


class LinearModel:
    """Views over blocks of terms; ``tag_ids`` names the columns of all weights.

    Remembers the vectors of words it has met, up to a bound; safe to share between threads.

    Parameters
    ----------
    blocks
        The stems, then the grams.
    languages
        The languages whose words the model knows, the most frequent first.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        views: Sequence[View],
        combination: Combination,
        tag_ids: Sequence[str],
        languages: Sequence[str],
    ) -> None:
        self.blocks = tuple(blocks)
        self.views = tuple(views)
        self.combination = combination
        self.tag_ids = tuple(tag_ids)
        self.languages = tuple(languages)
        self._table = _WordTable(self.blocks, self.views)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Return the log-odds of ``texts``, shape (n_texts, n_tags)."""
        parts = [part.scores for part in self.scored(texts)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.tag_ids)))

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Score ``texts`` in batches that fit into memory, in order."""
        for batch in batches(texts):
            yield self._score(batch)

    def _score(self, texts: Sequence[str]) -> Scored:
        identified = [identify(text) for text in texts]
        languages = [
            stemming_language(text, language, self.languages)
            for text, language in zip(texts, identified, strict=True)
        ]
        corpus = Corpus.of(texts, languages)
        words = Words()
        post_counts, counts = words.count_texts(corpus), words.count_sentences(corpus)
        vectors = self._table.vectors(list(words.numbers))
        of_sentences = sentence_scores(counts, vectors, self.views)
        by_view = view_scores(post_counts, of_sentences, corpus.text_of, vectors, self.views)
        # Not a matrix product: its sums would depend on how many texts there are.
        scores = np.einsum("vnt,vtu->nu", by_view, self.combination.mix, optimize=False)
        how = self.combination

        def sentences() -> Sentences:
            strengths = np.einsum("vst,vt->st", of_sentences, how.evidence_scale) + how.evidence_offset
            return _laid_out(corpus, words, vectors, strengths)

        return Scored(texts, identified, scores + how.offset, sentences)


def _laid_out(corpus: Corpus, words: Words, vectors: WordVectors, strengths: Floats) -> Sentences:
    """Return the sentences of a corpus as arrays."""
    tokens = [token for sentence in corpus.tokens for token in sentence]
    languages = [
        corpus.languages[text]
        for text, sentence in zip(corpus.text_of, corpus.tokens, strict=True)
        for _ in sentence
    ]
    numbers = [words.numbers[language, token.form] for language, token in zip(languages, tokens, strict=True)]
    return Sentences(
        spans=np.array([(token.start, token.end) for token in tokens], dtype=np.int64).reshape(-1, 2),
        is_word=np.array([is_word(token.form) for token in tokens], dtype=np.bool_),
        words=np.array(numbers, dtype=np.int64),
        firsts=np.cumsum([0, *map(len, corpus.tokens)]),
        text_firsts=np.searchsorted(corpus.text_of, np.arange(len(corpus.texts) + 1)),
        vectors=vectors,
        strengths=strengths,
    )


class _WordTable:
    """The vectors of all words met so far, begun anew when there are more than ``most``."""

    def __init__(self, blocks: Sequence[Block], views: Sequence[View], most: int = 50_000) -> None:
        self._blocks, self._views, self._most = blocks, views, most
        self._index: dict[Kind, dict[str, int]] = {
            block.kind: {term: number for number, term in enumerate(block.terms)} for block in blocks
        }
        self._lock = threading.Lock()
        self._clear()

    def vectors(self, keys: Sequence[WordKey]) -> WordVectors:
        """Return the vectors of words, in order."""
        with self._lock:
            if len(self._rows) > self._most:
                self._clear()
            self._add([key for key in keys if key not in self._rows])
            rows = np.fromiter((self._rows[key] for key in keys), dtype=np.int64, count=len(keys))
            return WordVectors({name: found[rows] for name, found in self._parts.items()}, self._mass[rows])

    def _clear(self) -> None:
        self._rows: dict[WordKey, int] = {}
        self._parts: dict[ViewName, Floats32] = {
            view.name: np.zeros((1024, view.weights.shape[1]), dtype=np.float32) for view in self._views
        }
        self._mass: Floats32 = np.zeros(1024, dtype=np.float32)

    def _add(self, keys: Sequence[WordKey]) -> None:
        if not keys:
            return
        found = word_vectors(term_matrices(keys, self._index), self._blocks, self._views)
        first, last = len(self._rows), len(self._rows) + len(keys)
        if last > len(self._mass):
            size = max(last, 2 * len(self._mass))
            self._mass = _grown(self._mass, size)
            self._parts = {name: _grown(part, size) for name, part in self._parts.items()}
        self._mass[first:last] = found.mass
        for name, part in self._parts.items():
            part[first:last] = found.parts[name]
        self._rows.update(zip(keys, range(first, last), strict=True))


def _grown(array: Floats32, size: int) -> Floats32:
    larger = np.zeros((size, *array.shape[1:]), dtype=np.float32)
    larger[: len(array)] = array
    return larger


def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut ``texts`` into runs of a bounded number and, but for a single text, of bounded length."""
    first, size = 0, 0
    for number, text in enumerate(texts):
        if number > first and (number - first == _BATCH or size + len(text) > _BATCH_CHARACTERS):
            yield texts[first:number]
            first, size = number, 0
        size += len(text)
    if first < len(texts):
        yield texts[first:]


def _pooled(scores: Floats, text_of: Ints, first: Ints, *, soft: bool) -> Floats:
    """Return the maximum over the sentences of every text that has one, or a soft one."""
    peak = np.maximum.reduceat(scores, first, axis=0)
    if not soft:
        return np.asarray(peak)
    segment = np.cumsum(np.diff(text_of, prepend=-1) > 0) - 1
    raised = np.add.reduceat(np.exp((scores - peak[segment]) / TEMPERATURE), first, axis=0)
    return np.asarray(peak + TEMPERATURE * np.log(raised))
