"""What is learnt from: posts by their shares, quotes and sentences by what was highlighted."""

from __future__ import annotations

import numpy as np

from annotations.records import Annotation, Span
from classifiers.dataset import Dataset
from classifiers.documents import passage_targets, post_targets, quotes, sentence_targets
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
    targets = post_targets(dataset({"blame": (SHAME,)}, {}))
    assert (targets.yes[0, column("blame")], targets.no[0, column("blame")]) == (0.5, 0.5)
    assert (targets.yes[0, column("rare")], targets.no[0, column("rare")]) == (0, 1)


def test_every_different_quote_is_a_text_once() -> None:
    """Two annotators who highlight the same words, or one who does so for two tags, say it once."""
    data = dataset({"blame": (SHAME,), "old-glory": (SHAME,)}, {"blame": (SHAME,), "shared-water": (RIVER,)})
    texts, spans, post_of = quotes(data)
    assert texts == ["The river is ours.", "Shame on the coast."]
    assert spans == [RIVER, SHAME]
    assert post_of.tolist() == [0, 0]


def test_sentences_bear_what_is_highlighted_in_them_and_nothing_else_is_presumed() -> None:
    """A sentence without a highlight is no counter-example in a post that bears the tag, and is one elsewhere."""
    data = dataset({"blame": (SHAME,)})
    targets = sentence_targets(data, Corpus.of(data.texts))
    blame, rare = column("blame"), column("rare")
    assert targets.yes[:, blame].tolist() == [0, 0, 1]
    assert targets.no[:, blame].tolist() == [0, 0, 0]
    assert targets.no[:, rare].tolist() == [1, 1, 1]


def test_a_passage_is_touched_by_evidence_that_covers_half_of_it_or_lies_half_in_it() -> None:
    """A few shared characters at the edge are not enough."""
    data = dataset({"blame": (Span(10, 30),)})
    passages = [Span(0, 20), Span(0, 12), Span(28, 40), Span(25, 200), Span(12, 14), Span(5, 20)]
    rows = np.zeros(len(passages), dtype=np.int64)
    found = passage_targets(data, passages, rows).yes[:, column("blame")]
    assert found.tolist() == [1, 0, 0, 0, 1, 1]


def test_joined_targets_are_one_after_the_other() -> None:
    """Posts first, then quotes, each with its post."""
    data = dataset({"blame": (SHAME,)})
    _, spans, post_of = quotes(data)
    joined = post_targets(data).joined(passage_targets(data, spans, post_of))
    assert joined.yes[:, column("blame")].tolist() == [1, 1]
    assert joined.post_of.tolist() == [0, 0]
