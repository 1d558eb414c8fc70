"""Diagnostics: planted confusions, implications and gaps of a codebook are found, noise is not."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from annotations.agreement.readings import readings_of
from annotations.codebook import Codebook
from annotations.records import Annotation, Span, text_digest
from classifiers.bundle_documents import OutOfFold
from classifiers.diagnostics import DiagnosticOptions, diagnose
from classifiers.diagnostics_pairs import confusions, exclusions, implications
from classifiers.testing import invented_codebook

A, B, C, RARE = "shared-water", "old-glory", "blame", "rare"


def _annotation(number: int, who: str, tags: list[str]) -> Annotation:
    text = f"Post {number} of the ministry says something about the river and the league."
    return Annotation(
        post_id=f"c/{number}",
        annotator=who,
        text=text,
        revision=text_digest(text),
        tags={tag: (Span(0, 20),) for tag in tags},
    )


def _corpus(n: int, swap: float, seed: int = 0) -> list[Annotation]:
    """Return two annotators' readings: where ``A`` is meant, the second says ``B`` instead with chance ``swap``."""
    rng = random.Random(seed)
    made = []
    for number in range(n):
        tags = [tag for tag in (A, B, C) if rng.random() < 0.25]
        second = [B if tag == A and B not in tags and rng.random() < swap else tag for tag in tags]
        second = [tag for tag in dict.fromkeys(second) if rng.random() > 0.1]
        made += [_annotation(number, "one", tags), _annotation(number, "two", second)]
    return made


def test_planted_confusion_is_found_with_its_posts() -> None:
    """One says A where the other says B, of the same words: that pair comes first, surely above chance."""
    found = confusions(readings_of(_corpus(150, 0.5)), (A, B, C))
    first = found[0]
    assert {first.first, first.second} == {A, B}
    assert first.n_swapped > 3 * first.expected
    assert first.n_same_words == first.n_swapped == len(first.post_ids)
    assert first.low < first.share < first.high
    assert first.p < 0.01
    assert all(each.p > 0.05 for each in found[1:])


def test_slips_are_no_confusion() -> None:
    """Annotators who overlook tags independently of one another: of 40 corpora, few have a pair with p < 0.05."""
    rng = random.Random(1)
    alarms = 0
    for _ in range(40):
        made = []
        for number in range(80):
            tags = [tag for tag in (A, B, C) if rng.random() < 0.4]
            made += [
                _annotation(number, who, [tag for tag in tags if rng.random() > 0.3])
                for who in ("one", "two")
            ]
        alarms += any(each.p < 0.05 for each in confusions(readings_of(made), (A, B, C)))
    assert alarms <= 6


def test_one_annotator_confuses_nothing() -> None:
    """There is nobody to differ from."""
    assert confusions(readings_of([_annotation(1, "one", [A])]), (A, B, C)) == []


def test_an_implication_has_a_direction_and_may_be_declared() -> None:
    """Posts with B always bear A, and half of those with A bear B; the codebook may have said so."""
    rng = np.random.default_rng(0)
    codebook = invented_codebook()
    gold = np.zeros((200, 4), dtype=bool)
    at = {tag: number for number, tag in enumerate(codebook.tag_ids)}
    gold[:, at[A]] = rng.random(200) < 0.3
    gold[:, at[B]] = gold[:, at[A]] & (rng.random(200) < 0.5)
    gold[:, at[C]] = rng.random(200) < 0.9
    (found,) = implications(gold, codebook)
    assert (found.tag, found.implied, found.declared) == (B, A, False)
    assert found.confidence == 1
    assert found.support == int(gold[:, at[B]].sum())
    children = tuple(replace(tag, parent=A) if tag.id == B else tag for tag in codebook.tags)
    (declared,) = implications(gold, replace(codebook, tags=children))
    assert declared.declared


def test_tags_that_avoid_each_other() -> None:
    """Never together where nine times are to be expected; independent tags are not listed."""
    rng = np.random.default_rng(1)
    gold = rng.random((120, 3)) < 0.3
    gold[:, 1] &= ~gold[:, 0]
    (found,) = exclusions(gold, ("a", "b", "c"))
    assert (found.first, found.second, found.n_both) == ("a", "b", 0)
    assert found.expected > 5


@pytest.fixture
def codebook() -> Codebook:
    """Return the invented codebook, whose tag ``rare`` nobody gives here."""
    return invented_codebook()


def _out_of_fold(made: list[Annotation], codebook: Codebook) -> OutOfFold:
    digests = list(dict.fromkeys(each.revision for each in made))
    gold = {each.revision: each.tags for each in made if each.annotator == "one"}
    tags = (A, B, C)
    good = [[(3.0 if tag in gold[digest] else -3.0) for tag in tags] for digest in digests]
    scores = np.array(good)
    scores[:, 1] = np.random.default_rng(0).normal(size=len(digests))  # B is not learnt at all
    assert set(tags) <= set(codebook.tag_ids)
    return OutOfFold(tags, {digest: row for row, digest in enumerate(digests)}, scores)


def test_what_tags_need_is_said_with_the_assumption(codebook: Codebook) -> None:
    """Unused, unlearnt, learnt: in this order, with numbers that follow from the assumption."""
    made = [each for each in _corpus(100, 0.0) if each.annotator == "one"]
    found = diagnose(made, codebook, _out_of_fold(made, codebook), DiagnosticOptions(wanted_precision=0.8))
    by_tag = {each.tag: each for each in found.prospects}
    assert [each.tag for each in found.unused] == [RARE]
    assert 0 < found.unused[0].share_high < 0.05
    assert found.prospects[0].tag == RARE
    assert (by_tag[RARE].state, by_tag[RARE].more_positives, by_tag[RARE].more_posts) == ("unused", 5, None)
    assert by_tag[RARE].more_posts_low is not None
    assert by_tag[RARE].more_posts_low > 100
    weak = by_tag[B]
    assert weak.state == "weak"
    assert weak.average_precision is not None
    needed = weak.positives * ((1 - weak.average_precision) / 0.2) ** 2
    assert weak.more_positives == int(np.ceil(needed - weak.positives))
    assert weak.more_posts is not None
    assert weak.more_posts_low is not None
    assert weak.more_posts_high is not None
    assert weak.more_posts_low < weak.more_posts < weak.more_posts_high
    assert "rule of thumb" in weak.assumption
    assert (by_tag[A].state, by_tag[A].more_posts) == ("learnt", 0)
    assert found.n_double == 0


def test_without_a_model_only_what_labels_say_is_said(codebook: Codebook) -> None:
    """Positives are counted; of precision nothing is known."""
    found = diagnose(_corpus(40, 0.0), codebook)
    assert found.n_double == 40
    for each in found.prospects:
        assert each.average_precision is None
        assert (each.more_positives is None) == (each.positives >= 5)
        assert (each.state == "unknown") == (each.positives >= 5)
