"""What a call can end with instead of an answer."""

from __future__ import annotations

from service.problems import Problem


class ClientError(Exception):
    """Base of what the client raises on purpose."""


class NoAnswerError(ClientError):
    """The service was not reached, or did not answer in time, or not as it should; the cause is the transport's."""


class ProblemError(ClientError):
    """The service refused or failed; ``problem`` is what it said.

    Attributes
    ----------
    problem
        The problem details (RFC 9457).
    retry_after
        The seconds after which the service says to try again, None where it does not.
    """

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        self.problem = problem
        self.retry_after = retry_after
        places = "".join(f"; {each.pointer or each.location}: {each.detail}" for each in problem.errors[:5])
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}{places} ({problem.request_id})")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def kind(self) -> str:
        """The name of the kind of problem: ``invalid-request``, ``not-ready``, ..."""
        return self.problem.type.rpartition("#problem-")[2]


class StreamError(ClientError):
    """A stream that cannot go on: its answer was cut off, or the model changed in it."""
