"""Training: repeatable, evidence counts, rare tags are refused, near-duplicates are never parted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from annotations.records import Annotation
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.errors import DatasetError
from classifiers.evaluation import Outcomes, joined, outcomes, summarise
from classifiers.scorer import Scorer
from classifiers.splits import folds
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import TrainingOptions, train
from classifiers.validation import cross_validate, text_only

CODEBOOK = invented_codebook()


def dataset(n_posts: int = 60, seed: int = 0) -> Dataset:
    """Return an invented dataset."""
    return Dataset.from_annotations(invented_annotations(n_posts, seed), CODEBOOK)


def test_the_same_data_and_seed_give_the_same_bundle_on_any_number_of_processes(tmp_path: Path) -> None:
    """The version is a digest: it changes with the data, and with nothing else."""
    versions = [
        write_bundle(train(dataset(), CODEBOOK, quick_options(n_jobs=jobs)), tmp_path / str(number))
        for number, jobs in enumerate((1, 1, 2))
    ]
    assert len(set(versions)) == 1
    other = write_bundle(train(dataset(seed=1), CODEBOOK, quick_options()), tmp_path / "other")
    assert other not in versions


def test_the_order_of_the_annotations_does_not_matter(tmp_path: Path) -> None:
    """A labels file sorted otherwise is the same data."""
    annotations = invented_annotations()
    shuffled = Dataset.from_annotations(annotations[::-1], CODEBOOK)
    assert shuffled.digest == Dataset.from_annotations(annotations, CODEBOOK).digest


def test_a_rare_tag_is_refused_with_the_reason() -> None:
    """One positive post is no ground to predict a tag on."""
    rules = {rule.tag_id: rule for rule in train(dataset(), CODEBOOK, quick_options()).model.rules}
    assert not rules["rare"].predicted
    assert "too few examples" in rules["rare"].reason
    assert rules["blame"].predicted


def test_without_enough_of_any_tag_nothing_is_trained() -> None:
    """The way out is to annotate more."""
    with pytest.raises(DatasetError, match="no tag has enough examples"):
        train(dataset(3), CODEBOOK, quick_options())


def test_progress_tells_of_every_fit() -> None:
    """All posts once, and once without each fold."""
    told: list[tuple[int, int | None]] = []
    train(dataset(), CODEBOOK, quick_options(), lambda done, total: told.append((done, total)))
    assert told == [(number, 4) for number in range(5)]


def test_out_of_fold_log_odds_are_those_that_the_rules_were_chosen_on() -> None:
    """A refused tag has none."""
    trained = train(dataset(), CODEBOOK, quick_options())
    for k, rule in enumerate(trained.model.rules):
        assert np.isnan(trained.out_of_fold[:, k]).all() != rule.predicted


def test_evidence_teaches_what_the_tags_alone_do_not() -> None:
    """In posts full of filler, the highlighted words are what a tag is about."""
    figures = cross_validate(dataset(90), CODEBOOK, quick_options())
    assert figures.model.mean_average_precision >= figures.baseline.mean_average_precision - 0.02
    assert figures.model.evidence_hit_rate is not None
    assert figures.model.evidence_hit_rate > 0.8


def test_copies_of_a_post_do_not_help_to_judge_it() -> None:
    """With random tags and every post there twice, an honest validation finds nothing to learn."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(300)]
    annotations = []
    for number in range(60):
        text = " ".join(rng.choice(words, 25))
        tags = {"blame": ()} if rng.random() < 0.5 else {}
        for copy in ("a", "b"):
            annotations.append(
                Annotation(post_id=f"{copy}/{number}", annotator="A", text=f"{text} {copy}", tags=tags)
            )
    data = Dataset.from_annotations(annotations, CODEBOOK)
    assert len(np.unique(data.groups)) == 60
    found = cross_validate(data, CODEBOOK, text_only(quick_options()))
    assert found.model.mean_average_precision < 0.75


def test_annotators_who_disagree_make_soft_labels() -> None:
    """A post that one of two ticked counts half for and half against."""
    annotations = invented_annotations(60)
    doubted = [replace(each, tags={}) if each.annotator == "B" else each for each in annotations]
    sure = train(Dataset.from_annotations(annotations, CODEBOOK), CODEBOOK, quick_options()).model
    unsure = train(Dataset.from_annotations(doubted, CODEBOOK), CODEBOOK, quick_options()).model
    text = ["The minister spoke. the coast council lies again."]
    k = sure.linear.tag_ids.index("blame")
    assert unsure.linear.scores(text)[0, k] < sure.linear.scores(text)[0, k]


def test_evidence_helps_on_real_posts(shared_data: Path) -> None:
    """On a ministry's posts, quotes add to what the texts alone give, near-duplicates kept together."""
    codebook = load_codebook(default_codebook_path())
    annotations = read_labels(shared_data / "mfa" / "labels.jsonl", codebook.tag_ids)
    data = Dataset.from_annotations(annotations, codebook)
    fold = folds(data, 3, seed=0)
    options = TrainingOptions(n_folds=2)

    def judged(variant: TrainingOptions, number: int) -> Outcomes:
        trained = train(data.subset(np.flatnonzero(fold != number)), codebook, variant)
        return outcomes(Scorer(trained.model, "x"), data.subset(np.flatnonzero(fold == number)))

    with_evidence, without = (
        summarise(joined([judged(variant, number) for number in range(3)]))
        for variant in (options, text_only(options))
    )
    assert with_evidence.n_posts == without.n_posts == len(data)
    assert with_evidence.mean_average_precision > without.mean_average_precision + 0.03
