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


def test_a_bundle_that_is_refused_leaves_nothing_behind(bundle: Path, tmp_path: Path) -> None:
    """Not even an empty folder."""
    _flip(bundle, "thresholds.json")
    with pytest.raises(BundleError, match=r"thresholds\.json"):
        Registry(tmp_path / "models").add(bundle)
    assert not (tmp_path / "models").exists()
