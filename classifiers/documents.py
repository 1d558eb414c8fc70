"""What is learnt from: posts, quotes, sentences, cues, each with its weights for and against every tag.

Posts carry their label shares.  A quote that an annotator highlighted for a tag bears it; against the other
tags it counts in full where nobody ticked them, and hardly at all where the post bears them, since annotators
mark one place of several.  So it is with sentences: one that evidence lies in bears the tag, one that nobody
highlighted says little in a post that bears it.  A cue bears its tag and no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotations.codebook import Codebook
from annotations.records import Span
from classifiers.dataset import Dataset
from classifiers.features import Corpus
from classifiers.solver import Targets

Ints = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]
UNMARKED = 0.03
"""What counts against a tag in a passage that is not its evidence, of a post that bears the tag."""
_PART_OF_EVIDENCE = 0.3
_PART_OF_PASSAGE = 0.5


@dataclass(frozen=True, slots=True)
class Quotes:
    """Every different text that a post's annotators highlighted.

    Attributes
    ----------
    post_of
        Shape (n_quotes,), ascending.
    bears
        Shape (n_quotes, n_tags), 1 for the tags it was highlighted for.
    """

    texts: tuple[str, ...]
    post_of: Ints
    bears: Floats32


@dataclass(frozen=True, slots=True)
class Cues:
    """Every different cue of a codebook, without its wildcards; ``bears`` is (n_cues, n_tags)."""

    texts: tuple[str, ...]
    bears: Floats32


def post_targets(shares: npt.NDArray[np.float64]) -> Targets:
    """Return the label shares (n_posts, n_tags) as weights."""
    return Targets(shares.astype(np.float32), (1 - shares).astype(np.float32))


def quotes(dataset: Dataset, *, wanted: bool = True) -> Quotes:
    """Return the quotes of a dataset; none unless ``wanted``."""
    column = {tag: number for number, tag in enumerate(dataset.tag_ids)}
    found: dict[tuple[int, str], set[int]] = {}
    for row, evidence in enumerate(dataset.evidence if wanted else ()):
        for tag, spans in evidence.items():
            for span in spans:
                found.setdefault((row, span.quote(dataset.texts[row])), set()).add(column[tag])
    ordered = sorted(found)
    bears = np.zeros((len(ordered), len(column)), dtype=np.float32)
    for number, key in enumerate(ordered):
        bears[number, sorted(found[key])] = 1
    return Quotes(
        tuple(text for _, text in ordered), np.array([row for row, _ in ordered], dtype=np.int64), bears
    )


def by_tags(found: Quotes) -> Quotes:
    """Return the quotes of a post that bear the same tags as one text: what was highlighted in all.

    A single one may be too short to be a document.
    """
    merged: dict[tuple[int, bytes], list[int]] = {}
    for number, post in enumerate(found.post_of.tolist()):
        merged.setdefault((post, found.bears[number].tobytes()), []).append(number)
    texts = tuple("\n".join(found.texts[number] for number in numbers) for numbers in merged.values())
    first = np.array([numbers[0] for numbers in merged.values()], dtype=np.int64)
    return Quotes(texts, found.post_of[first], found.bears[first])


def cues(codebook: Codebook, *, wanted: bool = True) -> Cues:
    """Return the cues of a codebook's active tags; none unless ``wanted``."""
    found: dict[str, set[int]] = {}
    for number, tag in enumerate(codebook.active_tags if wanted else ()):
        for cue in tag.cues:
            if text := " ".join(cue.replace("*", " ").split()):
                found.setdefault(text, set()).add(number)
    bears = np.zeros((len(found), len(codebook.tag_ids)), dtype=np.float32)
    for row, tags in enumerate(found.values()):
        bears[row, sorted(tags)] = 1
    return Cues(tuple(found), bears)


def highlighted(dataset: Dataset, corpus: Corpus) -> Floats32:
    """Return which sentences bear which tags by their evidence, shape (n_sentences, n_tags).

    A sentence does if more than 0.3 of a piece of evidence lies in it, or if evidence covers half of it.
    """
    column = {tag: number for number, tag in enumerate(dataset.tag_ids)}
    bears = np.zeros((len(corpus.spans), len(column)), dtype=np.float32)
    for number, (sentence, row) in enumerate(zip(corpus.spans, corpus.text_of, strict=True)):
        for tag, spans in dataset.evidence[row].items():
            if _touches(sentence, spans):
                bears[number, column[tag]] = 1
    return bears


def passage_targets(bears: Floats32, post_shares: npt.NDArray[np.float64]) -> Targets:
    """Return the weights of passages: quotes, or sentences.

    Parameters
    ----------
    bears
        Shape (n_passages, n_tags).
    post_shares
        The label shares of each passage's post, same shape.
    """
    against = np.where(post_shares > 0, np.float32(UNMARKED), np.float32(1))
    return Targets(bears, np.where(bears > 0, np.float32(0), against))


def cue_targets(bears: Floats32) -> Targets:
    """Return the weights of cues, shape (n_cues, n_tags)."""
    return Targets(bears, 1 - bears)


def _touches(sentence: Span, evidence: Sequence[Span]) -> bool:
    for span in evidence:
        shared = min(sentence.end, span.end) - max(sentence.start, span.start)
        if shared > _PART_OF_EVIDENCE * (span.end - span.start):
            return True
        if shared >= _PART_OF_PASSAGE * (sentence.end - sentence.start):
            return True
    return False
