"""What a view is fitted on: rows of text with, for every tag, a weight for "bears it" and one for "does not".

Posts carry their label shares.  A quote that an annotator highlighted for a tag is a row of its own that
bears it, and so is every sentence the quote touches.  A post reviewed without a tag makes its quotes (for
other tags) and sentences rows that do not bear it.  What nobody highlighted in a post that bears the tag
says little, since annotators mark one place of several: it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotations.records import Span
from classifiers.dataset import Dataset
from classifiers.features import Corpus

Floats = npt.NDArray[np.float64]
_TOUCH = 0.5


@dataclass(frozen=True, slots=True)
class Targets:
    """Weights of n_rows rows for every tag: ``yes`` and ``no`` have shape (n_rows, n_tags).

    ``post_of`` has shape (n_rows,): the post each row comes from, by which rows are held out.
    """

    yes: Floats
    no: Floats
    post_of: npt.NDArray[np.int64]

    def joined(self, other: Targets) -> Targets:
        """Return these rows followed by those of ``other``."""
        return Targets(
            np.concatenate([self.yes, other.yes]),
            np.concatenate([self.no, other.no]),
            np.concatenate([self.post_of, other.post_of]),
        )


def post_targets(dataset: Dataset) -> Targets:
    """Return the label shares as weights."""
    return Targets(dataset.shares, 1 - dataset.shares, np.arange(len(dataset)))


def quotes(dataset: Dataset) -> tuple[list[str], list[Span], npt.NDArray[np.int64]]:
    """Return every different quote with its span and its post, in order."""
    found = [
        (row, span)
        for row, evidence in enumerate(dataset.evidence)
        for span in sorted({span for spans in evidence.values() for span in spans})
    ]
    texts = [span.quote(dataset.texts[row]) for row, span in found]
    return texts, [span for _, span in found], np.array([row for row, _ in found], dtype=np.int64)


def passage_targets(dataset: Dataset, passages: Sequence[Span], post_of: npt.NDArray[np.int64]) -> Targets:
    """Return the weights of passages of posts (quotes or sentences).

    A passage bears a tag if the tag's evidence covers half of it, or if half of a piece of evidence lies in
    it; it does not if none of the post's annotators ticked the tag; otherwise it is not used.
    """
    column = {tag: number for number, tag in enumerate(dataset.tag_ids)}
    yes = np.zeros((len(passages), len(column)))
    for number, (passage, row) in enumerate(zip(passages, post_of, strict=True)):
        for tag, spans in dataset.evidence[row].items():
            if any(_touches(passage, span) for span in spans):
                yes[number, column[tag]] = 1
    no = (dataset.shares[post_of] == 0).astype(np.float64)
    return Targets(yes, no, post_of)


def sentence_targets(dataset: Dataset, corpus: Corpus) -> Targets:
    """Return the weights of the sentences of all posts; ``corpus`` holds the posts' texts."""
    return passage_targets(dataset, corpus.spans, corpus.text_of)


def _touches(passage: Span, evidence: Span) -> bool:
    shared = min(passage.end, evidence.end) - max(passage.start, evidence.start)
    return shared >= _TOUCH * min(passage.end - passage.start, evidence.end - evidence.start)
