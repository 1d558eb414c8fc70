"""Two models on the same posts: the figures are the usual ones, and nobody is judged on what it knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from annotations.records import Annotation
from classifiers.bundle import write_bundle
from classifiers.bundle_documents import read_out_of_fold
from classifiers.dataset import Dataset
from classifiers.describing import described
from classifiers.paired import Contender, ContestOptions, contest, weighted_figures
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import TrainedModel, train

CODEBOOK = invented_codebook()
GOOD = invented_annotations(120, 7)


def _dataset(annotations: list[Annotation]) -> Dataset:
    return Dataset.from_annotations(annotations, CODEBOOK)


def _trained(annotations: list[Annotation]) -> tuple[TrainedModel, Dataset]:
    dataset = _dataset(annotations)
    return train(dataset, CODEBOOK, quick_options()), dataset


def _contender(annotations: list[Annotation], path: Path) -> Contender:
    trained, dataset = _trained(annotations)
    write_bundle(trained, path, documents=described(trained, dataset))
    return Contender.load(path)


def _mislabelled(annotations: list[Annotation]) -> list[Annotation]:
    shifted = [*annotations[34:], *annotations[:34]]
    return [
        replace(each, tags=dict.fromkeys(other.tags, ()))
        for each, other in zip(annotations, shifted, strict=True)
    ]


@pytest.fixture(scope="module")
def contenders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Contender]:
    """Return models of the first posts: of good labels, and of labels that make no sense."""
    folder = tmp_path_factory.mktemp("models")
    return {
        "good": _contender(GOOD[:140], folder / "good"),
        "bad": _contender(_mislabelled(GOOD[:140]), folder / "bad"),
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 4))
def test_weights_count_posts_as_repeating_them_does(seed: int, n_posts: int, n_tags: int) -> None:
    """The figures are scikit-learn's on the posts drawn, ties and all."""
    rng = np.random.default_rng(seed)
    truth, yes = rng.random((2, n_posts, n_tags)) < 0.4
    score = np.round(rng.random((n_posts, n_tags)), 1)
    weights = rng.integers(0, 3, size=n_posts)
    rows = np.repeat(np.arange(n_posts), weights)
    (found,) = weighted_figures(truth, score, yes, weights[None].astype(float))
    here = truth[rows].any(axis=0)
    if not here.any():
        assert np.isnan(found).all()
        return
    t, s, y = truth[rows][:, here], score[rows][:, here], yes[rows][:, here]
    wanted = [
        np.mean([average_precision_score(t[:, k], s[:, k]) for k in range(t.shape[1])]),
        f1_score(t.ravel(), y.ravel(), zero_division=0),
        np.mean([f1_score(t[:, k], y[:, k], zero_division=0) for k in range(t.shape[1])]),
    ]
    assert found == pytest.approx(wanted)


def test_the_better_model_is_told_and_the_other_way_round(contenders: dict[str, Contender]) -> None:
    """On posts that neither knows; the difference changes its sign with the order."""
    fresh = _dataset(GOOD[140:])
    found = contest(fresh, contenders["bad"], contenders["good"])
    assert (found.verdict, found.is_not_worse) == ("better", True)
    assert (found.known_to_first, found.known_to_second) == (0, 0)
    back = contest(fresh, contenders["good"], contenders["bad"])
    assert (back.verdict, back.is_not_worse) == ("worse", False)
    for name, of in found.figures.items():
        assert of.low <= of.difference <= of.high
        assert back.figures[name].difference == pytest.approx(-of.difference)


def test_a_model_is_judged_out_of_fold_on_posts_it_knows(contenders: dict[str, Contender]) -> None:
    """The figure on its own training posts is that of training, not the one of a model that knows them by heart."""
    known = _dataset(GOOD[:140])
    found = contest(known, contenders["bad"], contenders["good"])
    assert found.known_to_first == found.known_to_second == found.n_posts == len(known)
    scorer = contenders["good"].scorer
    assert found.figures["mean_average_precision"].second == pytest.approx(
        scorer.metrics["out_of_fold"]["mean_average_precision"], abs=1e-3
    )


def test_only_posts_that_neither_knows_can_be_asked_for(contenders: dict[str, Contender]) -> None:
    """The same as if the labels held no others."""
    bad, good = contenders["bad"], contenders["good"]
    found = contest(_dataset(GOOD), bad, good, ContestOptions(unseen_only=True))
    assert (found.known_to_first, found.known_to_second) == (0, 0)
    assert found.n_posts + found.n_left_out == len(_dataset(GOOD))
    few = contest(_dataset(GOOD[:140]), bad, good, ContestOptions(unseen_only=True))
    assert (few.verdict, few.n_posts) == ("cannot be judged", 0)


def test_a_model_is_as_good_as_itself(contenders: dict[str, Contender]) -> None:
    """The difference is nothing, and so is its interval."""
    found = contest(_dataset(GOOD), contenders["good"], contenders["good"])
    assert (found.verdict, found.is_not_worse) == ("no clear difference", True)
    assert {(of.difference, of.low, of.high) for of in found.figures.values()} == {(0, 0, 0)}


def test_near_duplicates_of_known_posts_are_left_out(contenders: dict[str, Contender]) -> None:
    """A model knows a post that was forwarded with a word more."""
    edited = [
        replace(each, post_id=f"forwarded/{each.post_id}", text=f"{each.text} Indeed.") for each in GOOD[:20]
    ]
    found = contest(_dataset([*GOOD, *edited]), contenders["bad"], contenders["good"])
    n_alike_anyway = contest(_dataset(GOOD), contenders["bad"], contenders["good"]).n_left_out
    assert found.n_left_out == n_alike_anyway + 10
    alone = contest(_dataset(edited), contenders["bad"], contenders["good"])
    assert alone.n_left_out == 0  # that they are known can only be seen beside the posts themselves


def test_what_cannot_be_judged_is_said(contenders: dict[str, Contender], tmp_path: Path) -> None:
    """Too few posts, no tag among them, or a bundle that does not say what it was trained on."""
    good, bad = contenders["good"], contenders["bad"]
    few = contest(_dataset(GOOD[140:156]), bad, good)
    assert (few.verdict, few.figures, few.is_not_worse) == ("cannot be judged", {}, False)
    assert "at least 10" in few.reason
    untagged = [replace(each, tags={}) for each in GOOD[140:]]
    assert "no tag" in contest(_dataset(untagged), bad, good).reason
    write_bundle(_trained(GOOD[:100])[0], tmp_path / "bare")
    bare = contest(_dataset(GOOD[140:]), good, Contender.load(tmp_path / "bare"))
    assert (bare.verdict, "does not say" in bare.reason) == ("cannot be judged", True)


def test_the_scores_kept_in_a_bundle_are_those_of_training(tmp_path: Path) -> None:
    """By the digest of the text, to four digits."""
    trained, dataset = _trained(GOOD[:100])
    write_bundle(trained, tmp_path / "bundle", documents=described(trained, dataset))
    found = read_out_of_fold(tmp_path / "bundle")
    assert found is not None
    columns = [dataset.tag_ids.index(tag) for tag in found.tag_ids]
    rows = [found.row_of[revision] for revision in dataset.revisions]
    assert found.log_odds[rows] == pytest.approx(trained.out_of_fold[:, columns], abs=1e-4)
