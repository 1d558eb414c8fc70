"""Sentences of many texts at once, as :func:`classifiers.tokens.sentences` parts them."""

from __future__ import annotations

from typing import Any

from classifiers.compiled.compiling import compiled, inlined
from classifiers.compiled.cutting import (
    ALNUM,
    BEFORE_WORD,
    BULLET,
    CLOSER,
    FOLD_SHIFT,
    FULL_STOP,
    LINE_END,
    LOWER,
    SEVERAL_LETTERS,
    SPACE,
    UPPER,
    WIDE_CLOSER,
    WIDE_STOP,
)

_MAY_END = FULL_STOP | WIDE_STOP | LINE_END | BULLET
_LOOKED_BACK, _LOOKED_AHEAD, _LONGEST = 20, 8, 8


@inlined
def _run(codes: Any, table: Any, at: int, end: int, bits: int) -> int:
    """Return where characters with any of ``bits`` end."""
    while at < end and table[codes[at]] & bits:
        at += 1
    return at


@inlined
def _mark(codes: Any, table: Any, at: int, place: Any) -> tuple[int, int]:
    """Return where the boundary that begins here ends (-1: none), and where to go on looking."""
    begin, end = place
    bits = table[codes[at]]
    if bits & FULL_STOP:
        after = _run(codes, table, at, end, FULL_STOP)
        if at > begin and table[codes[at - 1]] & FULL_STOP:
            return -1, after
        closed = _run(codes, table, after, end, CLOSER)
        if closed == end or table[codes[closed]] & SPACE:
            return closed, closed
        return -1, after
    if bits & WIDE_STOP:
        after = _run(codes, table, at, end, WIDE_STOP)
        after = _run(codes, table, after, end, WIDE_CLOSER)
        return after, after
    if bits & LINE_END:
        after = _run(codes, table, at, end, LINE_END)
        return after, after
    return (at, at + 1) if bits & BULLET else (-1, at + 1)


@inlined
def _ends(codes: Any, table: Any, mark: Any, place: Any, short: Any) -> tuple[bool, bool]:
    """Tell whether a full stop ends a sentence, and whether that can be told here."""
    at, after = mark
    begin, end = place
    code = codes[at]
    if after == at or code not in (0x2E, 0x2026):
        return True, True
    ahead = min(after + _LOOKED_AHEAD, end)
    following = _run(codes, table, after, ahead, SPACE)
    if following < ahead and table[codes[following]] & LOWER:
        return False, True
    if code != 0x2E or after - at != 1:
        return True, True
    first = at
    limit = max(begin, at - _LOOKED_BACK)
    while first > limit and not table[codes[first - 1]] & BEFORE_WORD:
        first -= 1
    if at - first == 1 and table[codes[first]] & UPPER:
        return False, True
    return _is_no_abbreviation(codes, table, first, at, short)


@inlined
def _is_no_abbreviation(codes: Any, table: Any, first: int, end: int, short: Any) -> tuple[bool, bool]:
    known = True
    packed = 0
    for place in range(first, end):
        letter = table[codes[place]] >> FOLD_SHIFT
        if letter == 0:
            return True, True
        known = known and letter != SEVERAL_LETTERS
        if place - first < _LONGEST:
            packed = packed << 7 | (letter & 0x7F)
    if not known or end - first > _LONGEST:
        return True, known
    for each in short:
        if each == packed:
            return False, True
    return True, True


@inlined
def _add(codes: Any, table: Any, place: Any, ends: Any, n: int) -> int:
    """Add a sentence that ends at ``place[1]``, or lengthen the last; return how many there are."""
    begin, end = place
    while begin < end and table[codes[begin]] & SPACE:
        begin += 1
    while end > begin and table[codes[end - 1]] & SPACE:
        end -= 1
    if begin >= end:
        return n
    if n > 0:
        says = False
        for at in range(begin, end):
            if table[codes[at]] & ALNUM:
                says = True
                break
        if not says:
            ends[n - 1] = end
            return n
    ends[n] = end
    return n + 1


@compiled
def part_sentences(codes: Any, bounds: Any, known: Any, tokens: Any, firsts: Any, out: Any) -> int:
    """Part texts into sentences that hold a token.

    Parameters
    ----------
    codes, bounds
        As for :func:`classifiers.compiled.cutting.cut_tokens`.
    known
        Bits of every code point, and abbreviations.
    tokens, firsts
        The tokens, and the first one of each text.
    out
        A tuple of arrays to write: the first token of every sentence, with room for as many as there are
        tokens and one more; the first sentence of each text, (n_texts + 1,); set to True where a text is
        odd, (n_texts,); and room for as many numbers as the longest text has code points and one more.

    Returns
    -------
    int
        The number of sentences.
    """
    table, short = known
    sentence_firsts, text_firsts, odd, ends = out
    total = 0
    for text in range(len(bounds) - 1):
        begin, end = bounds[text], bounds[text + 1]
        start, at, n = begin, begin, 0
        while True:
            while at < end and not table[codes[at]] & _MAY_END:
                at += 1
            if at == end:
                break
            after, onward = _mark(codes, table, at, (begin, end))
            if after >= 0:
                is_end, known = _ends(codes, table, (at, after), (start, end), short)
                if not known:
                    odd[text] = True
                if is_end:
                    n = _add(codes, table, (start, after), ends, n)
                    start = after
            at = onward
        n = _add(codes, table, (start, end), ends, n)
        text_firsts[text] = total
        token, last = firsts[text], firsts[text + 1]
        for sentence in range(n):
            if token < last and tokens[token, 0] < ends[sentence]:
                sentence_firsts[total] = token
                total += 1
                while token < last and tokens[token, 0] < ends[sentence]:
                    token += 1
    text_firsts[len(bounds) - 1] = total
    sentence_firsts[total] = firsts[len(bounds) - 1]
    return total
