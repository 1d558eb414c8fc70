"""Suspect labels: planted errors come first, with a reason a person can judge, and go to adjudication."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotations.records import Annotation
from classifiers.dataset import Dataset
from classifiers.suspects import MODEL, questions, suspect_labels, suspects
from classifiers.testing import invented_annotations, invented_codebook, quick_options


def test_a_label_is_suspect_where_the_other_answer_is_as_usual() -> None:
    """Beyond the mean score of the other side; ties, posts without a score, tags without both answers do not count."""
    shares = np.array([[1.0], [1.0], [0.0], [0.0], [0.0], [0.5], [1.0]])
    scores = np.array([[0.9], [0.05], [0.1], [0.1], [0.95], [0.99], [np.nan]])
    assert suspect_labels(shares, scores) == [(1, 0), (4, 0)]
    assert suspect_labels(np.ones((3, 1)), np.array([[0.9], [0.1], [0.5]])) == []
    assert suspect_labels(shares[:5], 1 - scores[:5]) == []


def test_planted_errors_come_first_and_say_why() -> None:
    """Tags dropped and tags added at random: most of the first suspects are these."""
    codebook = invented_codebook()
    annotations = invented_annotations(120, annotators=("A",))
    tag = "shared-water"
    bearing = [n for n, each in enumerate(annotations) if tag in each.tags][:3]
    without = [n for n, each in enumerate(annotations) if tag not in each.tags][:3]
    changed: list[Annotation] = list(annotations)
    for number in bearing:
        kept = {name: spans for name, spans in annotations[number].tags.items() if name != tag}
        changed[number] = replace(annotations[number], tags=kept, origin={})
    for number in without:
        changed[number] = replace(annotations[number], tags={**annotations[number].tags, tag: ()}, origin={})
    planted = {(annotations[number].post_id, tag) for number in (*bearing, *without)}
    dataset = Dataset.from_annotations(changed, codebook, mixed_codebooks=True)
    found = suspects(dataset, codebook, quick_options())
    assert len(planted & {(each.post_id, each.tag) for each in found[:8]}) >= 5
    dropped = next(each for each in found if not each.given and (each.post_id, each.tag) in planted)
    assert "was not given" in dropped.reason
    assert dropped.passages
    assert dropped.passages[0].quote(dropped.text) in dropped.reason
    asked = {question.key[0]: question for question in questions(found, changed)}
    question = asked[dropped.post_id]
    assert question.sides[-1].name == MODEL
    assert tag in question.sides[-1].tags
    assert tag in question.disputed
