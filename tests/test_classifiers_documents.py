"""What is learnt from: posts by their shares, quotes and sentences by what was highlighted, cues."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotations.records import Annotation, Span
from classifiers.dataset import Dataset
from classifiers.documents import (
    UNMARKED,
    by_tags,
    cue_targets,
    cues,
    highlighted,
    passage_targets,
    post_targets,
    quotes,
)
from classifiers.features import Corpus
from classifiers.testing import invented_codebook

CODEBOOK = invented_codebook()
TEXT = "The river is ours. The talks went on. Shame on the coast."
RIVER, SHAME = Span(0, 18), Span(38, 57)


def dataset(*tags: dict[str, tuple[Span, ...]]) -> Dataset:
    """Return one post read by as many annotators as there are ``tags``."""
    return Dataset.from_annotations(
        [
            Annotation(post_id="p/1", annotator=f"{number}", text=TEXT, tags=each)
            for number, each in enumerate(tags)
        ],
        CODEBOOK,
    )


def column(tag: str) -> int:
    """Return the column of a tag."""
    return CODEBOOK.tag_ids.index(tag)


def test_a_post_that_half_of_its_annotators_ticked_counts_half_for_and_half_against() -> None:
    """Disagreement is kept, not voted away."""
    targets = post_targets(dataset({"blame": (SHAME,)}, {}).shares)
    assert (targets.yes[0, column("blame")], targets.no[0, column("blame")]) == (0.5, 0.5)
    assert (targets.yes[0, column("rare")], targets.no[0, column("rare")]) == (0, 1)


def test_every_different_quote_is_a_text_once() -> None:
    """Two annotators who highlight the same words, or one who does so for two tags, say it once."""
    data = dataset({"blame": (SHAME,), "old-glory": (SHAME,)}, {"blame": (SHAME,), "shared-water": (RIVER,)})
    found = quotes(data)
    assert found.texts == ("Shame on the coast.", "The river is ours.")
    assert found.post_of.tolist() == [0, 0]
    assert np.flatnonzero(found.bears[0]).tolist() == sorted([column("blame"), column("old-glory")])
    assert quotes(data, wanted=False).bears.shape == (0, len(CODEBOOK.tag_ids))


def test_what_a_post_says_for_the_same_tags_is_one_document() -> None:
    """Short pieces here and there are read together; quotes for other tags stay apart."""
    data = dataset({"blame": (Span(0, 9), Span(38, 43), Span(51, 56)), "rare": (Span(38, 43),)})
    merged = by_tags(quotes(data))
    assert sorted(merged.texts) == ["Shame", "The river\ncoast"]
    assert merged.post_of.tolist() == [0, 0]
    assert merged.bears.sum() == 3


def test_what_nobody_marked_in_a_post_that_bears_the_tag_hardly_counts_against_it() -> None:
    """Annotators mark one place of several; a post without the tag is a counter-example in full."""
    data = dataset({"blame": (SHAME,)})
    bears = highlighted(data, Corpus.of(data.texts, ["en"]))
    targets = passage_targets(bears, data.shares[[0, 0, 0]])
    blame, rare = column("blame"), column("rare")
    assert targets.yes[:, blame].tolist() == [0, 0, 1]
    assert targets.no[:, blame] == pytest.approx([UNMARKED, UNMARKED, 0])
    assert targets.no[:, rare].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(0, 18), [1, 0, 0]),
        (Span(5, 21), [1, 0, 0]),
        (Span(10, 36), [1, 1, 0]),
        (Span(0, 57), [1, 1, 1]),
        (Span(40, 45), [0, 0, 1]),
    ],
)
def test_a_sentence_bears_the_evidence_that_lies_in_it_or_covers_it(span: Span, expected: list[int]) -> None:
    """A few shared characters at the edge are not enough."""
    data = dataset({"blame": (span,)})
    bears = highlighted(data, Corpus.of(data.texts, ["en"]))
    assert bears[:, column("blame")].tolist() == expected


def test_a_cue_bears_its_tags_and_no_other() -> None:
    """Wildcards go, and a cue of two tags is one text."""
    tags = [
        replace(tag, cues=("river*", " of  the  moon") if tag.id == "rare" else ()) for tag in CODEBOOK.tags
    ]
    tags[0] = replace(tags[0], cues=("river*",))
    found = cues(replace(CODEBOOK, tags=tuple(tags)))
    assert found.texts == ("river", "of the moon")
    targets = cue_targets(found.bears)
    assert np.flatnonzero(targets.yes[0]).tolist() == sorted([0, column("rare")])
    assert (targets.yes + targets.no == 1).all()
    assert cues(CODEBOOK).texts == ()
