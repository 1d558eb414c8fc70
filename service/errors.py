"""What can go wrong between a request, or an environment, and an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotations.errors import TalkingPointsError


class SettingsError(TalkingPointsError):
    """Settings that cannot be used: a value out of range, or a start that would not be safe."""


class NotReadyError(TalkingPointsError):
    """No model is loaded, so nothing can be tagged yet."""


class ModelRefusedError(TalkingPointsError):
    """A model that was to be activated cannot serve; the one in use goes on."""


class RequestInProgressError(TalkingPointsError):
    """Another request with the same Idempotency-Key has not been answered yet."""


class TicketNotFoundError(TalkingPointsError):
    """Nothing was ever put into the queue under this ticket."""


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one value of a request; never the value itself.

    ``location`` is ``body``, ``query``, ``path`` or ``header``, ``pointer`` a JSON Pointer (RFC 6901) in it.
    """

    location: str
    pointer: str
    detail: str
    code: str


class InvalidRequestError(TalkingPointsError):
    """A request of the right shape that asks for what cannot be had: an unknown tag, too long a text."""

    def __init__(self, problem: str, faults: Sequence[FieldFault], *, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.faults = tuple(faults)


class ConflictError(InvalidRequestError):
    """A valid request that contradicts what is stored: a key used before, a post that is unknown or was erased."""
