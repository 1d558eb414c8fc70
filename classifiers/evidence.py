"""Which passages of a text speak for a tag: sentences, or the best 40 words in a row of a longer one.

The strongest takes in words of the sentences next to it, up to 40 in all, where these speak for the tag as well:
annotators mark what belongs together, not sentences.

A sentence is scored by every view as if it were the whole text; its strength is the weighted sum of those
scores, in standard deviations above the average sentence of the training posts.  Strengths rank passages; they
do not add up to the score of the text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifiers.features import damped, present, scales
from classifiers.linear import LinearModel, Scored, sentence_scores
from classifiers.predictions import Evidence
from classifiers.tokens import is_word

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MAX_PASSAGES = 3
MAX_WORDS = 40


@dataclass(frozen=True, slots=True)
class Passages:
    """The passages of scored texts; ``strengths`` are those of all sentences, shape (n_sentences, n_tags)."""

    model: LinearModel
    scored: Scored
    strengths: Floats

    def best(self, row: int, column: int) -> tuple[Evidence, ...]:
        """Return the strongest passage of a text for a tag, and up to two more sentences that are above average.

        The strongest comes first; a text without a token has none.
        """
        text_of = self.scored.corpus.text_of
        first, last = np.searchsorted(text_of, [row, row + 1]).tolist()
        strengths = self.strengths[first:last, column]
        order = np.argsort(-strengths, kind="stable")[:MAX_PASSAGES].tolist()
        found: list[Evidence] = []
        for sentence in order:
            if found and strengths[sentence] <= 0:
                break
            start, end = self._core(first + sentence, column)
            if not found:
                start, end = self._widened(first, sentence, strengths, (start, end))
            elif start < found[0].end and found[0].start < end:
                continue
            text = self.scored.corpus.texts[row][start:end]
            found.append(Evidence(start, end, text, float(strengths[sentence])))
        return tuple(found)

    def _core(self, sentence: int, column: int) -> tuple[int, int]:
        """Return where a sentence lies, or the best 40 words of it."""
        tokens = self.scored.corpus.tokens[sentence]
        words = [number for number, token in enumerate(tokens) if is_word(token.form)]
        first, last = 0, len(tokens)
        if len(words) > MAX_WORDS:
            window = self._best_window(sentence, column, words)
            first = words[window]
            last = words[window + MAX_WORDS] if window + MAX_WORDS < len(words) else len(tokens)
        return tokens[first].start, max(token.end for token in tokens[first:last])

    def _widened(
        self, first: int, sentence: int, strengths: Floats, place: tuple[int, int]
    ) -> tuple[int, int]:
        """Return a place with words of the sentences next to it, while they are above average and fit into 40 words.

        The stronger neighbour comes first.
        """
        tokens = self.scored.corpus.tokens
        room = MAX_WORDS - sum(is_word(token.form) for token in tokens[first + sentence])
        start, end = place
        beside = [n for n in (sentence - 1, sentence + 1) if 0 <= n < len(strengths) and strengths[n] > 0]
        for neighbour in sorted(beside, key=lambda n: -strengths[n]):
            words = [token for token in tokens[first + neighbour] if is_word(token.form)]
            if room <= 0 or not words:
                continue
            if neighbour < sentence:
                start = words[-room:][0].start
            else:
                end = max(token.end for token in words[:room])
            room -= len(words)
        return start, end

    def _best_window(self, sentence: int, column: int, words: list[int]) -> int:
        """Return at which of a sentence's words the strongest run of 40 begins."""
        added = token_parts(self.model, self.scored, sentence)[:, column]
        sums = np.concatenate([[0.0], np.cumsum(added)])
        starts = np.array(words[: len(words) - MAX_WORDS + 1])
        ends = np.array([*words[MAX_WORDS:], len(added)])
        return int(np.argmax(sums[ends] - sums[starts]))


def passages(model: LinearModel, scored: Scored) -> Passages:
    """Weigh the sentences of scored texts."""
    by_view = sentence_scores(scored.counts, scored.vectors, model.views)
    combination = model.combination
    strengths = np.einsum("vst,vt->st", by_view, combination.evidence_scale) + combination.evidence_offset
    return Passages(model, scored, strengths)


def token_parts(model: LinearModel, scored: Scored, sentence: int) -> Floats:
    """Return what the tokens of a sentence add to its strengths, shape (n_tokens, n_tags).

    With the strength of a sentence of no words they add up to that of the sentence.
    """
    counts = scored.counts[[sentence]]
    count_of = dict(zip(counts.indices.tolist(), counts.data.tolist(), strict=True))
    forms = [token.form for token in scored.corpus.tokens[sentence]]
    numbers = dict(zip(dict.fromkeys(forms), counts.indices.tolist(), strict=True))
    word_of = np.array([numbers[form] for form in forms], dtype=np.int64)
    count = np.array([count_of[number] for number in word_of.tolist()])
    total = np.zeros((len(forms), len(model.tag_ids)))
    for view, scale in zip(model.views, model.combination.evidence_scale, strict=True):
        share = (1 + np.log(count)) / count if view.name == "documents" else 1 / count
        if view.name != "sentences":
            matrix = damped(counts) if view.name == "documents" else present(counts)
            share = share / scales(matrix, scored.vectors.mass)[0]
        total += share[:, None] * scored.vectors.parts[view.name][word_of] * scale
    return total
