"""The compiled scorer of a model: the same answers as the model's own, in one pass over the text."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from classifiers.compiled.adding import CENTROIDS, DOCUMENTS, SENTENCES, score_texts, weigh_sentences
from classifiers.compiled.characters import characters
from classifiers.compiled.cutting import cut_tokens
from classifiers.compiled.identifying import Identifier, automaton, code_points, scripts
from classifiers.compiled.memo import N_TOKENS, Memo, first_of_each, look_up
from classifiers.compiled.parting import part_sentences
from classifiers.compiled.word_vectors import Vocabulary
from classifiers.languages import SCRIPTS, stemming_by_script
from classifiers.linear import TEMPERATURE, LinearModel, batches
from classifiers.scored import Scored, Sentences, ViewName, WordVectors
from classifiers.tokens import form_of

_KINDS: dict[ViewName, int] = {"documents": DOCUMENTS, "sentences": SENTENCES, "centroids": CENTROIDS}
_MOST_MARKS = 2**31 - 1
_LANES = 8
"""Vectors are padded to a multiple of it, so that the processor adds them up in whole registers."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """Texts cut up: all of them as one, with bounds; tokens (start, end, end of the key); and where things begin."""

    text: str
    codes: Any
    bounds: Any
    tokens: Any
    token_firsts: Any
    firsts: Any
    text_firsts: Any
    odd: Any


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
        self._stemming = _Stemming(model.languages)
        self._desks: list[_Desk] = []
        self._lock = threading.Lock()
        self._memo = self._new_memo()

    @property
    def is_quick(self) -> bool:
        """Tell whether no thread is learning words just now, which others would have to wait for."""
        return not self._lock.locked()

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Score ``texts`` in batches that fit into memory, in order."""
        for batch in batches(texts):
            cut = _cut(batch)
            if cut.odd.any():
                yield from self._apart(batch, cut.odd)
            else:
                yield from self._score(batch, cut)

    def _apart(self, texts: Sequence[str], odd: npt.NDArray[np.bool_]) -> Iterator[Scored]:
        """Score texts of which some are odd; the model itself scores these."""
        edges = np.flatnonzero(np.diff(odd, prepend=not odd[0], append=not odd[-1])).tolist()
        for first, last in pairwise(edges):
            part = texts[first:last]
            yield from self._model.scored(part) if odd[first] else self._score(part, _cut(part))

    def _score(self, texts: Sequence[str], cut: _Cut) -> Iterator[Scored]:
        with self._desk() as desk:
            labels = desk.identifier.identify(texts, cut.codes, cut.bounds)
        found = self._words(cut, self._stemming.numbers(labels, cut))
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

    def _words(self, cut: _Cut, languages: Any) -> tuple[Memo, Any] | None:
        """Return the memo, and the number in it of every token's word, (n_tokens,); None if it is too small."""
        words = np.empty(len(cut.tokens), dtype=np.int32)
        missing = np.empty(len(cut.tokens), dtype=np.int32)

        def look(memo: Memo) -> Any:
            n = look_up(cut.codes, cut.tokens, cut.token_firsts, languages, memo.keys, (words, missing))
            return missing[:n]

        memo = self._memo
        if not len(look(memo)):
            return memo, words
        with self._lock:
            memo = self._memo
            lacking = _different(cut, look(memo), languages, memo)
            if not memo.has_room(lacking[0]):
                memo = self._new_memo()
                lacking = _different(cut, np.arange(len(cut.tokens)), languages, memo)
                if not memo.has_room(lacking[0]):
                    return None
            try:
                self._learn(memo, cut, lacking)
            except BaseException:  # words without their rows would count for nothing from now on
                self._memo = self._new_memo()
                raise
            self._memo = memo
        look(memo)
        return memo, words

    def _learn(self, memo: Memo, cut: _Cut, lacking: tuple[Any, Any]) -> None:
        """Put different tokens into the memo, with the rows of words that are met for the first time."""
        tokens, languages = lacking
        words: list[int] = []
        new: list[str] = []
        of_new: list[str] = []
        first = memo.n_words
        for form, language in zip(_forms(cut.text, tokens), languages.tolist(), strict=True):
            numbers = memo.numbers[language]
            if form not in numbers:
                numbers[form] = first + len(new)
                new.append(form)
                of_new.append(self._stemming.names[language])
            words.append(numbers[form])
        memo.n_words = last = first + len(new)
        self._vocabulary.add(new, of_new, memo.rows[first:last], memo.is_word[first:last])
        memo.add(cut.codes, tokens, languages, words)

    def _laid_out(self, cut: _Cut, found: tuple[Memo, Any], strengths: Any) -> Sentences:
        memo, words = found
        text_of = np.repeat(np.arange(len(cut.bounds) - 1), np.diff(cut.token_firsts))
        parts = {
            view.name: memo.rows[:, number * self._width : number * self._width + strengths.shape[1]]
            for number, view in enumerate(self._model.views)
        }
        return Sentences(
            spans=cut.tokens[:, :2] - cut.bounds[text_of][:, None],
            is_word=memo.is_word[words],
            words=words,
            firsts=cut.firsts,
            text_firsts=cut.text_firsts,
            vectors=WordVectors(parts, memo.rows[:, len(parts) * self._width]),
            strengths=strengths,
        )

    def _new_memo(self) -> Memo:
        return Memo(len(self._model.views) * self._width)

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

    def scratch(self, memo: Memo, cut: _Cut, n_views: int, n_tags: int) -> tuple[Any, ...]:
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


