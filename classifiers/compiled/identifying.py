"""The language of many texts at once, as :func:`classifiers.languages.identify` tells it.

Source of the model and of its scoring (naive Bayes over byte sequences that an automaton finds): py3langid.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from classifiers import languages
from classifiers.compiled.characters import characters
from classifiers.compiled.compiling import compiled, inlined
from classifiers.compiled.cutting import ALPHA, IN_WORD, MAY_COMPOSE, NOT_UPPER, SPACE, UPPER

UNKNOWN, TO_PREPARE = -1, -2
_LOOKED_AT = languages.LOOKED_AT
_STEPS = np.float32(512)
_BLOCK = 4096
_LOG_OF = np.log1p(np.arange(2048)).astype(np.float32)


class Automaton(NamedTuple):
    """py3langid's model as arrays: transitions by row and byte, feature of each state, weights and classes.

    Weights are multiples of ``unit``; where they can be, whole numbers of 16 bits, since reading them is what
    takes time.
    """

    moves: npt.NDArray[Any]
    rows: npt.NDArray[Any]
    features: npt.NDArray[np.int32]
    weights: npt.NDArray[Any]
    unit: np.float32
    biases: npt.NDArray[np.float32]
    first_columns: npt.NDArray[np.int32]
    priors: npt.NDArray[np.float32]


@cache
def automaton() -> tuple[Automaton, tuple[str, ...]]:
    """Return the model and the label of every class; two classes may bear one label."""
    model = languages.load_identifier()  # most of it is not needed after this
    labels = tuple(model.nb_classes)
    first_columns = np.array([labels.index(label) for label in labels], dtype=np.int32)
    priors = np.array([languages.prior(label) for label in labels], dtype=np.float32)
    return (
        Automaton(
            np.asarray(model.tk_nextmove),
            np.asarray(model.tk_row),
            np.array(model.tk_output, dtype=np.int32),
            *_whole_numbers(model.nb_ptc),
            np.asarray(model.nb_pc, dtype=np.float32),
            first_columns,
            priors,
        ),
        labels,
    )


def _whole_numbers(weights: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], np.float32]:
    found = np.empty(weights.shape, dtype=np.int16)
    for first in range(0, len(weights), _BLOCK):  # a part at a time, for the memory
        part = weights[first : first + _BLOCK].astype(np.float32)
        whole = np.rint(part * _STEPS)
        if np.abs(whole).max(initial=0) >= 1 << 15 or not np.array_equal(whole / _STEPS, part):
            return weights.astype(np.float32), np.float32(1)
        found[first : first + _BLOCK] = whole
    return found, np.float32(1 / _STEPS)


class Identifier:
    """Tells languages of texts; not to be shared between threads."""

    def __init__(self) -> None:
        self._automaton, self.labels = automaton()
        self._counts = np.zeros(len(self._automaton.weights), dtype=np.int32)
        self._touched = np.zeros(4 * _LOOKED_AT, dtype=np.int32)
        self._seen = np.zeros(_LOOKED_AT, dtype=np.uint32)
        self._scores = np.zeros(len(self._automaton.biases), dtype=np.float32)
        self._table = characters().table

    def identify(self, texts: Sequence[str], codes: Any, bounds: Any) -> npt.NDArray[np.int32]:
        """Return the number of the label of every text, or -1, (n_texts,).

        ``codes`` are the code points of all texts, and ``bounds`` where each begins, and at last the end.
        """
        found = np.empty(len(texts), dtype=np.int32)
        scratch = self._counts, self._touched, self._seen, self._scores
        _identify(codes, bounds, self._table, self._automaton, scratch, found, False)
        for number in np.flatnonzero(found == TO_PREPARE).tolist():
            prepared = languages.prepared(texts[number])
            one = code_points(prepared)
            ends = np.array([0, len(one)], dtype=np.int64)
            _identify(one, ends, self._table, self._automaton, scratch, found[number : number + 1], True)
        return found


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """Return the code points of a text, lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32, copy=False)


def scripts(codes: Any, bounds: Any) -> npt.NDArray[np.int32]:
    """Return the number of the script of every text, in the order of ``languages.SCRIPTS``, (n_texts,)."""
    found = np.empty(len(bounds) - 1, dtype=np.int32)
    _scripts(codes, bounds, found)
    return found


@compiled
def _scripts(codes: Any, bounds: Any, found: Any) -> None:
    for text in range(len(found)):
        cyrillic, arabic, han, latin = 0, 0, 0, 0
        for at in range(bounds[text], min(bounds[text + 1], bounds[text] + _LOOKED_AT)):
            code = codes[at]
            if 65 <= code <= 90 or 97 <= code <= 122 or 0xC0 <= code <= 0x24F:
                latin += 1
            elif 0x400 <= code <= 0x52F:
                cyrillic += 1
            elif 0x600 <= code <= 0x6FF or 0x750 <= code <= 0x77F:
                arabic += 1
            elif 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x4DBF or 0x4E00 <= code <= 0x9FFF:
                han += 1
        most = max(cyrillic, arabic, han, latin)
        if most == 0 or (most == latin and most > max(cyrillic, arabic, han)):
            found[text] = 3
        elif most == cyrillic:
            found[text] = 0
        else:
            found[text] = 1 if most == arabic else 2


