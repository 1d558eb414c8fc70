"""What is sent when: a generator that asks its driver to send or to wait, and ends with the answer.

It does neither itself, so that the client and the async client do exactly the same.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from service.client.calls import Call
from service.client.errors import NoAnswerError, ProblemError
from service.client.options import ClientOptions
from service.problems import MEDIA_TYPE, Problem

T = TypeVar("T")

_TRIED_AGAIN = frozenset({429, 503})
_IN_PROGRESS = "#problem-request-in-progress"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this call, and give back the answer or the transport's error."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait so many seconds, and give back None."""

    seconds: float


Step = Send | Wait
Outcome = httpx.Response | httpx.TransportError | None
Conversation = Generator[Step, Outcome, T]


def conversation(call: Call[T], options: ClientOptions) -> Conversation[T]:
    """Make one call until it is answered; see :class:`ClientOptions` for when it is made again.

    Raises
    ------
    ProblemError
        The service refused it or failed.
    NoAnswerError
        There was no answer, or none that can be read.
    """
    n_made = 0
    while True:
        outcome = yield Send(call)
        n_made += 1
        try:
            return _answer(call, outcome)
        except (ProblemError, NoAnswerError) as error:
            wait = _wait(error, outcome, n_made, options)
            if wait is None:
                raise
        yield Wait(wait)


def _answer(call: Call[T], outcome: Outcome) -> T:
    if isinstance(outcome, httpx.TransportError):
        raise NoAnswerError(f"{call.method} {call.path}: {type(outcome).__name__}") from outcome
    assert outcome is not None  # noqa: S101 - for the type checker: a Send is answered
    if not outcome.is_success:
        raise _problem(outcome, call)
    try:
        return call.read(outcome)
    except ValidationError as error:
        kind = outcome.headers.get("content-type", "of no type")
        raise NoAnswerError(
            f"{call.method} {call.path}: the answer ({kind}) is not that of the service"
        ) from error


def _problem(answer: httpx.Response, call: Call[Any]) -> ProblemError:
    after = _seconds(answer.headers.get("retry-after"))
    if answer.headers.get("content-type", "").startswith(MEDIA_TYPE):
        try:
            return ProblemError(Problem.model_validate_json(answer.content), after)
        except ValidationError:
            pass
    made = Problem(
        type="about:blank",
        title=answer.reason_phrase or "Not an answer of the service",
        status=answer.status_code if 400 <= answer.status_code <= 599 else 502,
        detail=f"{call.method} {call.path} was answered {answer.status_code}, not by the service itself.",
        request_id=answer.headers.get("x-request-id", ""),
    )
    return ProblemError(made, after)


def _wait(
    error: ProblemError | NoAnswerError,
    outcome: Outcome,
    n_made: int,
    options: ClientOptions,
) -> float | None:
    """Return the seconds after which the call is made again; None: it is not."""
    if n_made > options.retries:
        return None
    if isinstance(error, NoAnswerError):
        if not isinstance(outcome, httpx.TransportError):
            return None
        asked = 0.0
    elif error.status in _TRIED_AGAIN or error.problem.type.endswith(_IN_PROGRESS):
        asked = error.retry_after or 0.0
    else:
        return None
    if asked > options.longest_wait:
        return None
    own = min(options.longest_wait, options.first_wait * 2.0 ** (n_made - 1))
    return max(asked, own * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def _seconds(value: str | None) -> float | None:
    """Return what ``Retry-After`` asks for: seconds, or a date (RFC 9110)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
