"""The memo: from a token as it is written to the number of its word, and from there to the word's vectors.

A token is known by its code points and the language by which it is stemmed; tokens of one form are one word.
The table is read without a lock while another thread adds to it: a key is written before what points to
it, so that what is half written is not found and is looked for again under the lock.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers.compiled.compiling import compiled, inlined

N_TOKENS = 1 << 17
"""Most different tokens that are remembered, a power of two; with more, the memo is begun anew."""
_N_CODES = 16 * N_TOKENS
_HASH, _START, _LENGTH, _WORD = 0, 1, 2, 3


class Keys(NamedTuple):
    """The hash table, and of every token the number of its language and its code points.

    A slot has a part of the token's hash, where its key begins, how long that is (0: the slot is free), and the number
    of its word, from 1 (0: not known yet), int32; so all that is asked of it comes with one line of memory.  The hash
    depends on a secret ``seed``: nobody can write a post whose tokens all fall into one place.
    """

    slots: npt.NDArray[np.int32]
    codes: npt.NDArray[np.uint32]
    seed: np.uint64


class Memo:
    """Tokens and words met so far.

    Attributes
    ----------
    rows
        What is known of every word, (n_words, width), zeros at first.
    numbers
        The number of every word by its language's number and its form.
    """

    def __init__(self, width: int, kind: npt.DTypeLike) -> None:
        # Untouched pages of zeros take no memory.
        self.keys = Keys(
            np.zeros((4 * N_TOKENS, 4), dtype=np.int32),
            np.zeros(_N_CODES, dtype=np.uint32),
            np.uint64(secrets.randbits(64)),
        )
        self.rows: npt.NDArray[Any] = np.zeros((N_TOKENS, width), dtype=kind)
        self.numbers: dict[int, dict[str, int]] = defaultdict(dict)
        self.n_words = 0
        self._n_tokens = 0
        self._n_codes = 0

    def has_room(self, tokens: Any) -> bool:
        """Tell whether these tokens (start, end, end of the key) fit as well."""
        n_codes = self._n_codes + int((tokens[:, 2] - tokens[:, 0] + 1).sum())
        return self._n_tokens + len(tokens) <= N_TOKENS and n_codes <= _N_CODES

    def add(self, codes: Any, tokens: Any, languages: Any, words: Sequence[int]) -> None:
        """Remember different tokens with their words, whose rows are there; under one lock."""
        of_words = np.array(words, dtype=np.int32)
        places = np.empty(len(words), dtype=np.int64)
        self._n_codes = _write(codes, tokens, languages, self.keys, (places, self._n_codes))
        # Only now are they found: another thread may be looking.
        _publish(of_words, places, self.keys)
        self._n_tokens += len(of_words)


@inlined
def _hash(codes: Any, start: int, end: int, first: Any) -> Any:
    """Return the hash of code points; ``first`` is the seed and the language."""
    value = first * np.uint64(0x9E3779B97F4A7C15)
    for at in range(start, end):
        value = (value ^ np.uint64(codes[at])) * np.uint64(0x9FB21C651E98DF25)
        value ^= value >> np.uint64(29)
    return value


@inlined
def _find(codes: Any, place: Any, value: Any, keys: Any) -> Any:
    """Return the slot of the token with this key, or a free one."""
    start, end, language = place
    slots, known, _ = keys
    mark = np.int32(value & np.uint64(0x7FFFFFFF))
    slot = np.int64(value >> np.uint64(40)) & (len(slots) - 1)
    while slots[slot, _LENGTH]:
        if slots[slot, _HASH] == mark and slots[slot, _LENGTH] == end - start + 1:
            first = slots[slot, _START]
            same = known[first] == language
            for at in range(end - start):
                if known[first + at + 1] != codes[start + at]:
                    same = False
                    break
            if same:
                break
        slot = (slot + 1) & (len(slots) - 1)
    return slot


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
    slots, known, seed = keys
    n_missing = 0
    for text in range(len(firsts) - 1):
        for token in range(firsts[text], firsts[text + 1]):
            start, end = tokens[token, 0], tokens[token, 2]
            value = _hash(codes, start, end, seed + np.uint64(languages[text]))
            word = slots[_find(codes, (start, end, languages[text]), value, (slots, known, seed)), _WORD] - 1
            words[token] = word
            if word < 0:
                missing[n_missing] = token
                n_missing += 1
    return n_missing


@compiled
def first_of_each(codes: Any, tokens: Any, languages: Any, seed: Any, out: Any) -> int:
    """Write which tokens are the first of their kind; return how many.

    ``out`` are rows for them, and zeros to work with, a power of two and at least twice as many as there are tokens.
    """
    rows, slots = out
    n = 0
    for row in range(len(tokens)):
        start, end = tokens[row, 0], tokens[row, 2]
        slot = np.int64(_hash(codes, start, end, seed + np.uint64(languages[row])) >> np.uint64(20)) & (
            len(slots) - 1
        )
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
            rows[n] = row
            n += 1
    return n


@compiled
def _write(codes: Any, tokens: Any, languages: Any, keys: Any, out: Any) -> Any:
    """Write keys without their words; return how many code points there are."""
    slots, known, seed = keys
    places, n_codes = out
    for row in range(len(tokens)):
        start, end = tokens[row, 0], tokens[row, 2]
        value = _hash(codes, start, end, seed + np.uint64(languages[row]))
        slot = _find(codes, (start, end, languages[row]), value, (slots, known, seed))
        known[n_codes] = languages[row]
        for at in range(end - start):
            known[n_codes + at + 1] = codes[start + at]
        slots[slot, _HASH] = np.int32(value & np.uint64(0x7FFFFFFF))
        slots[slot, _START] = n_codes
        slots[slot, _LENGTH] = end - start + 1
        places[row] = slot
        n_codes += end - start + 1
    return n_codes


@compiled
def _publish(words: Any, places: Any, keys: Any) -> None:
    for row in range(len(words)):
        keys.slots[places[row], _WORD] = words[row] + 1
