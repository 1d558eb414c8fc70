"""Baselines: what any model must beat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotations.codebook import Codebook
from classifiers.baselines import BASELINES, always, cues_alone, never, tfidf
from classifiers.dataset import Dataset
from classifiers.evaluation import summarise
from classifiers.testing import invented_annotations, invented_codebook


def _codebook() -> Codebook:
    found = invented_codebook()
    cues = {"blame": ("coast council", "swindler*"), "shared-water": ("river",)}
    return replace(found, tags=tuple(replace(tag, cues=cues.get(tag.id, ())) for tag in found.tags))


CODEBOOK = _codebook()
LEARNT = Dataset.from_annotations(invented_annotations(60), CODEBOOK)
TEST = Dataset.from_annotations(invented_annotations(40, seed=7, annotators=("A",)), CODEBOOK)


def test_always_and_never_have_the_figures_of_their_definition() -> None:
    """Always: recall 1, precision and average precision the prevalence. Never: F1 0, Brier the prevalence."""
    yes, no = (summarise(judge(LEARNT, TEST, CODEBOOK)) for judge in (always, never))
    prevalence = TEST.gold[:, TEST.gold.any(axis=0)].mean()
    assert (yes.micro_recall, yes.micro_precision) == (1, pytest.approx(prevalence))
    assert yes.mean_average_precision == no.mean_average_precision == pytest.approx(prevalence)
    assert (no.micro_f1, no.macro_f1, no.brier) == (0, 0, pytest.approx(prevalence))
    assert (no.evidence_hit_rate, no.n_evidence) == (None, 0)


def test_cues_say_yes_where_they_occur_and_show_the_first() -> None:
    """A tag without cues is never said; its probability is near the base rate."""
    said = cues_alone(LEARNT, TEST, CODEBOOK)
    blame = TEST.tag_ids.index("blame")
    expected = ["coast council" in text or "swindlers" in text for text in TEST.texts]
    assert said.yes[:, blame].tolist() == expected
    assert np.nanmean(said.hit[:, blame]) > 0.5
    glory = TEST.tag_ids.index("old-glory")
    assert not said.yes[:, glory].any()
    assert said.score[:, glory] == pytest.approx(LEARNT.shares[:, glory].mean())
    assert ((said.score >= 0) & (said.score <= 1)).all()


def test_plain_text_learns_and_a_tag_that_it_never_saw_keeps_its_base_rate() -> None:
    """TF-IDF and a logistic regression a tag."""
    unseen = replace(LEARNT, shares=LEARNT.shares * (np.array(LEARNT.tag_ids) != "rare"))
    said = tfidf(unseen, TEST, CODEBOOK)
    assert summarise(said).tags["blame"].average_precision > 0.8
    assert (said.score[:, TEST.tag_ids.index("rare")] == 0).all()


def test_posts_without_a_word_are_no_error() -> None:
    """There is nothing to count, so the base rates stay."""
    blank = replace(LEARNT, texts=tuple("!" for _ in LEARNT.texts))
    for judge in BASELINES.values():
        said = judge(blank, TEST, CODEBOOK)
        assert np.isfinite(said.score).all()
