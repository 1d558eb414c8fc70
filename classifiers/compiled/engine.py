"""The compiled scorer of a model: the same answers as the model's own, in one pass over the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from classifiers.compiled.adding import CENTROIDS, DOCUMENTS, SENTENCES, SPARE, score_texts, weigh_sentences
from classifiers.compiled.cut import Cut, cut_up
from classifiers.compiled.identifying import Identifier
from classifiers.compiled.known_words import KnownWords, NewWords
from classifiers.compiled.memo import N_TOKENS, Memo
from classifiers.compiled.stemming import Stemming
from classifiers.compiled.word_vectors import Vocabulary
from classifiers.linear import TEMPERATURE, LinearModel, batches
from classifiers.scored import Scored, Sentences, ViewName, WordVectors

_KINDS: dict[ViewName, int] = {"documents": DOCUMENTS, "sentences": SENTENCES, "centroids": CENTROIDS}
_MOST_MARKS = 2**31 - 1
_LANES = 8
"""Vectors are padded to a multiple of it, so that the processor adds them up in whole registers."""


class CompiledModel:
    """Scores texts as ``model`` does.  Remembers words, up to a bound; safe to share between threads."""

    def __init__(self, model: LinearModel) -> None:
        self._model = model
        self._width = -(-len(model.tag_ids) // _LANES) * _LANES
        self._vocabulary = Vocabulary(model.blocks, model.views, self._width)
        how = model.combination
        kinds = np.array([_KINDS[view.name] for view in model.views], dtype=np.int64)
        biases = np.array([view.bias for view in model.views], dtype=np.float64)
        self._scoring = kinds, biases, _double(how.mix), _double(how.offset), TEMPERATURE
        self._weighing = kinds, biases, _double(how.evidence_scale), _double(how.evidence_offset)
        self._stemming = Stemming(model.languages)
        self._desks: list[_Desk] = []
        self._n_vectors = len(model.views) * self._width
        self._known = KnownWords(lambda: Memo(self._n_vectors + SPARE, np.float32), self._learnt)

    @property
    def is_quick(self) -> bool:
        """Tell whether no thread is learning words just now, which others would have to wait for."""
        return not self._known.is_learning

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Score ``texts`` in batches that fit into memory, in order."""
        for batch in batches(texts):
            cut = cut_up(batch)
            if cut.odd.any():
                yield from self._apart(batch, cut.odd)
            else:
                yield from self._score(batch, cut)

    def _apart(self, texts: Sequence[str], odd: npt.NDArray[np.bool_]) -> Iterator[Scored]:
        """Score texts of which some are odd; the model itself scores these."""
        edges = np.flatnonzero(np.diff(odd, prepend=not odd[0], append=not odd[-1])).tolist()
        for first, last in pairwise(edges):
            part = texts[first:last]
            yield from self._model.scored(part) if odd[first] else self._score(part, cut_up(part))

    def _score(self, texts: Sequence[str], cut: Cut) -> Iterator[Scored]:
        with self._desk() as desk:
            labels = desk.identifier.identify(texts, cut.codes, cut.bounds)
        found = self._known.numbers(cut, self._stemming.numbers(labels, cut), self._stemming.names)
        if found is None:
            yield from self._model.scored(texts)
            return
        memo, words = found
        parts = words, cut.firsts, cut.text_firsts
        n_views, n_tags = len(self._model.views), len(self._model.tag_ids)
        scores = np.empty((len(texts), n_tags))
        with self._desk() as desk:
            scratch = desk.scratch(memo, cut, n_views, n_tags)
            score_texts(parts, memo.rows, self._scoring, scratch, scores)

        def sentences() -> Sentences:
            strengths = np.empty((len(cut.firsts) - 1, n_tags))
            with self._desk() as desk:
                scratch = desk.scratch(memo, cut, n_views, n_tags)
                weigh_sentences(parts, memo.rows, self._weighing, scratch, strengths)
            return self._laid_out(cut, found, strengths)

        names = self._stemming.labels
        yield Scored(
            texts, [None if label < 0 else names[label] for label in labels.tolist()], scores, sentences
        )

    def _learnt(self, memo: Memo, new: NewWords) -> None:
        self._vocabulary.add(new.forms, new.languages, memo.rows[new.rows])

    def _laid_out(self, cut: Cut, found: tuple[Memo, Any], strengths: Any) -> Sentences:
        memo, words = found
        text_of = np.repeat(np.arange(len(cut.bounds) - 1), np.diff(cut.token_firsts))
        parts = {
            view.name: memo.rows[:, number * self._width : number * self._width + strengths.shape[1]]
            for number, view in enumerate(self._model.views)
        }
        return Sentences(
            spans=cut.tokens[:, :2] - cut.bounds[text_of][:, None],
            is_word=memo.rows[words, self._n_vectors + 1] > 0,
            words=words,
            firsts=cut.firsts,
            text_firsts=cut.text_firsts,
            vectors=WordVectors(parts, memo.rows[:, self._n_vectors]),
            strengths=strengths,
        )

    @contextmanager
    def _desk(self) -> Iterator[_Desk]:
        """Lend what one caller at a time works with; there are as many as were ever wanted at once."""
        try:
            desk = self._desks.pop()
        except IndexError:
            desk = _Desk()
        try:
            yield desk
        finally:
            self._desks.append(desk)


class _Desk:
    """What a caller works with: an identifier, and scratch for sums over words."""

    def __init__(self) -> None:
        self.identifier = Identifier()
        self._of_words = (
            np.zeros((N_TOKENS, 2), dtype=np.int32),
            np.zeros(N_TOKENS, dtype=np.int32),
            np.zeros(1, dtype=np.int32),
        )

    def scratch(self, memo: Memo, cut: Cut, n_views: int, n_tags: int) -> tuple[Any, ...]:
        """Return room for :func:`score_texts` to work in."""
        counts = cut.text_firsts[1:] - cut.text_firsts[:-1]
        most = max(1, int(counts.max()))
        marks, _, last_mark = self._of_words
        if last_mark[0] > _MOST_MARKS - len(cut.firsts):
            marks[:] = 0
            last_mark[0] = 0
        return (
            *self._of_words,
            np.empty((2, memo.rows.shape[1]), dtype=np.float32),
            np.empty((most, n_tags)),
            np.empty((n_views, n_tags)),
        )


def _double(array: Any) -> Any:
    return np.ascontiguousarray(array, dtype=np.float64)
