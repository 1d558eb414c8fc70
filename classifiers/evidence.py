"""Which passages of a text speak for a tag: sentences, or the best 40 words in a row of a longer one.

The strongest takes in words of the sentences next to it, up to 40 in all, where these speak for the tag as well:
annotators mark what belongs together, not sentences.

A sentence is scored by every view as if it were the whole text; its strength is the weighted sum of those
scores, in standard deviations above the average sentence of the training posts.  Strengths rank passages; they
do not add up to the score of the text.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from classifiers.linear import LinearModel
from classifiers.predictions import Evidence
from classifiers.scored import Scored, Sentences

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MAX_PASSAGES = 3
MAX_WORDS = 40


class Passages:
    """The passages of scored texts."""

    def __init__(self, model: LinearModel, texts: Sequence[str], sentences: Sentences) -> None:
        self._model = model
        self._texts = texts
        self._sentences = sentences
        self._words = np.flatnonzero(sentences.is_word)
        self._first_words = np.searchsorted(self._words, sentences.firsts).tolist()
        # The same few sentences are the strongest for many tags.
        self._places: dict[int, tuple[int, int]] = {}
        self._shares: dict[int, list[Floats]] = {}

    def best(self, row: int, column: int) -> tuple[Evidence, ...]:
        """Return the strongest passage of a text for a tag, and up to two more sentences that are above average.

        The strongest comes first; a text without a token has none.
        """
        first, last = self._sentences.text_firsts[row : row + 2].tolist()
        strengths = self._sentences.strengths[first:last, column].tolist()
        order = heapq.nsmallest(MAX_PASSAGES, range(last - first), key=lambda n: (-strengths[n], n))
        found: list[Evidence] = []
        for sentence in order:
            if found and strengths[sentence] <= 0:
                break
            start, end = self._core(first + sentence, column)
            if not found:
                start, end = self._widened(first, sentence, strengths, (start, end))
            elif start < found[0].end and found[0].start < end:
                continue
            found.append(Evidence(start, end, self._texts[row][start:end], strengths[sentence]))
        return tuple(found)

    def _words_of(self, sentence: int) -> Ints:
        """Return which tokens are the words of a sentence."""
        return self._words[self._first_words[sentence] : self._first_words[sentence + 1]]

    def _core(self, sentence: int, column: int) -> tuple[int, int]:
        """Return where a sentence lies, or the best 40 words of it."""
        words = self._words_of(sentence)
        first, last = self._sentences.firsts[sentence : sentence + 2].tolist()
        if len(words) <= MAX_WORDS:
            if sentence not in self._places:
                self._places[sentence] = self._place(first, last)
            return self._places[sentence]
        window = self._best_window(sentence, column, words - first)
        if window + MAX_WORDS < len(words):
            last = int(words[window + MAX_WORDS])
        return self._place(int(words[window]), last)

    def _place(self, first: int, last: int) -> tuple[int, int]:
        """Return where a run of tokens lies in its text."""
        spans = self._sentences.spans
        return int(spans[first, 0]), int(spans[first:last, 1].max())

    def _widened(
        self, first: int, sentence: int, strengths: Sequence[float], place: tuple[int, int]
    ) -> tuple[int, int]:
        """Return a place with words of the sentences next to it, while they are above average and fit into 40 words.

        The stronger neighbour comes first.
        """
        spans = self._sentences.spans
        room = MAX_WORDS - len(self._words_of(first + sentence))
        start, end = place
        beside = [n for n in (sentence - 1, sentence + 1) if 0 <= n < len(strengths) and strengths[n] > 0]
        for neighbour in sorted(beside, key=lambda n: -strengths[n]):
            words = self._words_of(first + neighbour)
            if room <= 0 or not len(words):
                continue
            if neighbour < sentence:
                start = int(spans[words[-room:][0], 0])
            else:
                end = int(spans[words[:room], 1].max())
            room -= len(words)
        return start, end

    def _best_window(self, sentence: int, column: int, words: Ints) -> int:
        """Return at which of a sentence's words the strongest run of 40 begins."""
        if sentence not in self._shares:
            self._shares[sentence] = token_shares(self._model, self._sentences, sentence)
        added = token_parts(self._model, self._sentences, (sentence, column), self._shares[sentence])
        sums = np.concatenate([[0.0], np.cumsum(added)])
        starts = words[: len(words) - MAX_WORDS + 1]
        ends = np.append(words[MAX_WORDS:], len(added))
        return int(np.argmax(sums[ends] - sums[starts]))


def passages(model: LinearModel, scored: Scored) -> Passages:
    """Return what finds the passages of scored texts."""
    return Passages(model, scored.texts, scored.sentences())


def token_shares(model: LinearModel, sentences: Sentences, sentence: int) -> list[Floats]:
    """Return, for every view, how often the vector of each token counts in the sentence's score, (n_tokens,)."""
    first, last = sentences.firsts[sentence : sentence + 2].tolist()
    words = sentences.words[first:last]
    count_of = Counter(words.tolist())
    counts = np.array([count_of[word] for word in words.tolist()], dtype=np.float64)
    mass = sentences.vectors.mass[words] / counts
    found = []
    for view in model.views:
        weights = 1 + np.log(counts) if view.name == "documents" else np.ones(len(counts))
        length = 1.0 if view.name == "sentences" else np.sqrt((weights**2 * mass).sum()) or 1.0
        found.append(weights / counts / length)
    return found


def token_parts(
    model: LinearModel, sentences: Sentences, place: tuple[int, int], shares: Sequence[Floats]
) -> Floats:
    """Return what the tokens of a sentence add to its strength for a tag, shape (n_tokens,).

    ``place`` are the numbers of the sentence and of the tag, ``shares`` the sentence's :func:`token_shares`.  With
    the strength of a sentence of no words they add up to that of the sentence.
    """
    sentence, column = place
    first, last = sentences.firsts[sentence : sentence + 2].tolist()
    words = sentences.words[first:last]
    total = np.zeros(last - first)
    for view, scales, share in zip(model.views, model.combination.evidence_scale, shares, strict=True):
        total += share * sentences.vectors.parts[view.name][words, column] * scales[column]
    return total