@inlined
def _without_addresses(codes: Any, table: Any, place: Any, seen: Any) -> int:
    """Write a text's first characters with a blank for each address, hashtag and mention; return how many."""
    at, end = place
    end = min(end, at + 2 * _LOOKED_AT)
    n = 0
    while at < end and n < _LOOKED_AT:
        code = codes[at]
        after = at
        if (
            code == 104
            and at + 7 <= end
            and codes[at + 1] == 116
            and codes[at + 2] == 116
            and codes[at + 3] == 112
        ):
            first = at + 5 if codes[at + 4] == 115 else at + 4
            if first + 2 < end and codes[first] == 58 and codes[first + 1] == 47 and codes[first + 2] == 47:
                first += 3
                after = first
                while after < end and not table[codes[after]] & SPACE:
                    after += 1
                if after == first:
                    after = at
        elif code == 35 or code == 64:
            after = at + 1
            while after < end and table[codes[after]] & IN_WORD:
                after += 1
            if after == at + 1:
                after = at
        seen[n] = 32 if after > at else code
        n += 1
        at = max(after, at + 1)
    return n


@inlined
def _is_plain(table: Any, seen: Any, n: int) -> bool:
    """Tell whether the characters are their own composition and not all capitals."""
    capitals, others = False, False
    for at in range(n):
        bits = table[seen[at]]
        if bits & MAY_COMPOSE:
            return False
        capitals = capitals or bits & UPPER != 0
        others = others or bits & NOT_UPPER != 0
    return others or not capitals


@inlined
def _byte(code: Any, length: int, number: int) -> Any:
    """Return one of the bytes of a code point in UTF-8."""
    if length == 1:
        return code
    if number == 0:
        return (0xF00 >> length & 0xFF) | code >> 6 * (length - 1)
    return 0x80 | (code >> 6 * (length - 1 - number) & 0x3F)


@inlined
def _count_features(seen: Any, n: int, paths: Any, counts: Any, touched: Any) -> tuple[int, int]:
    """Count what the automaton finds; return how many different features, and how many bytes were read."""
    moves, rows, features = paths
    state, n_touched, n_bytes = 0, 0, 0
    for at in range(n):
        code = np.int64(seen[at])
        length = 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
        n_bytes += length
        for number in range(length):
            state = moves[(np.int64(rows[state]) << 8) + _byte(code, length, number)]
            feature = features[state]
            if feature >= 0:
                if counts[feature] == 0:
                    touched[n_touched] = feature
                    n_touched += 1
                counts[feature] += 1
    return n_touched, n_bytes


@inlined
def _add_features(scores: Any, touched: Any, n: int, counts: Any, table: Any) -> None:
    """Add ln (1 + count) times the weights of features; two rows at a time, since memory is what takes time."""
    weights, unit = table
    for number in range(0, n - 1, 2):
        first, second = touched[number], touched[number + 1]
        times, times_second = unit * _log(counts[first]), unit * _log(counts[second])
        row, row_second = weights[first], weights[second]
        for column in range(len(scores)):
            scores[column] += times * np.float32(row[column]) + times_second * np.float32(row_second[column])
    if n % 2:
        times, row = unit * _log(counts[touched[n - 1]]), weights[touched[n - 1]]
        for column in range(len(scores)):
            scores[column] += times * np.float32(row[column])
    for number in range(n):
        counts[touched[number]] = 0


@inlined
def _log(count: int) -> Any:
    return _LOG_OF[count] if count < len(_LOG_OF) else np.float32(np.log1p(count))


@inlined
def _decide(scores: Any, n_bytes: int, first_columns: Any, priors: Any) -> int:
    """Return the class that is likely enough, or -1; ``scores`` are made into probabilities."""
    scale = np.float32(1 / np.sqrt(max(n_bytes, 1)))
    peak = scores[0]
    for column in range(1, len(scores)):
        peak = max(peak, scores[column])
    peak *= scale
    for column in range(len(scores)):
        scores[column] = np.exp(scores[column] * scale - peak)
    for column in range(len(scores)):
        first = first_columns[column]
        if first != column:
            scores[first] += scores[column]
            scores[column] = 0
    best, total = 0, np.float32(0)
    for column in range(len(scores)):
        scores[column] *= priors[column]
        total += scores[column]
        if scores[column] > scores[best]:
            best = column
    return best if scores[best] >= np.float32(languages.LEAST_CONFIDENCE) * total else UNKNOWN


@compiled
def _identify(
    codes: Any, bounds: Any, table: Any, model: Any, scratch: Any, found: Any, prepared: bool
) -> None:
    moves, rows, features, weights, unit, biases, first_columns, priors = model
    counts, touched, seen, scores = scratch
    for text in range(len(bounds) - 1):
        n = _without_addresses(codes, table, (bounds[text], bounds[text + 1]), seen)
        letters = 0
        for at in range(n):
            letters += (table[seen[at]] & ALPHA) != 0
        if letters < 2:
            found[text] = UNKNOWN
            continue
        if not prepared and not _is_plain(table, seen, n):
            found[text] = TO_PREPARE
            continue
        n_touched, n_bytes = _count_features(seen, n, (moves, rows, features), counts, touched)
        for column in range(len(scores)):
            scores[column] = biases[column] if n_touched else np.float32(0)
        _add_features(scores, touched, n_touched, counts, (weights, unit))
        found[text] = _decide(scores, n_bytes, first_columns, priors)