class _Stemming:
    """By which language the words of a text are stemmed, as a number in ``names``."""

    def __init__(self, languages: Sequence[str]) -> None:
        _, self.labels = automaton()
        by_script = [
            [stemming_by_script(script, label, languages) for script in SCRIPTS]
            for label in (None, *self.labels)
        ]
        self.names = sorted({name for row in by_script for name in row})
        numbers = {name: number for number, name in enumerate(self.names)}
        self._table = np.array([[numbers[name] for name in row] for row in by_script], dtype=np.int32)

    def numbers(self, labels: Any, cut: _Cut) -> npt.NDArray[np.int32]:
        """Return the number of every text's language; ``labels`` are those that were identified, or -1."""
        return np.asarray(self._table[labels + 1, scripts(cut.codes, cut.bounds)])


def _cut(texts: Sequence[str]) -> _Cut:
    text = "".join(texts)
    codes = code_points(text)
    bounds = np.cumsum([0, *map(len, texts)])
    known = characters()
    tokens = np.empty((2 * len(codes), 3), dtype=np.int32)
    token_firsts = np.empty(len(texts) + 1, dtype=np.int64)
    odd = np.zeros(len(texts), dtype=np.bool_)
    n_tokens = cut_tokens(codes, bounds, known.table, tokens, token_firsts, odd)
    firsts = np.empty(n_tokens + 1, dtype=np.int64)
    text_firsts = np.empty(len(texts) + 1, dtype=np.int64)
    ends = np.empty(max(map(len, texts)) + 1, dtype=np.int64)
    n_sentences = part_sentences(codes, bounds, known, tokens, token_firsts, (firsts, text_firsts, odd, ends))
    return _Cut(
        text, codes, bounds, tokens[:n_tokens], token_firsts, firsts[: n_sentences + 1], text_firsts, odd
    )


def _different(cut: _Cut, tokens: Any, languages: Any, memo: Memo) -> tuple[Any, Any]:
    """Return the tokens of which no earlier one is the same, by (start, end, end of the key), and their languages."""
    spans = cut.tokens[tokens]
    of_tokens = languages[np.searchsorted(cut.token_firsts, tokens, side="right") - 1]
    rows = np.empty(len(tokens), dtype=np.int64)
    slots = np.zeros(1 << (2 * len(tokens)).bit_length(), dtype=np.int32)
    kept = rows[: first_of_each(cut.codes, spans, of_tokens, memo.keys.seed, (rows, slots))]
    return spans[kept], of_tokens[kept]


def _forms(text: str, tokens: Any) -> Iterator[str]:
    """Yield the form of every token; one that is read with the next has the forms of both."""
    for start, end, stop in zip(*tokens.T.tolist(), strict=True):
        if stop <= end:
            yield form_of(text[start:stop])
        else:
            yield form_of(text[start:end]) + form_of(text[end:stop])


def _double(array: Any) -> Any:
    return np.ascontiguousarray(array, dtype=np.float64)
