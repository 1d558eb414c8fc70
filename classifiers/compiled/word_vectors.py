"""The vectors of words that are met for the first time: their stem and their character grams, looked up and added up.

The same terms as :func:`classifiers.features.word_terms` counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.compiled.compiling import compiled, inlined
from classifiers.features import GRAM_LENGTHS, Block, is_single_or_pair, shape_of
from classifiers.languages import stems
from classifiers.linear import View

_SPACED, _WHOLE, _UNSPACED = 0, 1, 2
_SHORTEST, _LONGEST = min(GRAM_LENGTHS), max(GRAM_LENGTHS)
_MAX_GRAMS = 512


class Grams(NamedTuple):
    """A hash table of grams (slots hold their number, from 1), and their code points."""

    slots: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    codes: npt.NDArray[np.uint32]


class Terms(NamedTuple):
    """What each term adds to every view, (n_terms, width), and its own weight, (n_terms,); stems first, then grams."""

    vectors: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


class Vocabulary:
    """The terms of a model."""

    def __init__(self, blocks: Sequence[Block], views: Sequence[View], width: int) -> None:
        stems, grams = blocks
        self._stems = {term: number for number, term in enumerate(stems.terms)}
        self._grams = _grams(grams.terms)
        weights = np.concatenate([stems.weights, grams.weights])
        vectors = np.zeros((len(weights), len(views) * width), dtype=np.float32)
        for number, view in enumerate(views):
            n_terms, n_tags = view.weights.shape
            own = stems.idf if view.name == "sentences" else weights
            part = vectors[:n_terms, number * width : number * width + n_tags]
            np.multiply(view.weights, own[:, None], out=part)
        self._terms = Terms(vectors, weights)

    def add(self, forms: Sequence[str], languages: Sequence[str], rows: Any) -> None:
        """Write the rows of words over zeros, (n_words, n_views * width + SPARE)."""
        shapes = [shape_of(form) for form in forms]
        kinds = np.fromiter(map(_kind, shapes), dtype=np.int8, count=len(shapes))
        rows[:, self._terms.vectors.shape[1] + 1] = kinds != _WHOLE
        codes = np.frombuffer("".join(shapes).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        bounds = np.cumsum([0, *map(len, shapes)])
        terms = self._grams, self._terms, len(self._stems)
        room = np.empty(_MAX_GRAMS, dtype=np.uint32), np.empty(_MAX_GRAMS, dtype=np.int32)
        _add_words(codes, bounds, kinds, self._stem_numbers(shapes, languages), terms, (rows, *room))

    def _stem_numbers(self, shapes: Sequence[str], languages: Sequence[str]) -> npt.NDArray[np.int32]:
        found = np.empty(len(shapes), dtype=np.int32)
        known = self._stems.get
        for language in dict.fromkeys(languages):
            rows = [row for row, other in enumerate(languages) if other == language]
            found[rows] = [known(term, -1) for term in stems([shapes[row] for row in rows], language)]
        return found


def _kind(shape: str) -> int:
    first = shape[0]
    if not (first.isalnum() or first in "#@"):
        return _WHOLE
    return _UNSPACED if first >= "\u3040" and is_single_or_pair(shape) else _SPACED


def _grams(terms: Sequence[str]) -> Grams:
    size = 1 << max(4, (4 * len(terms)).bit_length())
    codes = np.frombuffer("".join(terms).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    starts = np.cumsum([0, *map(len, terms)]).astype(np.int32)
    found = Grams(np.zeros(size, dtype=np.int32), starts, codes)
    _fill(found)
    return found


@inlined
def _slot(codes: Any, start: int, end: int, n_slots: int) -> Any:
    value = np.uint64(0x9E3779B97F4A7C15)
    for at in range(start, end):
        value = (value ^ np.uint64(codes[at])) * np.uint64(0x9FB21C651E98DF25)
        value ^= value >> np.uint64(29)
    return np.int64(value >> np.uint64(20)) & (n_slots - 1)


@inlined
def _number(codes: Any, start: int, end: int, grams: Any) -> tuple[int, int]:
    """Return the number of a gram, from 1 (0: unknown), and the slot where the search ended."""
    slot = _slot(codes, start, end, len(grams.slots))
    while True:
        number = grams.slots[slot]
        if number == 0:
            return 0, slot
        first = grams.starts[number - 1]
        if grams.starts[number] - first == end - start:
            same = True
            for at in range(end - start):
                if grams.codes[first + at] != codes[start + at]:
                    same = False
                    break
            if same:
                return number, slot
        slot = (slot + 1) & (len(grams.slots) - 1)


@compiled
def _fill(grams: Any) -> None:
    for number in range(len(grams.starts) - 1):
        known, slot = _number(grams.codes, grams.starts[number], grams.starts[number + 1], grams)
        if not known:
            grams.slots[slot] = number + 1


@inlined
def _grams_of(codes: Any, n: int, kind: int, grams: Any, found: Any) -> int:
    """Write the numbers of a padded word's known grams, each as often as it stands in it; return how many."""
    count = 0
    if kind == _UNSPACED:
        for length in range(1, n - 1):
            for at in range(1, n - length):
                number, _ = _number(codes, at, at + length, grams)
                if number:
                    found[count] = number
                    count += 1
        return count
    for length in range(_SHORTEST, _LONGEST + 1):
        whole = kind == _WHOLE or length >= n
        last = 0 if whole else n - length
        for at in range(last + 1):
            number, _ = _number(codes, at, n if whole else at + length, grams)
            if number:
                found[count] = number
                count += 1
        if whole:
            break
    return count


@compiled
def _add_words(codes: Any, bounds: Any, kinds: Any, stems: Any, model: Any, out: Any) -> None:
    """Add up the vectors of words' terms.

    Parameters
    ----------
    codes, bounds
        Code points of all shapes, and where each begins, and at last the end.
    kinds, stems
        What grams each has, and the number of its stem or -1, (n_words,).
    model
        The grams, the terms, and how many of these are stems.
    out
        Rows of zeros to add to: a word's vectors, and its squared length in the column after them; and room for a
        word's code
        points and the numbers of its grams.
    """
    grams, terms, n_stems = model
    rows, padded, found = out
    for word in range(len(kinds)):
        row = rows[word]
        if stems[word] >= 0:
            term = stems[word]
            own = terms.vectors[term]
            for column in range(len(own)):
                row[column] += own[column]
            row[len(own)] += terms.weights[term] ** 2
        size = bounds[word + 1] - bounds[word]
        padded[0] = 32
        for at in range(size):
            padded[at + 1] = codes[bounds[word] + at]
        padded[size + 1] = 32
        n = _grams_of(padded, size + 2, kinds[word], grams, found)
        for place in range(n):
            count = 0
            for other in range(n):
                if found[other] == found[place]:
                    if other < place:
                        count = -1
                        break
                    count += 1
            if count > 0:
                term = n_stems + found[place] - 1
                weight = np.float32(count)
                own = terms.vectors[term]
                for column in range(len(own)):
                    row[column] += weight * own[column]
                row[len(own)] += (weight * terms.weights[term]) ** 2
