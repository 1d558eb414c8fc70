"""The same answers by language, source, length, and annotator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotations.records import Annotation
from classifiers.dataset import Dataset
from classifiers.evaluation import summarise
from classifiers.outcomes import Outcomes, assembled
from classifiers.slices import by_annotator, by_part, length_band
from classifiers.testing import invented_annotations, invented_codebook

CODEBOOK = invented_codebook()


def _right(dataset: Dataset) -> Outcomes:
    """Return answers that are all right."""
    yes = dataset.gold
    return assembled(dataset, (yes.astype(float), yes, np.zeros_like(yes)), np.full(yes.shape[1], 0.5))


def test_every_post_is_in_one_part_of_each_kind() -> None:
    """By language, source and length."""
    english = invented_annotations(30, annotators=("A",))
    texts = (
        "Министр провёл переговоры о реке и мосте, вода принадлежит каждой деревне. Беседа длилась долго.",
        "Министр открыл новый мост через реку, и жители благодарят его за работу и заботу о деревне.",
    )
    russian = [
        Annotation(post_id=f"other/{n}", annotator="A", text=text, tags={"blame": ()})
        for n, text in enumerate(texts)
    ]
    data = Dataset.from_annotations([*english, *russian], CODEBOOK)
    found = by_part(_right(data), data)
    assert {name: each.n_posts for name, each in found["language"].items()} == {"en": 30, "ru": 2}
    assert found["source"]["other"].n_posts == 2
    assert sum(each.n_posts for each in found["length"].values()) == 32
    assert found["language"]["ru"].micro_f1 == 1
    assert list(found["language"]["ru"].tags) == ["blame"]


@pytest.mark.parametrize(
    ("n", "band"),
    [
        (0, "under 50 words"),
        (49, "under 50 words"),
        (50, "50 to 199 words"),
        (200, "200 words or more"),
    ],
)
def test_bands_of_length_meet_without_a_gap(n: int, band: str) -> None:
    """A band begins where the one before ends."""
    assert length_band(" ".join(["word"] * n)) == band


def test_each_annotator_judges_by_their_own_labels() -> None:
    """Who ticked what the model says agrees with it; who ticked nothing of it does not."""
    first = invented_annotations(30, annotators=("A",))
    both = [*first, *(replace(each, annotator="B", tags={}) for each in first[:20])]
    data = Dataset.from_annotations(first, CODEBOOK)
    found = by_annotator(_right(data), data, both)
    assert (found["A"].n_posts, found["A"].micro_f1) == (30, 1)
    assert (found["B"].n_posts, found["B"].n_tags) == (20, 0)


def test_skipped_posts_and_posts_not_analysable_are_not_read() -> None:
    """As in training; and one annotator alone is the gold itself."""
    first = invented_annotations(30, annotators=("A",))
    second = [replace(each, annotator="B") for each in first]
    second[0] = replace(second[0], skipped=True)
    second[1] = replace(second[1], flags=("Not analysable",))
    data = Dataset.from_annotations([*first, *second], CODEBOOK)
    assert by_annotator(_right(data), data, [*first, *second])["B"].n_posts == 28
    assert by_annotator(_right(data), data, first) == {}
    assert summarise(_right(data)).micro_f1 == 1
