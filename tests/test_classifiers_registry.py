"""The registry: versions in folders, and one of them active."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.errors import BundleError, ModelNotFoundError
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import TrainedModel, train


@pytest.fixture(scope="module")
def trained() -> list[TrainedModel]:
    """Return two small models."""
    codebook = invented_codebook()
    return [
        train(Dataset.from_annotations(invented_annotations(40, seed), codebook), codebook, quick_options())
        for seed in (0, 1)
    ]


@pytest.fixture
def bundle(trained: list[TrainedModel], tmp_path: Path) -> Path:
    """Return a sound bundle that a test may spoil."""
    write_bundle(trained[0], tmp_path / "bundle")
    return tmp_path / "bundle"


def _flip(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(bytes(data))


def test_the_registry_keeps_versions_and_the_active_one(bundle: Path, tmp_path: Path) -> None:
    """A version is added once, activated, and found again."""
    registry = Registry(tmp_path / "models")
    with pytest.raises(ModelNotFoundError, match="talkingpoints train"):
        _ = registry.active() and registry.path("x")
    version = registry.add(bundle)
    assert registry.add(bundle) == version
    registry.activate(version)
    (registry.models_path / "stray").mkdir()
    assert (registry.active(), registry.versions()) == (version, [version])
    assert Scorer.load(registry.path(version)).version == version


def test_a_damaged_version_does_not_take_the_place_of_a_sound_one(bundle: Path, tmp_path: Path) -> None:
    """The active model stays when another cannot be read."""
    registry = Registry(tmp_path / "models")
    sound = registry.add(bundle)
    registry.activate(sound)
    damaged = registry.models_path / ("0" * 12)
    shutil.copytree(bundle, damaged)
    _flip(damaged, "weights.npz")
    with pytest.raises(BundleError):
        registry.activate(damaged.name)
    with pytest.raises(ModelNotFoundError):
        registry.activate("../models")
    assert registry.active() == sound
    _flip(bundle, "weights.npz")
    with pytest.raises(BundleError):
        registry.add(bundle)


def test_versions_are_listed_by_age_and_a_damaged_one_does_not_hide_the_others(
    trained: list[TrainedModel], tmp_path: Path
) -> None:
    """The oldest first; one whose manifest cannot be read comes before all."""
    registry = Registry(tmp_path / "models")
    assert registry.versions() == []
    added = []
    for model, year in zip(trained, (2031, 2030), strict=True):
        write_bundle(model, tmp_path / "bundle", created=datetime(year, 1, 1, tzinfo=UTC))
        added.append(registry.add(tmp_path / "bundle"))
    assert registry.versions() == added[::-1]
    damaged = registry.path(added[0]) / "manifest.json"
    damaged.write_text(json.dumps({"protocol": 99}), encoding="utf-8")
    assert registry.versions() == added
    with pytest.raises(BundleError, match="protocol"):
        registry.activate(added[0])


def test_what_is_no_version_is_ignored(bundle: Path, tmp_path: Path) -> None:
    """Folders left by a killed run, files, and folders without a manifest."""
    registry = Registry(tmp_path / "models")
    version = registry.add(bundle)
    shutil.copytree(bundle, registry.models_path / ".abc.part")
    (registry.models_path / ("1" * 12)).mkdir()
    (registry.models_path / ("2" * 12)).write_text("a file", encoding="utf-8")
    assert registry.versions() == [version]
    with pytest.raises(ModelNotFoundError, match="no model '111111111111'"):
        registry.path("1" * 12)


@pytest.mark.parametrize("content", [b"", b"0123456789ab", b"../../etc", b"\xff\xfe"])
def test_an_active_file_that_names_no_version_is_an_error_with_a_way_out(
    bundle: Path, tmp_path: Path, content: bytes
) -> None:
    """A pointer is believed only where it points to a model."""
    registry = Registry(tmp_path / "models")
    registry.activate(version := registry.add(bundle))
    (registry.models_path / "active").write_bytes(content)
    with pytest.raises(ModelNotFoundError):
        registry.active()
    registry.activate(version)
    assert registry.active() == version


def test_activating_leaves_no_half_written_pointer(bundle: Path, tmp_path: Path) -> None:
    """The pointer is a file of its own, put in place whole."""
    registry = Registry(tmp_path / "models")
    registry.activate(version := registry.add(bundle))
    assert sorted(path.name for path in registry.models_path.iterdir()) == sorted(["active", version])
    assert (registry.models_path / "active").read_text(encoding="utf-8") == f"{version}\n"


def _added(registry: Registry, model: TrainedModel, tmp_path: Path, year: int) -> str:
    write_bundle(model, tmp_path / "made", created=datetime(year, 1, 1, tzinfo=UTC))
    return registry.add(tmp_path / "made")


@pytest.fixture(scope="module")
def three() -> list[TrainedModel]:
    """Return three small models."""
    codebook = invented_codebook()
    return [
        train(Dataset.from_annotations(invented_annotations(40, seed), codebook), codebook, quick_options())
        for seed in (2, 3, 4)
    ]


def test_a_rollback_leads_to_the_model_before_and_to_the_one_before_that(
    three: list[TrainedModel], tmp_path: Path
) -> None:
    """Activating the active model again is no step; at the end there is none left to go back to."""
    registry = Registry(tmp_path / "models")
    a, b, c = (_added(registry, model, tmp_path, 2030 + n) for n, model in enumerate(three))
    assert registry.previous() is None
    for version in (a, b, b, c):
        registry.activate(version)
    assert registry.previous() == b
    assert (registry.rollback(), registry.active(), registry.previous()) == (b, b, a)
    assert registry.rollback() == a
    with pytest.raises(ModelNotFoundError, match="active before"):
        registry.rollback()
    assert registry.active() == a


def test_a_rollback_skips_what_is_gone_and_what_a_killed_run_left(
    three: list[TrainedModel], tmp_path: Path
) -> None:
    """The history is written before the pointer: its last line may be the active version itself."""
    registry = Registry(tmp_path / "models")
    a, b, c = (_added(registry, model, tmp_path, 2030 + n) for n, model in enumerate(three))
    registry.activate(c)
    (registry.models_path / "history").write_text(f"{a}\nnonsense\n{b}\n{'0' * 12}\n{c}\n", encoding="utf-8")
    registry.remove(b)
    assert registry.rollback() == a


def test_a_rollback_to_a_damaged_model_changes_nothing(three: list[TrainedModel], tmp_path: Path) -> None:
    """The active one stays, and the history too."""
    registry = Registry(tmp_path / "models")
    a, b = (_added(registry, model, tmp_path, 2030) for model in three[:2])
    registry.activate(a)
    registry.activate(b)
    _flip(registry.path(a), "weights.npz")
    with pytest.raises(BundleError):
        registry.rollback()
    assert (registry.active(), registry.previous()) == (b, a)


def test_pruning_keeps_the_newest_the_active_one_and_the_one_before(
    three: list[TrainedModel], tmp_path: Path
) -> None:
    """However few are to be kept."""
    registry = Registry(tmp_path / "models")
    a, b, c = (_added(registry, model, tmp_path, 2030 + n) for n, model in enumerate(three))
    assert registry.prunable(1) == [a, b]
    assert registry.prunable(7) == []
    registry.activate(c)
    registry.activate(a)
    assert registry.prunable(0) == [b]
    with pytest.raises(BundleError, match="active"):
        registry.remove(a)
    registry.remove(b)
    assert registry.versions() == [a, c]
    assert not [path for path in registry.models_path.iterdir() if path.name.startswith(".")]


def test_a_version_that_comes_again_with_more_documents_gets_them(
    three: list[TrainedModel], tmp_path: Path
) -> None:
    """Its scores are the same; the plots of a learning curve are not thrown away, nor lost again."""
    registry = Registry(tmp_path / "models")
    version = _added(registry, three[0], tmp_path, 2030)
    documents = {"card.md": "# Card\n", "plot.learning-curve.svg": "<svg/>\n"}
    write_bundle(three[0], tmp_path / "made", documents=documents)
    assert registry.add(tmp_path / "made") == version
    assert (registry.path(version) / "plot.learning-curve.svg").is_file()
    assert _added(registry, three[0], tmp_path, 2031) == version
    assert (registry.path(version) / "plot.learning-curve.svg").is_file()
    assert Scorer.load(registry.path(version)).version == version


def test_a_bundle_that_is_refused_leaves_nothing_behind(bundle: Path, tmp_path: Path) -> None:
    """Not even an empty folder."""
    _flip(bundle, "thresholds.json")
    with pytest.raises(BundleError, match=r"thresholds\.json"):
        Registry(tmp_path / "models").add(bundle)
    assert not (tmp_path / "models").exists()
