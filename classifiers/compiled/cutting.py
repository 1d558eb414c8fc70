"""Tokens and sentences of many texts at once, as :mod:`classifiers.tokens` cuts them.

What a character may do is looked up in a table of bits, one entry a code point
(:mod:`classifiers.compiled.characters`).
The patterns of :mod:`classifiers.tokens` are read from left to right without going back.  A text that
would need more (an abbreviation spelt with a ligature, a hashtag of circled digits) is marked as odd, for the
tokeniser itself to cut.
"""

from __future__ import annotations

from typing import Any

from classifiers.compiled.compiling import compiled, inlined

IN_WORD = 1 << 0  # \w, the underscore included
ALNUM = 1 << 1
MARK = 1 << 2
SINGLE = 1 << 3  # of a script without spaces
PICTOGRAPH = 1 << 4
SIGN = 1 << 5  # punctuation or symbol
SPACE = 1 << 6
LOWER = 1 << 7
UPPER = 1 << 8
DIGIT = 1 << 9
CYRILLIC = 1 << 10
JOINER = 1 << 11
APOSTROPHE = 1 << 12
BULLET = 1 << 13
ODD_IN_TAG = 1 << 14
FULL_STOP = 1 << 15  # what ends a sentence before white space
CLOSER = 1 << 16
WIDE_STOP = 1 << 17  # what ends one anywhere
WIDE_CLOSER = 1 << 18
LINE_END = 1 << 19
MAY_COMPOSE = 1 << 20  # not its own canonical composition, whatever stands beside it
NOT_UPPER = 1 << 21
ALPHA = 1 << 22
BEFORE_WORD = 1 << 23  # where the word before a full stop begins
FOLD_SHIFT = 24
"""The upper eight bits: the number of the folded letter among those of abbreviations, from 1; 0 if it is none."""
SEVERAL_LETTERS = 255

MAX_KEY = 256
"""What is looked at of a token."""

NOTHING, ADDRESS, TAG, EMOJI, WORD, ONE, MARKS = 0, 1, 2, 3, 4, 5, 6


@inlined
def _letters(codes: Any, table: Any, at: int, end: int) -> int:
    """Return the end of a run of letters with their marks, or ``at`` where none begins."""
    if at < end and (table[codes[at]] & (ALNUM | SINGLE)) == ALNUM:
        at += 1
        while at < end:
            bits = table[codes[at]]
            if not bits & MARK and (bits & (ALNUM | SINGLE)) != ALNUM:
                break
            at += 1
    return at


@inlined
def _ascii_lower(code: int) -> int:
    if 65 <= code <= 90:
        return code + 32
    return 115 if code == 0x17F else code  # the long s


@inlined
def _is_ending(codes: Any, table: Any, at: int, end: int) -> bool:
    """Tell whether one of s, t, d, m, re, ve, ll and then no letter stands here."""
    if at >= end:
        return False
    first = _ascii_lower(codes[at])
    length = 0
    if first in (115, 116, 100, 109):  # s t d m
        length = 1
    elif at + 1 < end:
        second = _ascii_lower(codes[at + 1])
        if (first in (114, 118) and second == 101) or (first == 108 and second == 108):  # re ve ll
            length = 2
    after = at + length
    return length > 0 and not (after < end and table[codes[after]] & ALNUM)


@inlined
def _word(codes: Any, table: Any, at: int, end: int) -> int:
    """Return the end of a word, or ``at`` where there is none."""
    place = _letters(codes, table, at, end)
    if place == at:
        return at
    while True:
        after = place
        while after < end and table[codes[after]] & JOINER:
            after += 1
        found = _letters(codes, table, after, end)
        if found == after and after == place and place < end:
            code = codes[place]
            joins = code in (0x2D, 0x2010, 0x2011)
            if not joins and table[code] & APOSTROPHE:
                joins = _is_ending(codes, table, place + 1, end) or (
                    table[codes[place - 1]] & CYRILLIC != 0
                    and place + 1 < end
                    and table[codes[place + 1]] & CYRILLIC != 0
                )
            if joins:
                after = place + 1
                found = _letters(codes, table, after, end)
        if found == after:
            return place
        place = found


@inlined
def _address(codes: Any, at: int, end: int) -> int:
    """Return the end of a web address, or ``at`` where there is none."""
    place = at
    for wanted in (104, 116, 116, 112):  # http
        if place >= end or _ascii_lower(codes[place]) != wanted:
            return at
        place += 1
    if place < end and _ascii_lower(codes[place]) == 115:
        place += 1
    for wanted in (58, 47, 47):  # ://
        if place >= end or codes[place] != wanted:
            return at
        place += 1
    first = place
    while place < end and 33 <= codes[place] <= 126:
        place += 1
    return place if place > first else at


@inlined
def _emoji(codes: Any, table: Any, at: int, end: int) -> int:
    """Return the end of an emoji, a whole sequence, or ``at`` where there is none."""
    if at + 1 < end and 0x1F1E6 <= codes[at] <= 0x1F1FF and 0x1F1E6 <= codes[at + 1] <= 0x1F1FF:
        return at + 2
    if not table[codes[at]] & PICTOGRAPH:
        return at
    at += 1
    if at < end and 0xFE0E <= codes[at] <= 0xFE0F:
        at += 1
    if at < end and 0x1F3FB <= codes[at] <= 0x1F3FF:
        at += 1
    while at + 1 < end and codes[at] == 0x200D and table[codes[at + 1]] & PICTOGRAPH:
        at += 2
        if at < end and codes[at] == 0xFE0F:
            at += 1
        if at < end and 0x1F3FB <= codes[at] <= 0x1F3FF:
            at += 1
    return at


