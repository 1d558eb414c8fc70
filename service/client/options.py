"""How a client calls: where, with which key, how patiently."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """The options of a client; the key is never shown.

    Attributes
    ----------
    timeout
        Seconds to wait for a connection, and for each part of an answer.
    retries
        How often a call is made again that found no answer, or was answered 429 or 503, or that the same write is
        under way.  None of them is
        carried out twice: those that change something bear an ``Idempotency-Key``.
    first_wait
        Seconds before the first of them, twice as many before each further one, by chance between a half and
        the whole of it.  Where the service says how long to wait (``Retry-After``), that is waited at least.
    longest_wait
        Most seconds to wait; where the service asks for more, its answer is raised instead.
    """

    key: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    retries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0
