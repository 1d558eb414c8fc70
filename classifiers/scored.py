"""What scoring gives: log-odds, and on demand the sentences that they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
ViewName = Literal["documents", "sentences", "centroids"]
VIEWS: Final[tuple[ViewName, ...]] = get_args(ViewName)


@dataclass(frozen=True, slots=True)
class WordVectors:
    """What words add to the views, by view (n_words, n_tags), and the squared lengths of their vectors (n_words,)."""

    parts: Mapping[ViewName, Floats32]
    mass: Floats32


@dataclass(frozen=True, slots=True)
class Sentences:
    """The sentences of some texts that hold a token.

    Attributes
    ----------
    spans
        Where every token lies in its text, shape (n_tokens, 2).
    is_word
        Whether a token is a word rather than a sign, (n_tokens,).
    words
        The number of every token's word in ``vectors``, (n_tokens,).
    firsts
        The first token of every sentence, and at last their number, (n_sentences + 1,).
    text_firsts
        The first sentence of every text, and at last their number, (n_texts + 1,).
    vectors
        The vectors of words.
    strengths
        How strongly every sentence speaks for every tag, (n_sentences, n_tags).
    """

    spans: npt.NDArray[Any]
    is_word: npt.NDArray[np.bool_]
    words: npt.NDArray[Any]
    firsts: npt.NDArray[Any]
    text_firsts: npt.NDArray[Any]
    vectors: WordVectors
    strengths: Floats


@dataclass(frozen=True, slots=True)
class Scored:
    """Some texts with their scores.

    Attributes
    ----------
    identified
        The language of every text, None where it could not be told.
    scores
        The log-odds, shape (n_texts, n_tags).
    sentences
        Makes the sentences; not to be called from two threads.
    """

    texts: Sequence[str]
    identified: Sequence[str | None]
    scores: Floats
    sentences: Callable[[], Sentences]


class ScoresTexts(Protocol):
    """What scores texts by a model: in the plain way, or compiled."""

    def scored(self, texts: Sequence[str]) -> Iterator[Scored]:
        """Score ``texts`` in batches that fit into memory, in order."""