@inlined
def _match(codes: Any, table: Any, at: int, end: int) -> tuple[int, int]:
    """Return the kind and the end of the token that begins here."""
    code = codes[at]
    bits = table[code]
    if code in (104, 72):
        after = _address(codes, at, end)
        if after > at:
            return ADDRESS, after
    if code in (0x23, 0x40, 0xFF03):
        after = at + 1
        while after < end and table[codes[after]] & IN_WORD:
            after += 1
            while after < end and table[codes[after]] & MARK:
                after += 1
        if after > at + 1:
            return TAG, after
    if bits & PICTOGRAPH:
        return EMOJI, _emoji(codes, table, at, end)
    if bits & ALNUM and not bits & SINGLE:
        return WORD, _word(codes, table, at, end)
    if bits & SINGLE:
        after = at + 1
        while after < end and table[codes[after]] & MARK:
            after += 1
        return ONE, after
    if code in (33, 63):
        after = at + 1
        while after < end and codes[after] in (33, 63):
            after += 1
        return MARKS, after
    return (MARKS, at + 1) if bits & SIGN else (NOTHING, at + 1)


@inlined
def _key_end(codes: Any, kind: int, at: int, after: int) -> int:
    """Return how far a token is looked at: an address up to the end of its host."""
    last = min(after, at + MAX_KEY)
    if kind == ADDRESS:
        slashes = 0
        for place in range(at, last):
            if codes[place] == 47:
                slashes += 1
                if slashes == 3:
                    return place
    return last


@inlined
def _parts(codes: Any, table: Any, place: int, end: int) -> bool:
    """Tell whether a hashtag's word ends before this place."""
    left, right = codes[place - 1], codes[place]
    if left == 95 or right == 95 or (table[left] & DIGIT != 0) != (table[right] & DIGIT != 0):
        return True
    if not table[right] & UPPER:
        return False
    if table[left] & UPPER:
        return place + 1 < end and table[codes[place + 1]] & LOWER != 0
    return True


@inlined
def _tokens(codes: Any, table: Any, place: Any, out: Any, n: int, only_words: bool) -> tuple[int, int, bool]:
    """Write the tokens from ``place[0]`` up to ``place[1]``, or up to a hashtag, from row ``n`` on.

    Returns the next row, where it stopped, and whether all is plain.
    """
    at, end = place
    plain = True
    unspaced = False
    while at < end:
        kind, after = _match(codes, table, at, end)
        if kind == NOTHING or (only_words and kind != WORD and kind != ONE):
            unspaced = unspaced and kind == NOTHING
            at = after
            continue
        if unspaced and kind == ONE and out[n - 1, 1] == at:
            out[n - 1, 2] = after
            plain = plain and after - out[n - 1, 0] <= MAX_KEY
        unspaced = kind == ONE
        out[n, 0], out[n, 1], out[n, 2] = at, after, _key_end(codes, kind, at, after)
        n += 1
        at = after
        if kind == TAG:
            break
    return n, at, plain


@inlined
def _tag_words(codes: Any, table: Any, place: Any, out: Any, n: int) -> tuple[int, bool]:
    """Write the words of a hashtag's body; return the next row, and whether all is plain."""
    first, end = place
    plain = True
    for at in range(first, end):
        plain = plain and table[codes[at]] & ODD_IN_TAG == 0
    begin = first
    for at in range(first + 1, end + 1):
        if at == end or _parts(codes, table, at, end):
            n, _, fits = _tokens(codes, table, (begin, at), out, n, True)
            plain = plain and fits
            begin = at
    return n, plain


@compiled
def cut_tokens(codes: Any, bounds: Any, table: Any, out: Any, firsts: Any, odd: Any) -> int:
    """Cut texts into tokens.

    Parameters
    ----------
    codes
        Code points of all texts, uint32.
    bounds
        Where each text begins, and at last the end, (n_texts + 1,).
    table
        Bits of every code point, uint32.
    out
        Room for two rows a code point: start, end, and how far the key of the token goes, int32.  The key
        of one that is read with the next goes beyond its end; that of an address ends before.
    firsts
        Written: the first token of each text, and at last their number, (n_texts + 1,).
    odd
        Written: which texts must be cut by the tokeniser itself, bool (n_texts,).

    Returns
    -------
    int
        The number of tokens.
    """
    n = 0
    for text in range(len(bounds) - 1):
        firsts[text] = n
        at, end = bounds[text], bounds[text + 1]
        plain = True
        while at < end:
            before = n
            n, at, fits = _tokens(codes, table, (at, end), out, n, False)
            plain = plain and fits
            if n > before and codes[out[n - 1, 0]] in (0x23, 0xFF03) and out[n - 1, 1] - out[n - 1, 0] > 1:
                n, fits = _tag_words(codes, table, (out[n - 1, 0] + 1, out[n - 1, 1]), out, n)
                plain = plain and fits
        odd[text] = not plain
    firsts[len(bounds) - 1] = n
    return n
