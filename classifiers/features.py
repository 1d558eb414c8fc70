"""Features that add up over words: every word has a vector, and a text is a weighted sum of those of its words.

A word's terms are its stem and the character grams of its form, so both are looked up once a word; what a
text adds is how often each word stands in it.  Training and scoring count by the same code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from annotations.records import Span
from classifiers.languages import stem
from classifiers.tokens import Token, is_word, sentences, tokenise

Ints = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]
Matrix = Any  # scipy.sparse.csr_array, which has no type hints
Kind = Literal["stems", "grams"]
KINDS: tuple[Kind, ...] = ("stems", "grams")
WordKey = tuple[str, str]
"""A word as a model knows it: the language that it is stemmed by, and its form."""

GRAM_LENGTHS = (3, 4, 5)
IDF_POWER = 1.3
"""The power of the inverse document frequency where stems and grams are weighed together."""


@dataclass(frozen=True, slots=True)
class Block:
    """The terms of one kind in order, and the inverse document frequency of each (float32)."""

    kind: Kind
    terms: tuple[str, ...]
    idf: Floats32

    @property
    def weights(self) -> Floats32:
        """What a term counts for beside those of the other kind, shape (n_terms,)."""
        return np.power(self.idf, IDF_POWER, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts cut into sentences and tokens.

    Attributes
    ----------
    texts
        The texts as given, of length n_texts.
    languages
        The language by which each text's words are stemmed.
    spans
        The sentences that hold a token, of length n_sentences, with offsets into their texts.
    tokens
        The tokens of every sentence.
    text_of
        Shape (n_sentences,), the number of the text of every sentence, ascending.
    """

    texts: Sequence[str]
    languages: Sequence[str]
    spans: Sequence[Span]
    tokens: Sequence[Sequence[Token]]
    text_of: Ints

    @classmethod
    def of(cls, texts: Sequence[str], languages: Sequence[str]) -> Corpus:
        """Cut ``texts``; a sentence without a token is left out."""
        spans: list[Span] = []
        tokens: list[list[Token]] = []
        text_of: list[int] = []
        for number, text in enumerate(texts):
            for span, found in _by_sentence(text):
                spans.append(span)
                tokens.append(found)
                text_of.append(number)
        return cls(texts, languages, spans, tokens, np.array(text_of, dtype=np.int64))


class Words:
    """Different words, numbered in the order they are met."""

    def __init__(self) -> None:
        self.numbers: dict[WordKey, int] = {}

    def count_sentences(self, corpus: Corpus) -> Matrix:
        """Count the words of every sentence, shape (n_sentences, n_words so far)."""
        languages = corpus.languages
        return self._count(
            (languages[text], [token.form for token in tokens])
            for text, tokens in zip(corpus.text_of, corpus.tokens, strict=True)
        )

    def count_texts(self, corpus: Corpus) -> Matrix:
        """Count the words of every text, shape (n_texts, n_words so far)."""
        forms: list[list[str]] = [[] for _ in corpus.texts]
        for text, tokens in zip(corpus.text_of, corpus.tokens, strict=True):
            forms[text] += [token.form for token in tokens]
        return self._count(zip(corpus.languages, forms, strict=True))

    def _count(self, rows: Iterable[tuple[str, list[str]]]) -> Matrix:
        """Count words; a row's entries stand in the order of their first mention, so its sums depend on it alone."""
        numbers = self.numbers
        columns: list[int] = []
        values: list[int] = []
        bounds = [0]
        for language, forms in rows:
            counted = Counter(forms)
            columns += [numbers.setdefault((language, form), len(numbers)) for form in counted]
            values += counted.values()
            bounds.append(len(columns))
        return sparse.csr_array(
            (
                np.array(values, dtype=np.float32),
                np.array(columns, dtype=np.int32),
                np.array(bounds, dtype=np.int32 if len(columns) < 2**31 else np.int64),
            ),
            shape=(len(bounds) - 1, len(numbers)),
        )


def damped(counts: Matrix) -> Matrix:
    """Return ``1 + ln count``, with the same stored entries."""
    return _with_data(counts, 1 + np.log(counts.data))


