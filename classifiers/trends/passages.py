"""The sentences that speak for the tags of a batch: what chains and examples are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from annotations.signatures import PLACES, Signatures, signatures
from classifiers.predictions import Evidence
from classifiers.scorer import Scorer
from classifiers.tokens import is_word, sentences, tokenise
from classifiers.trends.corpus import TaggedBatch

LEAST_WORDS = 6
"""A sentence of fewer words is too short to be known again by."""

Bools = npt.NDArray[np.bool_]
_COVERED = 0.5
_AT_ONCE = 256
EvidenceByTag = dict[int, tuple[Evidence, ...]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence ``text[start:end]`` of the post in ``row``, that speaks for the tag in ``column``."""

    row: int
    column: int
    start: int
    end: int
    text: str
    weight: float


def evidence_of(
    scorer: Scorer, tag_ids: tuple[str, ...], batch: TaggedBatch, wanted: Bools | None = None
) -> dict[int, EvidenceByTag]:
    """Return the evidence of the tags decided yes: for the row of a post, by the number of the tag.

    ``scorer`` is the model that decided; tags that it does not know are left out. ``wanted`` (n,) limits it to some
    posts.
    """
    column_of = {tag: column for column, tag in enumerate(tag_ids)}
    yes = batch.yes
    rows = np.flatnonzero(yes.any(axis=1) & (True if wanted is None else wanted)).tolist()
    found: dict[int, EvidenceByTag] = {}
    for first in range(0, len(rows), _AT_ONCE):
        chosen = rows[first : first + _AT_ONCE]
        predictions = scorer.predict([batch.posts[row].post.text for row in chosen], explain=True)
        for row, prediction in zip(chosen, predictions, strict=True):
            found[row] = {
                column: tag.evidence
                for tag in prediction.tags
                if (column := column_of.get(tag.tag_id)) is not None and yes[row, column] and tag.evidence
            }
    return found


def sentences_of(batch: TaggedBatch, evidence: dict[int, EvidenceByTag]) -> list[Passage]:
    """Return the whole sentences that evidence is made of, for every tag; short ones are left out."""
    found: list[Passage] = []
    for row, by_tag in evidence.items():
        text = batch.posts[row].post.text
        cut = sentences(text)
        for column, shown in by_tag.items():
            for span in cut:
                inside = [min(each.end, span.end) - max(each.start, span.start) for each in shown]
                best = max(range(len(shown)), key=lambda number: inside[number])
                if inside[best] < _COVERED * (span.end - span.start):
                    continue
                quote = span.quote(text)
                if _n_words(quote) >= LEAST_WORDS:
                    found.append(Passage(row, column, span.start, span.end, quote, shown[best].weight))
    return found


def quotes_of(evidence: dict[int, EvidenceByTag]) -> list[Passage]:
    """Return the evidence itself as passages, for every tag."""
    return [
        Passage(row, column, each.start, each.end, each.text, each.weight)
        for row, by_tag in evidence.items()
        for column, shown in by_tag.items()
        for each in shown
    ]


def signed(passages: list[Passage]) -> Signatures:
    """Return the signatures of passages, shape (n, 48)."""
    return signatures([passage.text for passage in passages])


@lru_cache(maxsize=1024)  # a sentence often speaks for several tags
def _n_words(sentence: str) -> int:
    """Count the words of a sentence, those of hashtags and addresses left out."""
    found, until = 0, 0
    for start, end, form in tokenise(sentence):
        if form[0] in "#@" or form.startswith("https://"):
            until = max(until, end)
        elif start >= until and is_word(form):
            found += 1
    return found


def likeness(signature: npt.NDArray[np.uint16], others: Signatures) -> npt.NDArray[np.float64]:
    """Return the estimated Jaccard similarity of one text to others, shape (n,)."""
    found: npt.NDArray[np.float64] = (others == signature).sum(axis=1) / PLACES
    return found
