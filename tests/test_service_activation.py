"""A new model becomes active if it is the first, not worse, or asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from classifiers.dataset import Dataset
from classifiers.registry import Registry
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train
from service.activation import NewModel, store

CODEBOOK = invented_codebook()
GOOD = invented_annotations(80, 3)
SHIFTED = [
    replace(each, tags=dict.fromkeys(other.tags, ()))
    for each, other in zip(GOOD, [*GOOD[34:], *GOOD[:34]], strict=True)
]


def _model(annotations: list, **changes: object) -> NewModel:
    dataset = Dataset.from_annotations(annotations, CODEBOOK)
    return NewModel(train(dataset, CODEBOOK, quick_options(**changes)), dataset)


@pytest.fixture(scope="module")
def models() -> dict[str, NewModel]:
    """Return a good model, one of labels that make no sense, and one of other posts."""
    return {
        "good": _model(GOOD[:100]),
        "more": _model(GOOD),
        "bad": _model(SHIFTED[:100]),
        "few": _model(invented_annotations(15, 9, annotators=("A",)), n_folds=2),
    }


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Return an empty registry."""
    return Registry(tmp_path / "models")


def test_a_first_model_becomes_active_unless_it_is_only_to_be_stored(
    models: dict[str, NewModel], registry: Registry
) -> None:
    """Nothing is compared; training the same again changes nothing."""
    only_stored = store(registry, models["good"], "no")
    assert (only_stored.active, registry.versions()) == (False, [only_stored.version])
    first = store(registry, models["good"])
    assert (first.active, first.contest, registry.active()) == (True, None, first.version)
    assert store(registry, models["good"]).active
    assert registry.previous() is None


def test_a_better_model_takes_over(models: dict[str, NewModel], registry: Registry) -> None:
    """Judged on the labels of the new one."""
    bad = store(registry, models["bad"])
    good = store(registry, models["good"])
    assert good.contest is not None
    assert good.contest.verdict == "better"
    assert (registry.active(), registry.previous()) == (good.version, bad.version)
    json.dumps(good.to_dict())


def test_a_model_that_is_not_better_on_its_labels_has_to_be_forced(
    models: dict[str, NewModel], registry: Registry
) -> None:
    """It is stored and named; the reason has the figures."""
    good = store(registry, models["good"])
    worse = _model(
        GOOD[:100], fit=replace(quick_options().fit, views=("centroids",), evidence=False, cues=False)
    )
    refused = store(registry, worse)
    assert not refused.active
    assert "worse" in refused.reason
    assert registry.active() == good.version
    assert store(registry, worse, "yes").active
    assert registry.active() == refused.version
    assert registry.rollback() == good.version


def test_more_labels_are_judged_on_posts_old_and_new(models: dict[str, NewModel], registry: Registry) -> None:
    """The old model is judged out of fold on what it knows, and as it is on what is new to it."""
    store(registry, models["good"])
    found = store(registry, models["more"]).contest
    assert found is not None
    assert 0 < found.known_to_first < found.known_to_second


def test_an_active_model_that_cannot_be_read_holds_up_nobody(
    models: dict[str, NewModel], registry: Registry
) -> None:
    """Such as one of an older format."""
    first = store(registry, models["bad"])
    manifest = registry.path(first.version) / "manifest.json"
    manifest.write_text(json.dumps({"protocol": 1}), encoding="utf-8")
    second = store(registry, models["good"])
    assert (second.active, "cannot be read" in second.reason) == (True, True)


def test_too_few_posts_replace_no_champion(models: dict[str, NewModel], registry: Registry) -> None:
    """What cannot be judged is not taken for better."""
    good = store(registry, models["good"])
    few = replace(models["good"], dataset=models["good"].dataset.subset(range(6)))
    dataset = few.dataset
    trained = replace(models["bad"].trained, out_of_fold=models["bad"].trained.out_of_fold[: len(dataset)])
    refused = store(registry, NewModel(trained, dataset))
    assert not refused.active
    assert "cannot be compared" in refused.reason
    assert registry.active() == good.version
