"""The words of many texts with the numbers of their stems, as :mod:`classifiers.wording` finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from classifiers.compiled.cut import cut_up
from classifiers.compiled.identifying import UNKNOWN, Identifier
from classifiers.compiled.known_words import KnownWords, NewWords
from classifiers.compiled.memo import Memo

Found = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


class CompiledWording:
    """Finds the tokens of texts.  What is known of a word is worked out once; not to be shared between threads.

    Parameters
    ----------
    known_of
        Tells of a form and the language by which it is stemmed whether it is a word (1) or parts words (0), and
        the number of its stem.
    """

    def __init__(self, known_of: Callable[[str, str], tuple[int, int]]) -> None:
        self._known_of = known_of
        self._known = KnownWords(lambda: Memo(2, np.uint64), self._learnt)
        self._numbers: dict[str, int] = {}
        self._identifier = Identifier()

    def languages(self, texts: Sequence[str]) -> Iterator[str | None]:
        """Yield the language of each of at least one text, None where it cannot be told."""
        cut = cut_up(texts)
        for label in self._identifier.identify(texts, cut.codes, cut.bounds).tolist():
            yield None if label == UNKNOWN else self._identifier.labels[label]

    def tokens(self, texts: Sequence[str], languages: Sequence[str]) -> Found | None:
        """Return spans in their texts (n_tokens, 2), texts (n_tokens,), and what is known (n_tokens, 2).

        None for at least one text that must be cut in the plain way.
        """
        cut = cut_up(texts)
        if cut.odd.any():
            return None
        numbers = [self._numbers.setdefault(language, len(self._numbers)) for language in languages]
        found = self._known.numbers(cut, np.array(numbers, dtype=np.int32), list(self._numbers))
        if found is None:
            return None
        memo, words = found
        text_of = np.repeat(np.arange(len(texts)), np.diff(cut.token_firsts))
        return cut.tokens[:, :2] - cut.bounds[text_of][:, None], text_of, memo.rows[words]

    def _learnt(self, memo: Memo, new: NewWords) -> None:
        known = [self._known_of(*word) for word in zip(new.forms, new.languages, strict=True)]
        memo.rows[new.rows] = np.array(known, dtype=np.uint64).reshape(-1, 2)
