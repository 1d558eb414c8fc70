"""The memo: from a token as it is written to the number of its word, and from there to the word's vectors.

A token is known by its code points and the language by which it is stemmed; tokens of one form are one word.
The table is read without a lock while another thread adds to it: a key is written before what points to
it, so that what is half written is not found and is looked for again under the lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.compiled.compiling import compiled, inlined

N_TOKENS = 1 << 18
"""Most different tokens that are remembered; with more, the memo is begun anew."""
_N_SLOTS = 4 * N_TOKENS
_N_CODES = 16 * N_TOKENS
MISSING = -1


class Keys(NamedTuple):
    """The hash table (slots hold the number of a token, from 1) and what is known of every token."""

    slots: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64]
    words: npt.NDArray[np.int32]
    codes: npt.NDArray[np.uint32]


class Memo:
    """Tokens and words met so far.

    Attributes
    ----------
    vectors
        What every word adds to the views, float32 (n_words, width).
    mass
        The squared length of every word's vector, float32.
    is_word
        Whether it is a word rather than a sign, bool.
    numbers
        The number of every word by its language's number and its form.
    """

    def __init__(self, width: int) -> None:
        # Untouched pages of zeros take no memory.
        self.keys = Keys(
            np.zeros(_N_SLOTS, dtype=np.int32),
            np.zeros(N_TOKENS + 2, dtype=np.int32),
            np.zeros(N_TOKENS + 1, dtype=np.uint64),
            np.zeros(N_TOKENS + 1, dtype=np.int32),
            np.zeros(_N_CODES, dtype=np.uint32),
        )
        self.vectors = np.zeros((N_TOKENS, width), dtype=np.float32)
        self.mass = np.zeros(N_TOKENS, dtype=np.float32)
        self.is_word = np.zeros(N_TOKENS, dtype=np.bool_)
        self.numbers: dict[int, dict[str, int]] = defaultdict(dict)
        self.n_words = 0
        self.n_tokens = 0

    def has_room(self, tokens: Any) -> bool:
        """Tell whether these tokens (start, end, end of the key) fit as well."""
        n_codes = int((tokens[:, 2] - tokens[:, 0]).sum())
        return (
            self.n_tokens + len(tokens) <= N_TOKENS
            and int(self.keys.starts[self.n_tokens + 1]) + n_codes <= _N_CODES
        )

    def add(self, codes: Any, tokens: Any, languages: Any, words: Sequence[int]) -> None:
        """Remember different tokens with their words, whose vectors are there; under one lock."""
        of_words = np.array(words, dtype=np.int32)
        _write(codes, tokens, languages, of_words, self.keys, self.n_tokens)
        # Only now are they found: another thread may be looking.
        _publish(self.keys, self.n_tokens, len(of_words))
        self.n_tokens += len(of_words)


@inlined
def _hash(codes: Any, start: int, end: int, language: int) -> Any:
    value = np.uint64(0x9E3779B97F4A7C15) + np.uint64(language)
    for at in range(start, end):
        value = (value ^ np.uint64(codes[at])) * np.uint64(0x9FB21C651E98DF25)
        value ^= value >> np.uint64(29)
    return value


@inlined
def _find(codes: Any, place: Any, value: Any, keys: Any) -> Any:
    """Return the number of the token with this key, 0 for none."""
    start, end = place
    slot = np.int64(value >> np.uint64(44)) & (len(keys.slots) - 1)
    while True:
        number = keys.slots[slot]
        if number == 0:
            return 0
        if keys.hashes[number] == value:
            first = keys.starts[number]
            if keys.starts[number + 1] - first == end - start:
                same = True
                for at in range(end - start):
                    if keys.codes[first + at] != codes[start + at]:
                        same = False
                        break
                if same:
                    return number
        slot = (slot + 1) & (len(keys.slots) - 1)


@compiled
def look_up(codes: Any, tokens: Any, firsts: Any, languages: Any, keys: Any, out: Any) -> int:
    """Find the word of every token.

    Parameters
    ----------
    tokens
        Start, end, and end of the key, (n_tokens, 3); ``firsts`` is the first of each text.
    languages
        The number of the language by which each text is stemmed, (n_texts,).
    out
        A tuple of arrays to write, (n_tokens,) each: the words, -1 for tokens that the memo lacks, and the
        numbers of these tokens.

    Returns
    -------
    int
        How many tokens the memo lacks.
    """
    words, missing = out
    n_missing = 0
    for text in range(len(firsts) - 1):
        for token in range(firsts[text], firsts[text + 1]):
            start, end = tokens[token, 0], tokens[token, 2]
            value = _hash(codes, start, end, languages[text])
            number = _find(codes, (start, end), value, keys)
            if number:
                words[token] = keys.words[number]
            else:
                words[token] = -1
                missing[n_missing] = token
                n_missing += 1
    return n_missing


@compiled
def first_of_each(codes: Any, tokens: Any, languages: Any, slots: Any, out: Any) -> int:
    """Write which tokens are the first of their kind; return how many.

    ``slots`` are zeros, a power of two and at least twice as many as there are tokens.
    """
    n = 0
    for row in range(len(tokens)):
        start, end = tokens[row, 0], tokens[row, 2]
        slot = np.int64(_hash(codes, start, end, languages[row]) >> np.uint64(20)) & (len(slots) - 1)
        while slots[slot]:
            other = slots[slot] - 1
            first = tokens[other, 0]
            same = languages[other] == languages[row] and tokens[other, 2] - first == end - start
            at = 0
            while same and at < end - start:
                same = codes[first + at] == codes[start + at]
                at += 1
            if same:
                break
            slot = (slot + 1) & (len(slots) - 1)
        if not slots[slot]:
            slots[slot] = row + 1
            out[n] = row
            n += 1
    return n


@compiled
def _write(codes: Any, tokens: Any, languages: Any, words: Any, keys: Any, n: int) -> None:
    for row in range(len(words)):
        n += 1
        start, end = tokens[row, 0], tokens[row, 2]
        first = keys.starts[n]
        for at in range(end - start):
            keys.codes[first + at] = codes[start + at]
        keys.starts[n + 1] = first + end - start
        keys.hashes[n] = _hash(codes, start, end, languages[row])
        keys.words[n] = words[row]


@compiled
def _publish(keys: Any, n: int, n_new: int) -> None:
    for number in range(n + 1, n + n_new + 1):
        slot = np.int64(keys.hashes[number] >> np.uint64(44)) & (len(keys.slots) - 1)
        while keys.slots[slot]:
            slot = (slot + 1) & (len(keys.slots) - 1)
        keys.slots[slot] = number
