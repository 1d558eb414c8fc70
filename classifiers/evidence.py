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


def best_passages(text: str, corpus: Corpus, added: Sequence[Floats]) -> tuple[Evidence, ...]:
    """Return up to three passages that add most to one tag, the strongest first; none that speaks against it.

    A passage is a sentence, or the best 40 words in a row of a longer one.

    Parameters
    ----------
    corpus
        ``text`` cut into sentences.
    added
        For every sentence, what each of its tokens adds to the tag's uncalibrated score.
    """
    found = [_best_window(text, tokens, each) for tokens, each in zip(corpus.tokens, added, strict=True)]
    found = [evidence for evidence in found if evidence.weight > 0]
    found.sort(key=lambda evidence: (-evidence.weight, evidence.start))
    return tuple(found[:MAX_PASSAGES])


def _best_window(text: str, tokens: Sequence[Token], added: Floats) -> Evidence:
    size = min(MAX_WORDS, len(tokens))
    sums = np.concatenate([[0.0], np.cumsum(added)])
    windows = sums[size:] - sums[:-size]
    first = int(windows.argmax())
    start, end = tokens[first].start, tokens[first + size - 1].end
    return Evidence(start, end, text[start:end], float(windows[first]))