def present(counts: Matrix) -> Matrix:
    """Return 1 for every count, with the same stored entries."""
    return _with_data(counts, np.ones_like(counts.data))


def squared(matrix: Matrix) -> Matrix:
    """Return the squares, with the same stored entries."""
    return _with_data(matrix, matrix.data**2)


def columns_times(matrix: Matrix, weights: Floats32) -> Matrix:
    """Return a matrix with every column multiplied by its weight, with the same stored entries."""
    return _with_data(matrix, matrix.data * weights[matrix.indices])


def scales(matrix: Matrix, mass: Floats32) -> Floats32:
    """Return what each row of a damped or present matrix is divided by, shape (n_rows,): 1 for an empty row.

    ``mass`` is the squared length of every word's vector.  The row's scale would be its vector's length if
    no two words had a term in common; unlike that length, its square adds up over words.
    """
    found = np.sqrt(squared(matrix) @ mass)
    return np.asarray(np.where(found > 0, found, 1), dtype=np.float32)


def word_terms(key: WordKey) -> dict[Kind, list[str]]:
    """Return the terms of a word: one stem, and its grams, each as often as it stands in it.

    Numbers differ by their length alone.  Grams are of the word between two blanks; those of a pair of
    characters of an unspaced script are the two characters and the pair.
    """
    language, form = key
    shape = shape_of(form)
    return {"stems": [stem(shape, language)], "grams": _grams(shape)}


def shape_of(form: str) -> str:
    """Return what terms are made of: zeros, at most four, for a number."""
    return "0" * min(len(form), 4) if form.isdigit() else form


def is_single_or_pair(shape: str) -> bool:
    """Tell whether this is one character of an unspaced script, or two."""
    return len(shape) <= 2 and shape[0] >= "\u3040" and not shape.isascii()


def _grams(form: str) -> list[str]:
    if not is_word(form):
        return [f" {form} "]
    if is_single_or_pair(form):
        return [*form, form] if len(form) == 2 else [form]
    padded = f" {form} "
    found: list[str] = []
    for n in GRAM_LENGTHS:
        if n >= len(padded):
            return [*found, padded]
        found += [padded[i : i + n] for i in range(len(padded) - n + 1)]
    return found


def term_matrices(
    keys: Sequence[WordKey], index: dict[Kind, dict[str, int]], *, grow: bool = False
) -> dict[Kind, Matrix]:
    """Count the terms of words, for each kind a matrix of shape (n_words, n_terms).

    Parameters
    ----------
    index
        The number of every term of each kind; terms that are not in it are left out.
    grow
        Whether to put them into it instead.
    """
    columns: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    values: dict[Kind, list[int]] = {kind: [] for kind in KINDS}
    bounds: dict[Kind, list[int]] = {kind: [0] for kind in KINDS}
    for key in keys:
        for kind, terms in word_terms(key).items():
            known = index[kind]
            for term, count in Counter(terms).items():
                number = known.setdefault(term, len(known)) if grow else known.get(term)
                if number is not None:
                    columns[kind].append(number)
                    values[kind].append(count)
            bounds[kind].append(len(columns[kind]))
    return {
        kind: sparse.csr_array(
            (
                np.array(values[kind], dtype=np.float32),
                np.array(columns[kind], dtype=np.int32),
                np.array(bounds[kind], dtype=np.int32),
            ),
            shape=(len(keys), len(index[kind])),
        )
        for kind in KINDS
    }


def _with_data(matrix: Matrix, data: Any) -> Matrix:
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _by_sentence(text: str) -> list[tuple[Span, list[Token]]]:
    """Return the sentences of a text that hold a token, each with its tokens."""
    held: list[tuple[Span, list[Token]]] = []
    tokens = iter(tokenise(text))
    token = next(tokens, None)
    for span in sentences(text):
        found: list[Token] = []
        while token is not None and token.start < span.end:
            found.append(token)
            token = next(tokens, None)
        if found:
            held.append((span, found))
    return held
