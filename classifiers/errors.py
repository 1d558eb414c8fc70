"""What can go wrong between annotations and predictions."""

from __future__ import annotations

from annotations.errors import TalkingPointsError


class DatasetError(TalkingPointsError):
    """Annotations from which no dataset can be made: none usable, contradicting texts, mixed codebooks."""


class BundleError(TalkingPointsError):
    """A model bundle that is missing, damaged, of another protocol, or holds what it must not."""


class ModelNotFoundError(TalkingPointsError):
    """No such model version, or no model is active yet."""


class WorkersLostError(TalkingPointsError):
    """The processes or machines that do the work ended, or cannot be reached."""
