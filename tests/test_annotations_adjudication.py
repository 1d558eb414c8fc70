"""Consensus and gold as a project lead expects them: nothing is settled that is open, everything says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotations.adjudication import (
    Method,
    consensus,
    disagreements,
    with_verdicts,
    write_gold,
)
from annotations.dawid_skene import dawid_skene
from annotations.errors import LabelsError
from annotations.labels import read_labels
from annotations.records import Annotation, Span, text_digest

TAGS = ["x", "y", "z"]
TEXT = "Calverra calls for order."
# Dawid and Skene (1979), table 1: 45 patients, five anaesthetists (the first one saw each three times), four classes.
ANAESTHETISTS = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3|222 2 2 2 3
232 2 2 2 3|444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1|111 1 1 1 1|111 1 1 1 1
222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2|111 1 1 1 1|111 1 1 1 1|232 2 2 2 2
111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3|111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3
221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1|111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2
"""


def _annotation(post: int, who: str, *tags: str, **changes: Any) -> Annotation:
    spans = changes.pop("spans", {})
    return Annotation(
        post_id=f"c/{post}",
        annotator=who,
        text=TEXT,
        revision=text_digest(TEXT),
        tags={tag: spans.get(tag, ()) for tag in tags},
        **changes,
    )


def test_dawid_skene_gives_the_published_estimates() -> None:
    """Dawid and Skene (1979), table 2 and section 4: marginals .40 .42 .11 .07, and the error rates of observer 1."""
    patients = [patient.split() for patient in ANAESTHETISTS.replace("\n", "|").split("|") if patient]
    counts = np.zeros((45, 5, 4))
    for row, patient in enumerate(patients):
        for rater, answers in enumerate(patient):
            for answer in answers:
                counts[row, rater, int(answer) - 1] += 1
    found = dawid_skene(counts)
    assert found.marginals.round(2).tolist() == pytest.approx([0.40, 0.42, 0.11, 0.07])
    assert found.error_rates[0].round(2).tolist() == [
        [0.89, 0.11, 0, 0],
        [0.07, 0.88, 0.05, 0],
        [0, 0.34, 0.66, 0],
        [0, 0, 0.56, 0.44],
    ]


def test_a_majority_settles_and_a_tie_stays_open() -> None:
    """Two of three are enough, one of two is not; provenance is the weakest that any tag took."""
    annotations = [
        *(_annotation(1, who, "x", "y") for who in "ABC"),
        *(_annotation(2, who, "x", *("y" * (who == "A"))) for who in "ABC"),
        _annotation(3, "A", "x"),
        _annotation(3, "B"),
        _annotation(4, "A", "z"),
    ]
    found = consensus(annotations, TAGS)
    gold = {each.annotation.post_id: each for each in found.gold}
    assert {post: each.provenance for post, each in gold.items()} == {
        "c/1": "unanimous", "c/2": "majority", "c/4": "single"
    }  # fmt: skip
    assert set(gold["c/2"].annotation.tags) == {"x"}
    assert [question.disputed for question in found.open] == [("x",)]
    strict = consensus(annotations, TAGS, Method.UNANIMOUS)
    assert {each.annotation.post_id for each in strict.gold} == {"c/1", "c/4"}
    assert len(strict.open) == 2


def test_dawid_skene_listens_to_those_who_are_reliable() -> None:
    """Two who agree with each other outweigh three who guess; two annotators alone are refused."""
    rng = np.random.default_rng(0)
    annotations, truth = [], {}
    for post in range(200):
        truth[f"c/{post}"] = yes = bool(rng.random() < 0.5)
        annotations += [_annotation(post, who, *("x" * (yes == (rng.random() < 0.97)))) for who in "AB"]
        annotations += [_annotation(post, who, *("x" * int(rng.random() < 0.5))) for who in "CDE"]
    by_model = consensus(annotations, ["x"], Method.DAWID_SKENE)
    by_vote = consensus(annotations, ["x"], Method.MAJORITY)

    def right(found: Any) -> float:
        return float(
            np.mean([("x" in each.annotation.tags) == truth[each.annotation.post_id] for each in found.gold])
        )

    assert right(by_model) > 0.97 > right(by_vote)
    assert all(each.confidence is not None and each.confidence >= 0.9 for each in by_model.gold)
    with pytest.raises(LabelsError, match="three annotators"):
        consensus([each for each in annotations if each.annotator in "AB"], ["x"], Method.DAWID_SKENE)


def test_the_furthest_apart_come_first_and_skipped_ones_do_not_count() -> None:
    """Disjoint tag sets are further apart than nested ones; a skip is no opinion."""
    annotations = [
        _annotation(1, "A", "x", "y"),
        _annotation(1, "B", "x"),
        _annotation(2, "A", "x"),
        _annotation(2, "B", "y", comment="clearly"),
        _annotation(3, "A", "x"),
        _annotation(3, "B", skipped=True),
    ]
    first, second = disagreements(annotations, TAGS)
    assert (first.key[0], first.distance, first.disputed) == ("c/2", 1.0, ("x", "y"))
    assert first.sides[1].comment == "clearly"
    assert second.agreed == {"x": ()}


def test_gold_keeps_the_evidence_and_takes_verdicts_first(tmp_path: Path) -> None:
    """Everybody's evidence for a settled tag; the verdict replaces consensus and settles what was open."""
    first, second = Span(0, 8), Span(9, 14)
    annotations = [
        _annotation(1, "A", "x", spans={"x": (first,)}),
        _annotation(1, "B", "x", spans={"x": (second,)}),
        _annotation(2, "A", "x"),
        _annotation(2, "B"),
    ]
    found = consensus(annotations, TAGS)
    assert found.gold[0].annotation.tags == {"x": (first, second)}
    settled = with_verdicts(found, [_annotation(2, "judge", "y"), _annotation(2, "judge", "z")])
    assert settled.open == ()
    path = tmp_path / "gold.jsonl"
    assert write_gold(path, settled.gold) == 2
    lines = {line["post_id"]: line for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    assert lines["c/2"]["provenance"] == "adjudicated"
    assert lines["c/2"]["decided_by"] == ["judge"]
    assert set(lines["c/2"]["tags"]) == {"z"}
    assert [each.annotator for each in read_labels(path, TAGS)] == ["gold", "gold"]


def test_labels_of_two_codebooks_are_not_mixed() -> None:
    """The same tag may mean something else."""
    with pytest.raises(LabelsError, match="different codebooks"):
        consensus([_annotation(1, "A", codebook="one"), _annotation(2, "A", codebook="two")], TAGS)
