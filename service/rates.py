"""How many requests a caller may make: a token bucket each, in this process.

Each worker counts for itself, so that no request waits for another process: with N workers a caller gets up to N
times the rate.  Buckets of callers that have been away longest are forgotten.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from dataclasses import dataclass

_MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may do: how many requests are left at once, and in how many seconds there is one more."""

    is_allowed: bool
    remaining: int
    wait: int

    def headers(self, burst: int, rate: float) -> dict[str, str]:
        """Return the header fields that say so.

        Source: draft-ietf-httpapi-ratelimit-headers-10.
        """
        window = max(1, math.ceil(burst / rate))
        return {
            "RateLimit-Policy": f'"requests";q={burst};w={window}',
            "RateLimit": f'"requests";r={self.remaining};t={self.wait}',
        }


class Buckets:
    """A bucket of ``burst`` tokens for each caller, filled with ``rate`` tokens a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, moment: float | None = None) -> Allowance:
        """Take a token where there is one; ``moment`` is in seconds of the monotonic clock."""
        moment = time.monotonic() if moment is None else moment
        tokens, then = self._buckets.pop(caller, (float(self.burst), moment))
        tokens = min(self.burst, tokens + (moment - then) * self.rate)
        is_allowed = tokens >= 1
        tokens -= is_allowed
        self._buckets[caller] = (tokens, moment)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        missing = max(0.0, 1 - tokens)
        return Allowance(is_allowed, int(tokens), math.ceil(missing / self.rate))


def address_bucket(address: str) -> str:
    """Return the name of the bucket of an address: of IPv6 the network /64, which one customer has to himself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "address:unknown"
    if parsed.version == 6:
        return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address:{parsed}"
