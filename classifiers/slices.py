"""The same answers judged part by part: by language, by source, by length, and by each annotator's own labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from annotations.records import Annotation, Span, text_digest
from classifiers.dataset import Dataset, Evidence, is_usable
from classifiers.evaluation import Evaluation, summarise
from classifiers.languages import identify
from classifiers.metrics import word_starts
from classifiers.outcomes import Outcomes

Ints = npt.NDArray[np.int64]
LENGTHS = {"under 50 words": 50, "50 to 199 words": 200, "200 words or more": None}
UNKNOWN = "unknown"


def by_part(found: Outcomes, dataset: Dataset) -> dict[str, dict[str, Evaluation]]:
    """Return the figures by ``language``, ``source`` (what stands before the / of a post id) and ``length``.

    ``found`` and ``dataset`` are of the same posts.  Parts with no post are left out; a mean over tags is over
    those that occur in the part.
    """
    names = {
        "language": [identify(text) or UNKNOWN for text in dataset.texts],
        "source": [_channel(post_id) for post_id in dataset.post_ids],
        "length": [length_band(text) for text in dataset.texts],
    }
    order = {"length": list(LENGTHS)}
    return {
        kind: {
            part: summarise(found.take(_rows(of, part)))
            for part in order.get(kind, _most_first(of))
            if part in of
        }
        for kind, of in names.items()
    }


def by_annotator(
    found: Outcomes, dataset: Dataset, annotations: Iterable[Annotation]
) -> dict[str, Evaluation]:
    """Return the figures against each annotator's own ticks and evidence, over the posts that they read.

    Empty unless there are at least two annotators.  The gold of several is what :func:`summarise` judges by.
    """
    row_of = {key: row for row, key in enumerate(zip(dataset.post_ids, dataset.revisions, strict=True))}
    read: dict[str, dict[int, Annotation]] = {}
    for each in annotations:
        row = row_of.get((each.post_id, each.revision or text_digest(each.text)))
        if row is not None and is_usable(each):
            read.setdefault(each.annotator, {})[row] = each
    if len(read) < 2:
        return {}
    return {name: _against(found, dataset, by_row) for name, by_row in sorted(read.items())}


def length_band(text: str) -> str:
    """Return the band of a text's length."""
    n_words = len(word_starts(text))
    return next(band for band, below in LENGTHS.items() if below is None or n_words < below)


def _against(found: Outcomes, dataset: Dataset, by_row: dict[int, Annotation]) -> Evaluation:
    rows = sorted(by_row)
    truth = np.array([[tag in by_row[row].tags for tag in dataset.tag_ids] for row in rows], dtype=bool)
    evidence = [_marked(by_row[row]) for row in rows]
    own = found.take(np.array(rows)).against(truth, evidence, [dataset.texts[row] for row in rows])
    return summarise(own)


def _marked(annotation: Annotation) -> Evidence:
    spans: dict[str, tuple[Span, ...]] = {tag: tuple(of) for tag, of in annotation.tags.items() if of}
    return spans


def _channel(post_id: str) -> str:
    return post_id.rpartition("/")[0] or UNKNOWN


def _rows(of: Sequence[str], part: str) -> Ints:
    return np.flatnonzero(np.array([each == part for each in of]))


def _most_first(of: Sequence[str]) -> list[str]:
    return sorted(set(of), key=lambda part: (-of.count(part), part))
