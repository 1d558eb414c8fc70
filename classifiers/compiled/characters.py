"""The table of what every code point may do in a text: the patterns of :mod:`classifiers.tokens`, asked once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers import tokens
from classifiers.compiled import cutting as bit

_ASSIGNED = (range(0x33000), range(0xE0000, 0xE0200))
"""Where code points are that are more than private or unassigned."""


class Characters(NamedTuple):
    """Bits of every code point (uint32), and the abbreviations as packed letters (int64)."""

    table: npt.NDArray[np.uint32]
    abbreviations: npt.NDArray[np.int64]


@cache
def characters() -> Characters:
    """Return the table for this interpreter's version of Unicode; 0.3 s, then kept."""
    table = np.zeros(0x110000, dtype=np.uint32)
    every = [chr(code) for part in _ASSIGNED for code in part]
    for pattern, bits in _PATTERNS:
        _set(table, re.findall(pattern, "".join(every)), bits)
    for test, bits in _TESTS:
        _set(table, filter(test, every), bits)
    _set(table, _composing(every), bit.MAY_COMPOSE)
    _set(table, filter(_is_odd_in_tag, re.findall(r"\w", "".join(every))), bit.ODD_IN_TAG)
    return Characters(table, _fold(table, every))


def _set(table: npt.NDArray[np.uint32], found: Iterable[str], bits: int) -> None:
    table[[ord(char) for char in found]] |= bits


def _is_odd_in_tag(char: str) -> bool:
    """Tell whether what this begins may be no word, or no token of letters."""
    if tokens.EMOJI.match(char) is not None:
        return True
    changed = not unicodedata.is_normalized("NFKC", char) or char in tokens.ARABIC_MARKS + tokens.APOSTROPHES
    if char == "_" or not changed:
        return False
    return not all(tokens.is_word(tokens.normal_form(char + mark)) for mark in ("", "\u0301"))


def _composing(every: Iterable[str]) -> Iterator[str]:
    """Yield the characters with which a text may differ from its canonical composition, whatever stands beside them."""
    for char in every:
        if unicodedata.combining(char) or not unicodedata.is_normalized("NFC", char):
            yield char
        parts = unicodedata.decomposition(char).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            yield chr(int(parts[1], 16))
    yield from map(chr, range(0x1160, 0x1200))  # vowels and last consonants of Hangul


def _fold(table: npt.NDArray[np.uint32], every: Iterable[str]) -> npt.NDArray[np.int64]:
    """Number the letters of abbreviations in the table, whatever their case; return the abbreviations in them."""
    alphabet = {
        letter: number for number, letter in enumerate(sorted(set("".join(tokens.ABBREVIATIONS))), start=1)
    }
    for char in every:
        folded = char.casefold()
        if all(letter in alphabet for letter in folded):
            number = alphabet[folded] if len(folded) == 1 else bit.SEVERAL_LETTERS
            table[ord(char)] |= number << bit.FOLD_SHIFT
    packed = []
    for word in sorted(tokens.ABBREVIATIONS):
        number = 0
        for letter in word:
            number = number << 7 | alphabet[letter]
        packed.append(number)
    return np.array(packed, dtype=np.int64)


_PATTERNS = (
    (r"\w", bit.IN_WORD),
    (r"[^\W_]", bit.ALNUM),
    (f"[{tokens.SINGLE}]", bit.SINGLE),
    (f"[{tokens.PICTOGRAPHS}]", bit.PICTOGRAPH),
    (f"[{tokens.characters('M')}]", bit.MARK),
    (f"[{tokens.characters('P', 'S')}]", bit.SIGN),
    (r"\s", bit.SPACE),
    (f"[{tokens.CYRILLIC}]", bit.CYRILLIC),
    (f"[{tokens.JOINERS}]", bit.JOINER),
    (f"[{tokens.APOSTROPHES}]", bit.APOSTROPHE),
    (f"[{tokens.BULLETS}]", bit.BULLET),
    (f"[{tokens.FULL_STOPS}]", bit.FULL_STOP),
    (f"[{tokens.CLOSERS}]", bit.CLOSER),
    (f"[{tokens.WIDE_STOPS}]", bit.WIDE_STOP),
    (f"[{tokens.WIDE_CLOSERS}]", bit.WIDE_CLOSER),
    (f"[{tokens.LINE_ENDS}]", bit.LINE_END),
    (f"[{tokens.BEFORE_WORD}]", bit.BEFORE_WORD),
)
_TESTS: tuple[tuple[Callable[[str], bool], int], ...] = (
    (str.islower, bit.LOWER),
    (str.isupper, bit.UPPER),
    (str.isdigit, bit.DIGIT),
    (str.isalpha, bit.ALPHA),
    (lambda char: char.islower() or (char.istitle() and not char.isupper()), bit.NOT_UPPER),
)
