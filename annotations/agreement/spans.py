"""Agreement on evidence: which words are marked for a label, and which label for the words that both have marked.

Posts are parts of one continuum, as if written one after the other; lengths are in characters (code points).

References
----------
K. Krippendorff, Y. Mathet, S. Bouvry, A. Widlöcher, "On the reliability of unitizing textual continua: Further
developments", Quality & Quantity 50 (2016): observed coincidences are lengths of intersections (equation 1), a
unit cannot be paired with itself, nor any character of a gap (equation 4), and for the coding alone only
intersections of units count (equations 10 and 11).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations

import numpy as np

from annotations.agreement.readings import ReadPost
from annotations.agreement.resampling import Floats, Resamples, ratio
from annotations.agreement.sets import SetValues
from annotations.records import Span

# Words, the characters of scripts without spaces one by one, and any other sign.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]|[^\W\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]+|[^\w\s]"
)

_COLUMNS = 6

Units = list[tuple[int, int]]
"""Start and end of what one annotator marked for one label, by start and without overlap."""

Segment = tuple[int, int, frozenset[str]]
"""Start, end, and the labels that one annotator gave to these characters."""


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """Draws for one label, ``(n_samples + 1,)``, and what they were counted on."""

    f1: Floats
    alpha: Floats
    n_spans: int
    n_posts: int


class MarkedWords:
    """The words that annotators marked in some posts."""

    def __init__(self, posts: Sequence[ReadPost], resamples: Resamples) -> None:
        self._posts = posts
        self._resamples = resamples
        self._tokens = [_token_edges(post.text) for post in posts]
        self._lengths = [_length(post) for post in posts]

    def evidence(self, labels: Sequence[str]) -> dict[str, LabelEvidence]:
        """Measure agreement on the words marked for each of some labels."""
        counted = [self._counted(label) for label in labels]
        if not counted:
            return {}
        sums = self._resamples.sums(np.hstack([rows for rows, _, _ in counted]))
        evidence = {}
        for number, (label, (_, n_spans, n_posts)) in enumerate(zip(labels, counted, strict=True)):
            columns = sums[:, number * _COLUMNS : (number + 1) * _COLUMNS].T
            total, marked, by_both, squares, tokens_both, tokens_all = columns
            gaps = total - marked
            expected = ratio(total * gaps * marked, total**2 - squares - gaps)
            alpha = 1 - ratio(marked - by_both, expected)
            evidence[label] = LabelEvidence(ratio(tokens_both, tokens_all), alpha, n_spans, n_posts)
        return evidence

    def _counted(self, label: str) -> tuple[Floats, int, int]:
        """Return what is summed, a row a post, and how many spans and posts there are."""
        rows = np.zeros((len(self._posts), _COLUMNS))
        n_spans = n_posts = 0
        for row, post in enumerate(self._posts):
            raters = [each for each in post.readings if label not in each.tags or each.spans.get(label)]
            marked = [_merged(spans) for each in raters if (spans := each.spans.get(label))]
            if len(raters) < 2:
                continue
            rows[row, 0] = len(raters) * self._lengths[row]
            if marked:
                rows[row, 1:4] = _lengths_marked(marked, len(raters))
                rows[row, 4:] = _tokens_marked(marked, *self._tokens[row])
                n_spans += sum(len(units) for units in marked)
                n_posts += 1
        return rows, n_spans, n_posts


def coding_alpha(posts: Sequence[ReadPost], resamples: Resamples) -> Floats:
    """Krippendorff's cu-alpha: do annotators give the same labels to the characters that both marked at all?

    Where an annotator's spans overlap, the value of the shared characters is the set of their labels; sets are
    compared by MASI distance, which is the nominal one for single labels.
    """
    segmented = [[segments(reading.spans) for reading in post.readings] for post in posts]
    values = SetValues([part[2] for post in segmented for parts in post for part in parts])
    rows = np.zeros((len(posts), 2))  # disagreeing lengths, squared intersections
    margins: list[tuple[int, int, float]] = []
    for row, post in enumerate(segmented):
        for mine, others in permutations(post, 2):
            for part in mine:
                inside = [(min(part[1], other[1]) - max(part[0], other[0]), other[2]) for other in others]
                inside = [(length, labels) for length, labels in inside if length > 0]
                shared = sum(length for length, _ in inside)
                rows[row, 0] += sum(length * values.distance(part[2], labels) for length, labels in inside)
                rows[row, 1] += shared**2
                margins.append((row, values.number[part[2]], shared / (len(post) - 1)))
        rows[row] /= len(post) - 1
    if not margins:
        return resamples.sums(np.full((len(posts), 1), np.nan))[:, 0]
    totals = resamples.sums(values.table(margins, len(posts)))
    disagreeing, squares = resamples.sums(rows).T
    length = totals.sum(axis=1)
    return 1 - ratio(disagreeing * (length**2 - squares), length * values.expected(totals))


def segments(spans: Mapping[str, tuple[Span, ...]]) -> list[Segment]:
    """Cut one annotator's spans where another begins or ends: parts that do not overlap, with their labels."""
    flat = [(span, label) for label, found in spans.items() for span in found]
    if len(flat) == 1:
        span, label = flat[0]
        return [(span.start, span.end, frozenset([label]))]
    cuts = sorted({edge for span, _ in flat for edge in (span.start, span.end)})
    parts = []
    for start, end in pairwise(cuts):
        labels = frozenset(label for span, label in flat if span.start <= start and end <= span.end)
        if labels:
            parts.append((start, end, labels))
    return parts


def _length(post: ReadPost) -> int:
    # The text is not always known; what is marked is.
    ends = [span.end for each in post.readings for spans in each.spans.values() for span in spans]
    return max([len(post.text), *ends])


def _lengths_marked(marked: Sequence[Units], n_raters: int) -> tuple[float, float, float]:
    """Return the characters marked, those marked by both of a pair, and the squared lengths of the units."""
    lengths = [end - start for units in marked for start, end in units]
    shared = sum(_overlap(first, second) for first, second in combinations(marked, 2))
    return float(sum(lengths)), 2 * shared / (n_raters - 1), float(sum(length**2 for length in lengths))


def _overlap(first: Units, second: Units) -> int:
    return sum(
        max(0, min(end, other_end) - max(start, other_start))
        for start, end in first
        for other_start, other_end in second
    )


def _token_edges(text: str) -> tuple[list[int], list[int]]:
    found = [match.span() for match in _TOKEN.finditer(text)]
    return [start for start, _ in found], [end for _, end in found]


def _tokens_marked(marked: Sequence[Units], starts: list[int], ends: list[int]) -> tuple[float, float]:
    """Return twice the tokens that both of a pair marked, and those that each did; one character marks its token."""
    tokens = [
        {
            token
            for start, end in units
            for token in range(bisect_right(ends, start), bisect_left(starts, end))
        }
        for units in marked
    ]
    pairs = list(combinations(tokens, 2))
    both = sum(2 * len(first & second) for first, second in pairs)
    return float(both), float(sum(len(first) + len(second) for first, second in pairs))


def _merged(spans: Sequence[Span]) -> Units:
    """Return spans by start, those that overlap as one; such that only touch stay two units."""
    merged: Units = []
    for span in sorted(spans):
        if merged and span.start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], span.end))
        else:
            merged.append((span.start, span.end))
    return merged
