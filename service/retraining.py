"""A training whose model becomes active only if it is not worse than the one in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from annotations.codebook import Codebook, load_codebook
from annotations.errors import TalkingPointsError
from annotations.ledger.store import Ledger, timestamp
from annotations.ledger.studio import stored_annotations
from annotations.ledger.studio_lock import StudioLock, studio_lock
from annotations.ledger.trainings import (
    begin_training,
    finish_training,
    first_annotated,
    latest_training,
    n_annotated_since,
)
from annotations.progress import Progress, silent
from classifiers.bundle_reading import read_manifest
from classifiers.comparison import MIN_GROUPS, Comparison, compare, held_out
from classifiers.dataset import Dataset
from classifiers.errors import BundleError, ModelNotFoundError
from classifiers.registry import Registry
from classifiers.scorer import Scorer
from classifiers.training import TrainingOptions, train
from service.activation import NewModel, store
from service.settings import Settings

ACTIVATED, WORSE, TOO_FEW, UNCHANGED, FAILED = "activated", "worse", "too few", "unchanged", "failed"
_LOCK = "training"
_NOBODY_WAITS = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """What came of a training; ``version`` is the new model's where there is one, ``reason`` a sentence."""

    outcome: str
    reason: str
    version: str | None = None
    compared_with: str | None = None
    comparison: Comparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "version": self.version,
            "compared_with": self.compared_with,
            "comparison": self.comparison.to_dict() if self.comparison else None,
        }


def n_new_annotations(settings: Settings, ledger: Ledger) -> int:
    """Return how many annotations were made since the active model was trained, or since the last attempt."""
    return n_annotated_since(ledger, max(_trained_at(settings), _tried_at(ledger)))


def retrain(
    settings: Settings, ledger: Ledger, options: TrainingOptions | None = None, progress: Progress = silent
) -> Retraining:
    """Train on the ledger's labels and activate the model unless it is worse than the active one.

    The two are compared on posts that were first annotated after the active model was trained, so that it
    cannot know them; the candidate of the comparison is trained without them. If that is not worse, the model
    that becomes active is trained on everything.

    Raises
    ------
    StudioError
        Another training is running.
    """
    with studio_lock(ledger, _LOCK, _NOBODY_WAITS) as lock:
        number = begin_training(ledger)
        try:
            found = _Retraining(settings, ledger, options or TrainingOptions(), progress, lock).run()
        except TalkingPointsError as error:
            found = Retraining(outcome=FAILED, reason=str(error))
        finish_training(
            ledger,
            number,
            {
                "outcome": found.outcome,
                "version": found.version,
                "compared_with": found.compared_with,
                "report": found.to_dict(),
            },
        )
    return found


@dataclass(frozen=True, slots=True)
class _Retraining:
    settings: Settings
    ledger: Ledger
    options: TrainingOptions
    progress: Progress
    lock: StudioLock

    def run(self) -> Retraining:
        codebook = load_codebook(self.settings.codebook_path)
        dataset = Dataset.from_annotations(stored_annotations(self.ledger), codebook)
        registry = Registry(self.settings.workspace.models_path)
        active = _active(registry)
        if active is None:
            version = self._activated(registry, dataset, codebook)
            return Retraining(outcome=ACTIVATED, reason="It is the first model.", version=version)
        reference = Scorer.load(registry.path(active))
        if read_manifest(registry.path(active)).dataset_digest == dataset.digest:
            return Retraining(outcome=UNCHANGED, reason="The labels have not changed.", compared_with=active)
        held = held_out(dataset, self._unseen(dataset), self.options.seed)
        if not held.any():
            reason = f"Fewer than {2 * MIN_GROUPS} different posts were annotated since the active model was trained."
            return Retraining(outcome=TOO_FEW, reason=reason, compared_with=active)
        trained = train(dataset.subset(np.flatnonzero(~held)), codebook, self.options, self.progress)
        candidate = Scorer(trained.model, "candidate")
        comparison = compare(dataset.subset(np.flatnonzero(held)), candidate, reference, self.options.seed)
        if comparison is None:
            return Retraining(outcome=TOO_FEW, reason="No tag occurs in the new posts.", compared_with=active)
        if not comparison.is_not_worse:
            return Retraining(
                outcome=WORSE,
                reason="It is worse than the active model on posts that neither has seen.",
                compared_with=active,
                comparison=comparison,
            )
        return Retraining(
            outcome=ACTIVATED,
            reason="It is not worse than the model before on posts that neither has seen.",
            version=self._activated(registry, dataset, codebook),
            compared_with=active,
            comparison=comparison,
        )

    def _activated(self, registry: Registry, dataset: Dataset, codebook: Codebook) -> str:
        with self.ledger.begin() as connection:
            self.lock.renew(connection)
        trained = train(dataset, codebook, self.options, self.progress)
        return store(registry, NewModel(trained, dataset), "yes").version

    def _unseen(self, dataset: Dataset) -> npt.NDArray[np.bool_]:
        """Tell which posts were first annotated after the active model was trained, shape (n_posts,)."""
        since, first = _trained_at(self.settings), first_annotated(self.ledger)
        keys: Sequence[tuple[str, str]] = list(zip(dataset.post_ids, dataset.revisions, strict=True))
        return np.array([first.get(key, "") > since for key in keys], dtype=bool)


def _active(registry: Registry) -> str | None:
    try:
        return registry.active()
    except ModelNotFoundError:
        return None


def _trained_at(settings: Settings) -> str:
    """Return when the active model was trained; empty where there is none."""
    registry = Registry(settings.workspace.models_path)
    try:
        created = read_manifest(registry.path(registry.active())).created
        return timestamp(datetime.fromisoformat(created).astimezone(UTC))
    except (ModelNotFoundError, BundleError, ValueError):
        return ""


def _tried_at(ledger: Ledger) -> str:
    row = latest_training(ledger)
    return row.started_at if row else ""
