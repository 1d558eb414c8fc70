"""TF-IDF features over the project's own tokens: fitted once, and run by the same code at training and scoring.

Everything is counted a sentence: a post's counts are the sums of its sentences' (word pairs never cross a
sentence), and the character grams of a word depend on the word alone, so they are looked up once a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

from annotations.records import Span
from classifiers.tokens import Token, sentences, tokenise

Ints = npt.NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_array, which has no type hints
Kind = Literal["words", "chars"]


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """How to make a block of features: n-grams of ``kind`` with lengths ``n_min`` to ``n_max``.

    ``min_df`` is the number of posts a term must occur in; beyond ``max_terms`` the rarest terms are dropped.
    """

    name: str
    kind: Kind
    n_min: int
    n_max: int
    min_df: int = 2
    max_terms: int = 300_000

    def __post_init__(self) -> None:
        if not 1 <= self.n_min <= self.n_max or (self.kind == "words" and self.n_max > 2):
            raise ValueError(
                f"block '{self.name}': no n-grams of {self.kind} from {self.n_min} to {self.n_max}"
            )


@dataclass(frozen=True, slots=True)
class Block:
    """A fitted block: its terms in order, and the inverse document frequency of each (float32)."""

    name: str
    kind: Kind
    n_min: int
    n_max: int
    terms: tuple[str, ...]
    idf: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts cut into sentences and tokens.

    Attributes
    ----------
    texts
        The texts as given, of length n_texts.
    spans
        The sentences that hold a token, of length n_sentences, with offsets into their texts.
    tokens
        The tokens of every sentence.
    text_of
        Shape (n_sentences,), the number of the text of every sentence, ascending.
    """

    texts: Sequence[str]
    spans: Sequence[Span]
    tokens: Sequence[Sequence[Token]]
    text_of: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Corpus:
        """Cut ``texts``; a sentence without a token is left out."""
        spans: list[Span] = []
        tokens: list[list[Token]] = []
        text_of: list[int] = []
        for number, text in enumerate(texts):
            for span, found in _by_sentence(text):
                spans.append(span)
                tokens.append(found)
                text_of.append(number)
        return cls(texts, spans, tokens, np.array(text_of, dtype=np.int64))

    @property
    def sums(self) -> Matrix:
        """Shape (n_texts, n_sentences): the matrix that adds up the sentences of every text."""
        bounds = np.searchsorted(self.text_of, np.arange(len(self.texts) + 1)).astype(np.int32)
        n = len(self.spans)
        return sparse.csr_array(
            (np.ones(n, np.float32), np.arange(n, dtype=np.int32), bounds), shape=(len(self.texts), n)
        )


