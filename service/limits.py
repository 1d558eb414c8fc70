"""The cap on request bodies, whether or not their length is announced."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A client still sending when the connection closes may never read the answer: so much is read and dropped.
_DRAINED_BYTES = 64 * 1024 * 1024


class BodyLimit:
    """ASGI middleware: reading a body over ``limit`` bytes, or over the limit of its path, raises 413.

    The error is raised in the application's own ``receive``, so that it is answered like any other.  A call
    that reads no body is not concerned.
    """

    def __init__(self, app: ASGIApp, *, limit: int, paths: Mapping[str, int]) -> None:
        self.app = app
        self.limit = limit
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that ends at the limit."""
        if scope["type"] == "http":
            limit = self.paths.get(scope["path"], self.limit)
            receive = _LimitedBody(receive, Headers(scope=scope), limit)
        await self.app(scope, receive, send)


class _LimitedBody:
    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._n_bytes = 0
        announced = headers.get("content-length", "")
        self._too_long = announced.isascii() and announced.isdigit() and int(announced[:20]) > limit
        # It waits for "100 Continue" before sending: answered now, it sends nothing.
        self._is_waiting = "expect" in headers

    async def __call__(self) -> Message:
        if self._too_long:
            await self._refuse()
        message = await self._receive()
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._limit:
            await self._refuse(more=message.get("more_body", False))
        return message

    async def _refuse(self, *, more: bool = True) -> None:
        self._too_long = True
        while more and not self._is_waiting and self._n_bytes < self._limit + _DRAINED_BYTES:
            message = await self._receive()
            self._n_bytes += len(message.get("body", b""))
            more = message.get("more_body", False)
        raise HTTPException(
            413,
            f"The body is larger than {self._limit} bytes; send fewer posts at a time.",
            {"Connection": "close"},
        )
