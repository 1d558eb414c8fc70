"""From the words of texts to their log-odds: what :mod:`classifiers.linear` computes by matrices, text by text.

The vectors of a word stand one after the other, ``width`` numbers for each view, in the order of the views.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifiers.compiled.compiling import compiled, inlined

DOCUMENTS, SENTENCES, CENTROIDS = 0, 1, 2
_LOG_OF = np.log(np.maximum(np.arange(1024), 1)).astype(np.float32)


@inlined
def _damped(count: int) -> Any:
    """Return 1 + ln count."""
    return np.float32(1) + (_LOG_OF[count] if count < len(_LOG_OF) else np.float32(np.log(count)))


@inlined
def _over_words(words: Any, place: Any, table: Any, marks: Any, stamp: int, part: Any) -> Any:
    """Add up a part of the vectors of a sentence's different words; return the sum of their squared lengths."""
    vectors, mass = table
    total, begin = part
    length = np.float32(0)
    total[:] = 0
    for token in range(place[0], place[1]):
        word = words[token]
        if marks[word] != stamp:
            marks[word] = stamp
            row = vectors[word]
            for column in range(len(total)):
                total[column] += row[begin + column]
            length += mass[word]
    return length


@inlined
def _over_counts(words: Any, place: Any, table: Any, scratch: Any, part: Any) -> Any:
    """Add up a part of the vectors of different words, each 1 + ln count times; return the squared length."""
    vectors, mass = table
    counts, touched = scratch
    total, begin = part
    n = 0
    for token in range(place[0], place[1]):
        word = words[token]
        if counts[word] == 0:
            touched[n] = word
            n += 1
        counts[word] += 1
    length = np.float32(0)
    total[:] = 0
    for number in range(n):
        word = touched[number]
        weight = _damped(counts[word])
        counts[word] = 0
        row = vectors[word]
        for column in range(len(total)):
            total[column] += weight * row[begin + column]
        length += weight * weight * mass[word]
    return length


@inlined
def _scale(length: Any) -> float:
    return np.sqrt(np.float64(length)) if length > 0 else 1.0


@inlined
def _pool(by_sentence: Any, n: int, temperature: float, pooled: Any) -> None:
    """Write a soft maximum over the first ``n`` rows."""
    for column in range(len(pooled)):
        peak = by_sentence[0, column]
        for sentence in range(1, n):
            peak = max(peak, by_sentence[sentence, column])
        raised = 0.0
        for sentence in range(n):
            raised += np.exp((by_sentence[sentence, column] - peak) / temperature)
        pooled[column] = peak + temperature * np.log(raised)


@inlined
def _mix(scores: Any, mix: Any, offset: Any, out: Any) -> None:
    """Write the log-odds of a text, ``offset + sum over views of scores[view] @ mix[view]``."""
    out[:] = offset
    for view in range(len(scores)):
        for tag in range(len(out)):
            score = scores[view, tag]
            for other in range(len(out)):
                out[other] += score * mix[view, tag, other]


@compiled
def score_texts(cut: Any, table: Any, model: Any, scratch: Any, out: Any) -> None:
    """Score texts.

    Parameters
    ----------
    cut
        The word of every token; the first token of every sentence, and at last their number; the first
        sentence of every text, and at last their number.
    table
        The vectors (n_words, n_views * width) and squared lengths of words.
    model
        The kind of every view (documents can only be the first), biases (n_views, n_tags), mix
        (n_views, n_tags, n_tags) and offset (n_tags,) in double precision, and the temperature of the soft maximum.
    scratch
        Zeros, (2, most words) int64 (marks, and counts, which are left as zeros), room for the words of a text,
        and in one place the last mark that was used.
    out
        Written: log-odds (n_texts, n_tags).
    """
    words, firsts, text_firsts = cut
    kinds, biases, mix, offset, temperature = model
    marks_and_counts, touched, last_mark = scratch
    marks, counts = marks_and_counts[0], marks_and_counts[1]
    vectors, _ = table
    n_views, n_tags = biases.shape
    width = vectors.shape[1] // n_views
    first_view = 1 if kinds[0] == DOCUMENTS else 0  # of those that look at sentences
    most = 1
    for text in range(len(text_firsts) - 1):
        most = max(most, text_firsts[text + 1] - text_firsts[text])
    by_sentence = np.empty((most, n_tags), dtype=np.float64)
    pooled = np.empty(n_tags, dtype=np.float64)
    scores = np.empty((n_views, n_tags), dtype=np.float64)
    total = np.empty((n_views - first_view) * width, dtype=np.float32)
    of_text = np.empty(first_view * width, dtype=np.float32)
    for text in range(len(text_firsts) - 1):
        first, last = text_firsts[text], text_firsts[text + 1]
        scores[:] = biases
        for sentence in range(first, last):
            last_mark[0] += 1
            place = firsts[sentence], firsts[sentence + 1]
            part = total, first_view * width
            scale = _scale(_over_words(words, place, table, marks, last_mark[0], part))
            for view in range(first_view, n_views):
                begin = (view - first_view) * width
                if kinds[view] == SENTENCES:
                    for tag in range(n_tags):
                        by_sentence[sentence - first, tag] = total[begin + tag] + biases[view, tag]
                else:
                    for tag in range(n_tags):
                        found = total[begin + tag] / scale + biases[view, tag]
                        if sentence == first or found > scores[view, tag]:
                            scores[view, tag] = found
        if last > first:
            place = firsts[first], firsts[last]
            scale = _scale(_over_counts(words, place, table, (counts, touched), (of_text, 0)))
            for tag in range(n_tags * first_view):
                scores[0, tag] = of_text[tag] / scale + biases[0, tag]
            for view in range(first_view, n_views):
                if kinds[view] == SENTENCES:
                    _pool(by_sentence, last - first, temperature, pooled)
                    scores[view] = pooled
        _mix(scores, mix, offset, out[text])


@compiled
def weigh_sentences(cut: Any, table: Any, model: Any, scratch: Any, out: Any) -> None:
    """Score every sentence by itself, and write its strength as evidence for every tag, (n_sentences, n_tags).

    Parameters are as for :func:`score_texts`, but for the model: the kind of every view, biases, and the
    scale (n_views, n_tags) and offset (n_tags,) of the strengths.
    """
    words, firsts, _ = cut
    kinds, biases, scales, offset = model
    marks_and_counts, touched, last_mark = scratch
    marks, counts = marks_and_counts[0], marks_and_counts[1]
    n_views, n_tags = biases.shape
    width = table[0].shape[1] // n_views
    total = np.empty(table[0].shape[1], dtype=np.float32)
    damped = np.empty(table[0].shape[1], dtype=np.float32)
    for sentence in range(len(firsts) - 1):
        last_mark[0] += 1
        place = firsts[sentence], firsts[sentence + 1]
        scale = _scale(_over_words(words, place, table, marks, last_mark[0], (total, 0)))
        damped_scale = _scale(_over_counts(words, place, table, (counts, touched), (damped, 0)))
        for tag in range(n_tags):
            strength = offset[tag]
            for view in range(n_views):
                at = view * width + tag
                if kinds[view] == DOCUMENTS:
                    found = damped[at] / damped_scale
                else:
                    found = total[at] / (scale if kinds[view] == CENTROIDS else 1.0)
                strength += scales[view, tag] * (found + biases[view, tag])
            out[sentence, tag] = strength
