"""The words of tokens, learnt as they are met; shared between threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from classifiers.compiled.cut import Cut
from classifiers.compiled.memo import Memo, first_of_each, look_up
from classifiers.tokens import form_of


class NewWords(NamedTuple):
    """Words that are met for the first time: their numbers (of rows), forms, and the languages they are stemmed by."""

    rows: slice
    forms: list[str]
    languages: list[str]


class KnownWords:
    """A memo of words, begun anew when it is full.

    Parameters
    ----------
    new_memo
        Makes an empty memo.
    learnt
        Called with the memo and words that are new in it, to write the rows of these; by one thread at a time.
    """

    def __init__(self, new_memo: Callable[[], Memo], learnt: Callable[[Memo, NewWords], None]) -> None:
        self._new_memo = new_memo
        self._learnt = learnt
        self._lock = threading.Lock()
        self._memo = new_memo()

    @property
    def is_learning(self) -> bool:
        """Tell whether a thread is learning words just now, which others would have to wait for."""
        return self._lock.locked()

    def numbers(self, cut: Cut, languages: Any, names: Sequence[str]) -> tuple[Memo, Any] | None:
        """Return the memo, and the number in it of every token's word, (n_tokens,); None if it is too small.

        ``languages`` are numbers in ``names``, one for each text.
        """
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
                self._learn(memo, cut, lacking, names)
            except BaseException:  # words without what is known of them would count for nothing from now on
                self._memo = self._new_memo()
                raise
            self._memo = memo
        look(memo)
        return memo, words

    def _learn(self, memo: Memo, cut: Cut, lacking: tuple[Any, Any], names: Sequence[str]) -> None:
        """Put different tokens into the memo, and their words, where these are new."""
        tokens, languages = lacking
        words: list[int] = []
        first = memo.n_words
        forms: list[str] = []
        of_forms: list[str] = []
        for form, language in zip(_forms(cut.text, tokens), languages.tolist(), strict=True):
            numbers = memo.numbers[language]
            if form not in numbers:
                numbers[form] = first + len(forms)
                forms.append(form)
                of_forms.append(names[language])
            words.append(numbers[form])
        memo.n_words = first + len(forms)
        self._learnt(memo, NewWords(slice(first, memo.n_words), forms, of_forms))
        memo.add(cut.codes, tokens, languages, words)


def _different(cut: Cut, tokens: Any, languages: Any, memo: Memo) -> tuple[Any, Any]:
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
