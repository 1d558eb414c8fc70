"""Tests of service.retraining and classifiers.comparison: a model is replaced only by one that is not worse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotations.codebook import dump_codebook, load_codebook
from annotations.errors import StudioError
from annotations.labels import annotation_to_dict
from annotations.ledger.store import Ledger, open_ledger, timestamp
from annotations.ledger.studio_annotations import AnnotationRow, Page, write_page
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import ProjectRow, save_project
from annotations.ledger.trainings import latest_training
from annotations.records import Annotation, text_digest
from classifiers.bundle import write_bundle
from classifiers.comparison import MIN_GROUPS, compare, held_out
from classifiers.dataset import Dataset
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from classifiers.testing import invented_annotations, invented_codebook, quick_options
from classifiers.training import train
from service.retraining import n_new_annotations, retrain
from service.settings import Settings, load_settings

CODEBOOK = invented_codebook()
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an empty workspace with the invented codebook."""
    path = tmp_path / "codebook.yaml"
    path.write_text(dump_codebook(CODEBOOK), encoding="utf-8")
    assert load_codebook(path).digest == CODEBOOK.digest
    return load_settings(home=tmp_path / "workspace", codebook=path)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """Return the workspace's ledger with a project."""
    opened = open_ledger(settings.workspace.ledger_url)
    save_project(opened, ProjectRow("server#1", "Title", CODEBOOK.digest, "2026-01-01", None, 0, 0))
    yield opened
    opened.close()


def _pulled(ledger: Ledger, annotations: Sequence[Annotation], moment: datetime, first: int = 1) -> None:
    """Write annotations as a pull does."""
    rows = []
    for number, each in enumerate(annotations, first):
        revision = text_digest(each.text)
        parsed = annotation_to_dict(replace(each, revision=revision, codebook=CODEBOOK.digest))
        rows.append(
            AnnotationRow(
                annotation_id=number,
                task_id=number,
                post_id=each.post_id,
                revision=revision,
                user_id=1,
                annotator=each.annotator,
                codebook=CODEBOOK.digest,
                received={"id": number, "created_at": moment.isoformat().replace("+00:00", "Z")},
                parsed=parsed,
                problems=(),
                updated_at=timestamp(moment),
                lead_time=None,
                skipped=False,
            )
        )
    write_page(ledger, "server#1", Page(rows, [], {}, {}, {}))


def _activate(settings: Settings, annotations: Sequence[Annotation], created: datetime) -> str:
    """Make a model trained on these annotations the active one."""
    registry = Registry(settings.workspace.models_path)
    folder = settings.home / "made"
    trained = train(Dataset.from_annotations(annotations, CODEBOOK), CODEBOOK, quick_options())
    write_bundle(trained, folder, created=created)
    version = registry.add(folder)
    registry.activate(version)
    return version


