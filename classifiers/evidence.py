"""Which passages of a text speak for a tag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from classifiers.features import Corpus
from classifiers.predictions import Evidence
from classifiers.tokens import Token

Floats = npt.NDArray[np.float64]
MAX_PASSAGES = 3
MAX_WORDS = 40


def best_passages(text: str, corpus: Corpus, added: Floats) -> tuple[Evidence, ...]:
    """Return up to three passages that add most to one tag, the strongest first; none that speaks against it.

    A passage is a sentence, or the best 40 words in a row of a longer one.

    Parameters
    ----------
    corpus
        ``text`` cut into sentences.
    added
        What each token adds to the tag's uncalibrated score, shape (n_tokens,).
    """
    if not len(added):
        return ()
    lengths = np.array([len(tokens) for tokens in corpus.tokens])
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    weights = np.add.reduceat(added, first)
    starts = np.zeros(len(lengths), dtype=np.int64)
    for number in np.flatnonzero(lengths > MAX_WORDS):
        inside = added[first[number] : first[number] + lengths[number]]
        starts[number], weights[number] = _best_window(inside)
    order = np.lexsort((np.arange(len(weights)), -weights))[:MAX_PASSAGES]
    chosen = [(corpus.tokens[i][starts[i] : starts[i] + MAX_WORDS], float(weights[i])) for i in order]
    return tuple(_passage(text, tokens, weight) for tokens, weight in chosen if weight > 0)


def _best_window(added: Floats) -> tuple[int, float]:
    sums = np.concatenate([[0.0], np.cumsum(added)])
    windows = sums[MAX_WORDS:] - sums[:-MAX_WORDS]
    best = int(windows.argmax())
    return best, float(windows[best])


def _passage(text: str, tokens: Sequence[Token], weight: float) -> Evidence:
    start, end = tokens[0].start, tokens[-1].end
    return Evidence(start, end, text[start:end], weight)
