"""The model card says what a user of the model must know."""

from __future__ import annotations

import pytest

from classifiers.card import model_card
from classifiers.dataset import Dataset
from classifiers.model import Model
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train


@pytest.fixture(scope="module")
def model() -> Model:
    """Return a small model."""
    codebook = invented_codebook()
    return train(Dataset.from_annotations(invented_annotations(), codebook), codebook, quick_options()).model


def test_the_card_says_what_was_learnt_from(model: Model) -> None:
    """Codebook, data, views and features, each by its digest or number."""
    card = model_card(model)
    for said in (
        model.codebook.digest,
        model.dataset_digest,
        "60 posts",
        "120 annotations",
        "Views: documents, sentences, centroids.",
        f"stems ({len(model.linear.blocks[0].terms):,})",
        "Languages: en.",
        "the best F1 that can be expected",
        "fewer than 5.0 positive posts",
    ):
        assert said in card


def test_the_card_says_how_good_it_is_and_how_honest_that_is(model: Model) -> None:
    """Every figure, and that they are measured on the training posts, out of fold."""
    card = model_card(model)
    assert "out of fold" in card
    assert "Near-duplicates were never parted" in card
    for name, value in model.metrics["out_of_fold"].items():
        assert f"- {name}: {value:.4g}" in card


def test_the_card_has_every_tag_with_its_support_and_threshold(model: Model) -> None:
    """A tag that is not predicted is there too, with the reason."""
    card = model_card(model)
    for rule in model.rules:
        shown = "not predicted" if rule.threshold is None else f"{rule.threshold:.3f}"
        assert f"| `{rule.tag_id}` | {rule.support:g} | {rule.prevalence:.3f} | {shown} |" in card
    assert "`rare`: too few examples: 1 positive posts" in card


def test_the_same_model_gives_the_same_card(model: Model) -> None:
    """It is part of the bundle's digest."""
    assert model_card(model) == model_card(model)
