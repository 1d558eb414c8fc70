"""A new model beside the active one: stored, and activated if it is asked for or not worse."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from annotations.progress import Progress, silent
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.describing import described
from classifiers.errors import BundleError, ModelNotFoundError
from classifiers.learning_curve import LearningCurve
from classifiers.paired import Contender, Contest, contest
from classifiers.registry import Registry
from classifiers.training import TrainedModel

Activate = Literal["auto", "yes", "no"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A model in the registry: whether it is active now, why, and the comparison that said so where there was one."""

    version: str
    active: bool
    reason: str
    contest: Contest | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        comparison = self.contest.to_dict() if self.contest else None
        return {
            "version": self.version,
            "active": self.active,
            "reason": self.reason,
            "comparison": comparison,
        }


@dataclass(frozen=True, slots=True)
class NewModel:
    """A trained model, the dataset it was trained on, and its learning curve where that was measured."""

    trained: TrainedModel
    dataset: Dataset
    curve: LearningCurve | None = None

    def write(self, path: Path) -> str:
        """Write the bundle with its cards and plots, and return its version."""
        return write_bundle(self.trained, path, documents=described(self.trained, self.dataset, self.curve))


def store(
    registry: Registry, model: NewModel, activate: Activate = "auto", progress: Progress = silent
) -> Stored:
    """Put a model into the registry and activate it, or not.

    Parameters
    ----------
    activate
        ``auto``: unless it is worse than the active one on the labels it was trained on, each judged by scores
        that did not know the posts; also where none is active, or the active one can no longer be read.
    progress
        Of the comparison, see :func:`classifiers.paired.contest`.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.write(Path(folder) / "bundle")
        version = registry.add(Path(folder) / "bundle")
    if activate == "no":
        return Stored(version=version, active=_active(registry) == version, reason="It was only stored.")
    if activate == "yes":
        registry.activate(version)
        return Stored(version=version, active=True, reason="It was asked for.")
    stored = _judged(registry, version, model.dataset, progress)
    if stored.active:
        registry.activate(version)
    return stored


def _judged(registry: Registry, version: str, dataset: Dataset, progress: Progress) -> Stored:
    """Say whether a version is to be active; nothing is changed yet."""
    active = _active(registry)
    if active is None:
        return Stored(version=version, active=True, reason="It is the first model.")
    if active == version:
        return Stored(version=version, active=True, reason="It is the active model already.")
    try:
        champion = Contender.load(registry.path(active))
    except BundleError as error:
        return Stored(version=version, active=True, reason=f"Model {active} cannot be read: {error}")
    found = contest(dataset, champion, Contender.load(registry.path(version)), progress=progress)
    if not found.figures:
        reason = f"It cannot be compared with model {active}: {found.reason}."
        return Stored(version=version, active=False, reason=reason, contest=found)
    of = found.figures["mean_average_precision"]
    measured = (
        f"mean average precision {of.second:.3f} against {of.first:.3f} on {found.n_posts} posts, out of fold"
    )
    if found.is_not_worse:
        reason = f"It is not worse than model {active}: {measured}."
    else:
        reason = f"It is worse than model {active}: {measured}."
    return Stored(version=version, active=found.is_not_worse, reason=reason, contest=found)


def _active(registry: Registry) -> str | None:
    try:
        return registry.active()
    except ModelNotFoundError:
        return None