def _mislabelled(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Return the posts with the tags of other posts: nothing can be learnt from them."""
    shifted = [*annotations[17:], *annotations[:17]]
    return [
        replace(each, tags=dict.fromkeys(other.tags, ()))
        for each, other in zip(annotations, shifted, strict=True)
    ]


def _active(settings: Settings) -> str:
    return Registry(settings.workspace.models_path).active()


def test_the_first_model_becomes_active(settings: Settings, ledger: Ledger) -> None:
    """There is nothing to compare it with; the training is kept in the ledger."""
    _pulled(ledger, invented_annotations(80), LONG_AGO)
    found = retrain(settings, ledger, quick_options())
    assert (found.outcome, found.version) == ("activated", _active(settings))
    row = latest_training(ledger)
    assert row is not None
    assert (row.outcome, row.version) == ("activated", found.version)
    assert row.finished_at is not None


def test_a_better_model_takes_over_and_is_trained_on_everything(settings: Settings, ledger: Ledger) -> None:
    """The old one learnt from nonsense; the new posts, which it has not seen, show it."""
    everything = invented_annotations(160)
    old = _activate(settings, _mislabelled(everything[:60]), LONG_AGO)
    _pulled(ledger, everything[60:], LONG_AGO + timedelta(days=1))
    found = retrain(settings, ledger, quick_options())
    assert (found.outcome, found.compared_with) == ("activated", old)
    assert found.comparison is not None
    assert found.comparison.difference > 0
    assert found.comparison.n_groups >= MIN_GROUPS
    assert found.version == _active(settings) != old


def test_a_worse_model_is_not_activated(settings: Settings, ledger: Ledger) -> None:
    """Trained on labels that make no sense, judged on posts with good ones."""
    everything = invented_annotations(200)
    good = _activate(settings, everything[:100], LONG_AGO)
    dataset = Dataset.from_annotations(everything[100:], CODEBOOK)
    held = held_out(dataset, np.ones(len(dataset), dtype=bool))
    judged = {dataset.post_ids[row] for row in np.flatnonzero(held)}
    bad = _mislabelled(everything[100:])
    mixed = [
        right if right.post_id in judged else wrong
        for right, wrong in zip(everything[100:], bad, strict=True)
    ]
    _pulled(ledger, mixed, LONG_AGO + timedelta(days=1))
    found = retrain(settings, ledger, quick_options())
    assert found.outcome == "worse"
    assert found.comparison is not None
    assert found.comparison.difference < 0
    assert _active(settings) == good


def test_without_new_posts_nothing_can_be_judged(settings: Settings, ledger: Ledger) -> None:
    """Posts annotated before the active model was trained may be among those that it knows."""
    everything = invented_annotations(100)
    old = _activate(settings, everything[:60], LONG_AGO)
    _pulled(ledger, everything, LONG_AGO - timedelta(days=1))
    assert retrain(settings, ledger, quick_options()).outcome == "too few"
    assert _active(settings) == old


def test_unchanged_labels_and_unusable_ones(settings: Settings, ledger: Ledger) -> None:
    """Neither is a new model; the reason is kept."""
    assert retrain(settings, ledger, quick_options()).outcome == "failed"
    _pulled(ledger, invented_annotations(80), LONG_AGO)
    retrain(settings, ledger, quick_options())
    assert retrain(settings, ledger, quick_options()).outcome == "unchanged"


def test_one_training_at_a_time(settings: Settings, ledger: Ledger) -> None:
    """A second one does not wait, for it would learn from the same."""
    with studio_lock(ledger, "training"), pytest.raises(StudioError):
        retrain(settings, ledger, quick_options())


def test_new_annotations_are_counted_from_the_last_attempt(settings: Settings, ledger: Ledger) -> None:
    """A refused model is not tried again before there is more to learn from."""
    _pulled(ledger, invented_annotations(80), LONG_AGO)
    n_all = len(invented_annotations(80))
    assert n_new_annotations(settings, ledger) == n_all
    retrain(settings, ledger, quick_options())
    assert n_new_annotations(settings, ledger) == 0
    more = invented_annotations(20, 5)
    later = [replace(each, post_id=f"later/{each.post_id}") for each in more]
    _pulled(ledger, later, datetime.now(UTC) + timedelta(minutes=1), first=1000)
    assert n_new_annotations(settings, ledger) == len(later)


def test_the_command_says_what_came_of_it(settings: Settings, ledger: Ledger) -> None:
    """As JSON for the service that runs it, with exit code 0 unless it failed."""
    _pulled(ledger, invented_annotations(80), LONG_AGO)
    environment = os.environ | {
        "TALKINGPOINTS_HOME": str(settings.home),
        "TALKINGPOINTS_CODEBOOK": str(settings.codebook),
    }
    command = [sys.executable, "-m", "service.cli", "retrain", "--push", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert (answer["outcome"], answer["version"], answer["pushed"]) == ("activated", _active(settings), None)
    assert "not pushed" in done.stderr


def test_hold_out_takes_whole_groups_that_nobody_has_seen() -> None:
    """No post of a group that the model knows, and none where there are too few groups."""
    dataset = Dataset.from_annotations(invented_annotations(100), CODEBOOK)
    unseen = np.arange(len(dataset)) >= 40
    held = held_out(dataset, unseen)
    assert held.any()
    assert not held[:40].any()
    assert not set(dataset.groups[held]) & set(dataset.groups[~held])
    assert not held_out(dataset, np.arange(len(dataset)) >= len(dataset) - 5).any()


def test_a_model_is_not_worse_than_itself() -> None:
    """The difference is nothing, and so is its interval."""
    dataset = Dataset.from_annotations(invented_annotations(100), CODEBOOK)
    scorer = Scorer(train(dataset, CODEBOOK, quick_options()).model, "v")
    found = compare(dataset, scorer, scorer)
    assert found is not None
    assert (found.difference, found.low, found.high, found.is_not_worse) == (0, 0, 0, True)
