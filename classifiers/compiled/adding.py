"""From the words of texts to their log-odds: what :mod:`classifiers.linear` computes by matrices, text by text.

The vectors of a word stand one after the other, ``width`` numbers for each view, in the order of the views.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifiers.compiled.compiling import compiled, inlined

DOCUMENTS, SENTENCES, CENTROIDS = 0, 1, 2
SPARE = 8
"""Columns of a word's row after its vectors: its squared length, and whether it is a word rather than a sign."""
_LOG_OF = np.log(np.maximum(np.arange(1024), 1)).astype(np.float32)


@inlined
def _damped(count: int) -> Any:
    """Return 1 + ln count."""
    return np.float32(1) + (_LOG_OF[count] if count < len(_LOG_OF) else np.float32(np.log(count)))


@inlined
def _over_words(words: Any, place: Any, rows: Any, marks: Any, part: Any) -> Any:
    """Add up a part of the vectors of a sentence's different words; return the sum of their squared lengths."""
    stamps, stamp = marks
    total, begin = part
    width = rows.shape[1] - SPARE
    length = np.float32(0)
    for column in range(len(total)):
        total[column] = 0
    for token in range(place[0], place[1]):
        word = words[token]
        if stamps[word, 0] != stamp:
            stamps[word, 0] = stamp
            row = rows[word, begin : begin + len(total)]
            for column in range(len(total)):
                total[column] += row[column]
            length += rows[word, width]
    return length


@inlined
def _over_counts(words: Any, place: Any, rows: Any, scratch: Any, part: Any) -> Any:
    """Add up a part of the vectors of different words, each 1 + ln count times; return the squared length."""
    counts, touched = scratch
    total, begin = part
    width = rows.shape[1] - SPARE
    n = 0
    for token in range(place[0], place[1]):
        word = words[token]
        if counts[word, 1] == 0:
            touched[n] = word
            n += 1
        counts[word, 1] += 1
    length = np.float32(0)
    for column in range(len(total)):
        total[column] = 0
    for number in range(n):
        word = touched[number]
        weight = _damped(counts[word, 1])
        counts[word, 1] = 0
        row = rows[word, begin : begin + len(total)]
        for column in range(len(total)):
            total[column] += weight * row[column]
        length += weight * weight * rows[word, width]
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
    for tag in range(len(out)):
        out[tag] = offset[tag]
    for view in range(len(scores)):
        for tag in range(len(out)):
            score = scores[view, tag]
            for other in range(len(out)):
                out[other] += score * mix[view, tag, other]


@compiled
def score_texts(cut: Any, rows: Any, model: Any, scratch: Any, out: Any) -> None:
    """Score texts.

    Parameters
    ----------
    cut
        The word of every token; the first token of every sentence, and at last their number; the first
        sentence of every text, and at last their number.
    rows
        Vectors of words, and squared lengths in the column after them (n_words, n_views * width + SPARE).
    model
        The kind of every view (documents can only be the first), biases (n_views, n_tags), mix
        (n_views, n_tags, n_tags) and offset (n_tags,) in double precision, and the temperature of the soft maximum.
    scratch
        A mark and a count for each word, zeros at first and the counts zeros again (most words, 2); room for the
        words of a text, the
        last mark that was used, room for two sums over words (2, n_views * width), for the scores of the
        sentences of a text (most sentences, n_tags), and for those of the views (n_views, n_tags).
    out
        Written: log-odds (n_texts, n_tags).
    """
    words, firsts, text_firsts = cut
    kinds, biases, mix, offset, temperature = model
    marks, touched, last_mark, totals, by_sentence, scores = scratch
    n_views, n_tags = biases.shape
    width = (rows.shape[1] - SPARE) // n_views
    first_view = 1 if kinds[0] == DOCUMENTS else 0  # of those that look at sentences
    of_text, total = totals[0, : first_view * width], totals[1, : (n_views - first_view) * width]
    for text in range(len(text_firsts) - 1):
        first, last = text_firsts[text], text_firsts[text + 1]
        for view in range(n_views):
            for tag in range(n_tags):
                scores[view, tag] = biases[view, tag]
        for sentence in range(first, last):
            last_mark[0] += 1
            place = firsts[sentence], firsts[sentence + 1]
            part = total, first_view * width
            scale = _scale(_over_words(words, place, rows, (marks, last_mark[0]), part))
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
            scale = _scale(_over_counts(words, place, rows, (marks, touched), (of_text, 0)))
            for tag in range(n_tags * first_view):
                scores[0, tag] = of_text[tag] / scale + biases[0, tag]
            for view in range(first_view, n_views):
                if kinds[view] == SENTENCES:
                    _pool(by_sentence, last - first, temperature, scores[view])
        _mix(scores, mix, offset, out[text])


@compiled
def weigh_sentences(cut: Any, rows: Any, model: Any, scratch: Any, out: Any) -> None:
    """Score every sentence by itself, and write its strength as evidence for every tag, (n_sentences, n_tags).

    Parameters are as for :func:`score_texts`, but for the model: the kind of every view, biases, and the
    scale (n_views, n_tags) and offset (n_tags,) of the strengths.
    """
    words, firsts, _ = cut
    kinds, biases, scales, offset = model
    marks, touched, last_mark, totals, _, _ = scratch
    n_views, n_tags = biases.shape
    width = (rows.shape[1] - SPARE) // n_views
    total, damped = totals[0], totals[1]
    for sentence in range(len(firsts) - 1):
        last_mark[0] += 1
        place = firsts[sentence], firsts[sentence + 1]
        scale = _scale(_over_words(words, place, rows, (marks, last_mark[0]), (total, 0)))
        damped_scale = _scale(_over_counts(words, place, rows, (marks, touched), (damped, 0)))
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
