"""The dataset: shares, gold, evidence, groups, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from annotations.records import Annotation, Span
from classifiers.dataset import Dataset, Provenance
from classifiers.errors import DatasetError
from classifiers.groups import near_duplicate_groups
from classifiers.splits import folds
from classifiers.testing import invented_annotations, invented_codebook

CODEBOOK = invented_codebook()
TEXT = "The river belongs to all. Read more."


def note(
    annotator: str = "A",
    tags: Mapping[str, tuple[Span, ...]] | None = None,
    *,
    post_id: str = "p/1",
    text: str = TEXT,
) -> Annotation:
    """Return an annotation."""
    return Annotation(post_id=post_id, annotator=annotator, text=text, tags=tags or {})


def test_shares_gold_and_provenance_of_several_annotators() -> None:
    """A share is that of the annotators who ticked; gold needs a strict majority, a tie is kept as one."""
    tick = {"blame": (Span(0, 3),)}
    annotations = [
        note("A", tick),
        note("B", {"blame": (Span(4, 9),), "rare": ()}),
        note("C"),
        note("A", {"rare": ()}, post_id="p/2"),
        note("B", post_id="p/2"),
    ]
    dataset = Dataset.from_annotations(annotations, CODEBOOK)
    blame, rare = dataset.tag_ids.index("blame"), dataset.tag_ids.index("rare")
    assert dataset.shares[:, blame] == pytest.approx([2 / 3, 0])
    assert dataset.shares[:, rare] == pytest.approx([1 / 3, 1 / 2])
    assert dataset.gold[:, [blame, rare]].tolist() == [[True, False], [False, False]]
    assert dataset.provenance[:, rare].tolist() == [Provenance.MAJORITY, Provenance.TIE]
    assert dataset.provenance[1, blame] == Provenance.UNANIMOUS
    assert dataset.evidence[0] == {"blame": (Span(0, 3), Span(4, 9))}
    assert dataset.n_annotators.tolist() == [3, 2]


def test_skipped_and_not_analysable_are_left_out_and_reviewed_with_none_is_kept() -> None:
    """Only what was read and could be judged is learnt from."""
    annotations = [
        note("A", post_id="p/1"),
        replace(note("A", {"rare": ()}, post_id="p/2"), skipped=True),
        replace(note("A", {"rare": ()}, post_id="p/3"), flags=("not analysable",)),
        replace(note("A", {"rare": ()}, post_id="p/4"), flags=("unclear",)),
    ]
    dataset = Dataset.from_annotations(annotations, CODEBOOK)
    assert dataset.post_ids == ("p/1", "p/4")
    assert dataset.shares.sum(axis=1).tolist() == [0, 1]


def test_the_last_annotation_of_an_annotator_on_a_revision_counts() -> None:
    """A second reading replaces the first; a reading of an edited text is another post of the same group."""
    annotations = [note("A", {"rare": ()}), note("A", {"blame": ()}), note("A", text=TEXT + " Edited.")]
    dataset = Dataset.from_annotations(annotations, CODEBOOK)
    assert len(dataset) == 2
    blame = [tag == "blame" for tag in dataset.tag_ids]
    assert sorted(map(tuple, dataset.shares)) == [(0, 0, 0, 0), tuple(map(float, blame))]
    assert len(set(dataset.groups)) == 1


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ([], "no annotation to learn from"),
        ([replace(note(), skipped=True)], "no annotation to learn from"),
        ([note("A", {"nonsense": ()})], "post p/1, annotator A: unknown tag 'nonsense'"),
        ([note("A", {"rare": (Span(0, 999),)})], "outside the text: 0-999"),
        ([note("A", text="bad \ud800")], "lone surrogate"),
        (
            [replace(note("A"), revision="r"), replace(note("B", text="Another"), revision="r")],
            "two different texts bear the same post id and revision",
        ),
        (
            [replace(note("A"), codebook="aa"), replace(note("B"), codebook="bb")],
            "2 different codebooks: aa, bb",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(annotations: list[Annotation], problem: str) -> None:
    """A dataset error names the post and the way out."""
    with pytest.raises(DatasetError) as caught:
        Dataset.from_annotations(annotations, CODEBOOK)
    assert problem in str(caught.value)


def test_mixed_codebooks_are_taken_where_that_is_said() -> None:
    """Labels of several codebooks can be mixed on purpose, and the dataset names them."""
    annotations = [replace(note("A"), codebook="bb"), replace(note("B"), codebook="aa"), note("C")]
    assert Dataset.from_annotations(annotations, CODEBOOK, mixed_codebooks=True).codebooks == ("aa", "bb")


def test_the_digest_depends_on_content_and_not_on_order() -> None:
    """The same annotations in another order give the same digest; another span gives another."""
    annotations = invented_annotations(10)
    digest = Dataset.from_annotations(annotations, CODEBOOK).digest
    assert Dataset.from_annotations(annotations[::-1], CODEBOOK).digest == digest
    tagged = next(i for i, each in enumerate(annotations) if each.tags)
    tag = next(iter(annotations[tagged].tags))
    changed = replace(annotations[tagged], tags={**annotations[tagged].tags, tag: (Span(0, 1),)})
    assert Dataset.from_annotations([*annotations, changed], CODEBOOK).digest != digest


def test_near_duplicates_fall_into_one_group() -> None:
    """Copies, near-copies and posts of one id belong together; others do not."""
    words = [f"word{i}" for i in range(30)]
    other = " ".join(f"thing{i}" for i in range(30))
    texts = [
        " ".join(words),
        " ".join(words).upper() + "!",
        " ".join([*words[:-1], "new"]),
        other,
        "short",
        "",
    ]
    groups = near_duplicate_groups([*texts, "", "unlike"], ["a", "b", "c", "d", "e", "f", "g", "d"])
    assert groups.tolist() == [0, 0, 0, 1, 2, 3, 3, 1]


def test_folds_never_part_a_group() -> None:
    """All posts of a group are in one fold, every fold holds posts, and tags are spread over the folds."""
    dataset = Dataset.from_annotations(invented_annotations(60), CODEBOOK)
    grouped = replace(dataset, groups=np.arange(len(dataset)) // 3)
    fold = folds(grouped, 5, seed=0)
    assert all(len(set(fold[grouped.groups == group])) == 1 for group in set(grouped.groups))
    assert sorted(set(fold)) == [0, 1, 2, 3, 4]
    frequent = [tag != "rare" for tag in grouped.tag_ids]
    assert (grouped.gold[fold == 0].sum(axis=0)[frequent] > 0).all()


def test_posts_that_are_all_alike_cannot_be_split() -> None:
    """One group of near-duplicates leaves nothing to hold out."""
    dataset = Dataset.from_annotations([note("A"), note("A", post_id="p/2")], CODEBOOK)
    with pytest.raises(DatasetError, match="near-duplicates"):
        folds(dataset, 5, seed=0)


def test_the_real_labels(shared_data: Path) -> None:
    """The 245 posts of the ministry's channel: 429 annotations, 45 ties, hardly a near-duplicate."""
    codebook = load_codebook(default_codebook_path())
    dataset = Dataset.from_annotations(
        read_labels(shared_data / "mfa" / "labels.jsonl", codebook.tag_ids), codebook, mixed_codebooks=True
    )
    assert (len(dataset), int(dataset.n_annotators.sum())) == (245, 429)
    assert int((dataset.provenance == Provenance.TIE).sum()) == 45
    assert len(set(dataset.groups)) > 230