class Encoder:
    """Counts the terms of fitted blocks; remembers the terms of every word it has met, up to a bound."""

    def __init__(self, blocks: Sequence[Block], remembered: int = 50_000) -> None:
        self.blocks = tuple(blocks)
        self._remembered = remembered
        self._index: list[dict[str, int]] = []
        offset = 0
        for block in self.blocks:
            self._index.append({term: offset + number for number, term in enumerate(block.terms)})
            offset += len(block.terms)
        self.n_terms = offset
        self._pair_index = [
            index
            for block, index in zip(self.blocks, self._index, strict=True)
            if block.kind == "words" and block.n_max > 1
        ]
        self._block_of = np.repeat(np.arange(len(self.blocks)), [len(block.terms) for block in self.blocks])
        self._idf = np.concatenate([block.idf for block in self.blocks])
        self._memo: dict[str, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]] = {}

    def counts(self, corpus: Corpus) -> Matrix:
        """Return the counts of all blocks' terms, shape (n_sentences, n_terms)."""
        types: dict[str, int] = {}
        columns = [types.setdefault(token.form, len(types)) for tokens in corpus.tokens for token in tokens]
        lengths = np.fromiter(map(len, corpus.tokens), dtype=np.int64, count=len(corpus.tokens))
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        shape = (len(corpus.tokens), len(types))
        words = sparse.csr_array((np.ones(len(columns), np.float32), columns, bounds), shape=shape)
        pairs = [
            (number, found) for number, tokens in enumerate(corpus.tokens) for _, found in self._pairs(tokens)
        ]
        row, column = zip(*pairs, strict=True) if pairs else ((), ())
        ones = np.ones(len(pairs), dtype=np.float32)
        return words @ self._terms_of(types) + sparse.csr_array(
            (ones, (row, column)), shape=(len(corpus.tokens), self.n_terms)
        )

    def token_terms(self, sentences: Sequence[Sequence[Token]]) -> Matrix:
        """Return each token's part in the counts of its sentence, shape (n_tokens, n_terms).

        A pair of words counts half for each of them.
        """
        types: dict[str, int] = {}
        rows = [types.setdefault(token.form, len(types)) for tokens in sentences for token in tokens]
        single = self._terms_of(types)[rows]
        row: list[int] = []
        column: list[int] = []
        first = 0
        for tokens in sentences:
            for number, found in self._pairs(tokens):
                row += [first + number, first + number + 1]
                column += [found, found]
            first += len(tokens)
        halves = np.full(len(row), 0.5, dtype=np.float32)
        return sparse.csr_array(single + sparse.csr_array((halves, (row, column)), shape=single.shape))

    def tfidf(self, counts: Matrix) -> Matrix:
        """Return ``(1 + ln count) * idf``, each block scaled to unit length a row (float32)."""
        matrix = counts.copy()
        matrix.data = 1 + np.log(matrix.data)
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        matrix.data *= self._idf[matrix.indices]
        slot = row * len(self.blocks) + self._block_of[matrix.indices]
        squares = np.bincount(slot, weights=matrix.data.astype(np.float64) ** 2, minlength=1)
        matrix.data = (matrix.data / np.sqrt(squares)[slot]).astype(np.float32)
        return matrix

    def _pairs(self, tokens: Sequence[Token]) -> list[tuple[int, int]]:
        """Return the known pairs of words of a sentence: the number of the first word, and the term."""
        forms = [token.form for token in tokens]
        return [
            (number, found)
            for index in self._pair_index
            for number, (left, right) in enumerate(pairwise(forms))
            if (found := index.get(f"{left} {right}")) is not None
        ]

    def _terms_of(self, words: Iterable[str]) -> Matrix:
        """Return the terms of single words, shape (n_words, n_terms)."""
        if len(self._memo) > self._remembered:
            self._memo = {}
        memo = self._memo
        found = [memo.get(word) or memo.setdefault(word, self._look_up(word)) for word in words]
        bounds = np.concatenate([[0], np.cumsum([len(columns) for columns, _ in found], dtype=np.int64)])
        if not found:
            return sparse.csr_array((0, self.n_terms), dtype=np.float32)
        columns = np.concatenate([columns for columns, _ in found])
        values = np.concatenate([values for _, values in found])
        return sparse.csr_array((values, columns, bounds), shape=(len(found), self.n_terms))

    def _look_up(self, word: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        counted: Counter[int] = Counter()
        for block, index in zip(self.blocks, self._index, strict=True):
            for term in _word_terms(word, block.kind, block.n_min, block.n_max):
                if (found := index.get(term)) is not None:
                    counted[found] += 1
        columns = sorted(counted)
        return np.array(columns, dtype=np.int32), np.array([counted[c] for c in columns], dtype=np.float32)


def fit_blocks(corpus: Corpus, specs: Sequence[BlockSpec]) -> tuple[Block, ...]:
    """Choose the terms and their idf, ``ln((1 + n) / (1 + df)) + 1``, from the texts of ``corpus``."""
    return tuple(_fit_block(corpus, spec) for spec in specs)


def _fit_block(corpus: Corpus, spec: BlockSpec) -> Block:
    per_word: dict[str, set[str]] = {}
    df: Counter[str] = Counter()
    rows = np.searchsorted(corpus.text_of, np.arange(len(corpus.texts) + 1))
    for first, last in pairwise(rows):
        present: set[str] = set()
        forms = {token.form for tokens in corpus.tokens[first:last] for token in tokens}
        for form in forms:
            if form not in per_word:
                per_word[form] = set(_word_terms(form, spec.kind, spec.n_min, spec.n_max))
            present |= per_word[form]
        if spec.kind == "words" and spec.n_max > 1:
            for tokens in corpus.tokens[first:last]:
                present.update(f"{a.form} {b.form}" for a, b in pairwise(tokens))
        df.update(present)
    kept = sorted((-count, term) for term, count in df.items() if count >= spec.min_df)[: spec.max_terms]
    terms = tuple(sorted(term for _, term in kept))
    frequency = np.array([df[term] for term in terms], dtype=np.float64)
    idf = (np.log((1 + len(corpus.texts)) / (1 + frequency)) + 1).astype(np.float32)
    return Block(spec.name, spec.kind, spec.n_min, spec.n_max, terms, idf)


def _word_terms(word: str, kind: Kind, n_min: int, n_max: int) -> list[str]:
    """Return the terms of one word: itself, or the character grams of the word between two blanks."""
    if kind == "words":
        return [word] if n_min == 1 else []
    padded = f" {word} "
    return [padded[i : i + n] for n in range(n_min, n_max + 1) for i in range(len(padded) - n + 1)]


def _by_sentence(text: str) -> list[tuple[Span, list[Token]]]:
    """Return the sentences of a text that hold a token, each with its tokens."""
    spans = sentences(text)
    held: list[tuple[Span, list[Token]]] = []
    tokens = iter(tokenise(text))
    token = next(tokens, None)
    for span in spans:
        found: list[Token] = []
        while token is not None and token.start < span.end:
            found.append(token)
            token = next(tokens, None)
        if found:
            held.append((span, found))
    return held
