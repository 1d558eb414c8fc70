"""The caps on request bodies: their size, whether announced or not, the time they take, and how deep JSON is nested."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.head import head_of

# A client still sending when the connection closes may never read the answer: so much is read and dropped.
_DRAINED_BYTES = 64 * 1024 * 1024
_CLOSE = {"Connection": "close"}
_OPENING = np.frombuffer(b"[{", dtype=np.uint8)
_CLOSING = np.frombuffer(b"]}", dtype=np.uint8)
_BLOCK = 1024 * 1024
_LARGE = 256 * 1024


@dataclass(frozen=True, slots=True)
class BodyCaps:
    """The caps, by default those of the settings.

    Attributes
    ----------
    limit, paths
        Most bytes of a body, and by path where it is another number.
    seconds
        How long a body may take to arrive; of a path in ``streamed``, each piece of it.
    depth
        How deep JSON may be nested.
    streamed
        Paths whose body has no end that could be waited for: the route itself caps what it keeps of it.
    """

    limit: int
    seconds: float = 30.0
    depth: int = 64
    paths: Mapping[str, int] = field(default_factory=dict)
    streamed: Collection[str] = frozenset()


class BodyLimit:
    """ASGI middleware: reading a body that breaks a cap raises 413, 408 or 400.

    The error is raised in the application's own ``receive``, so that it is answered like any other.  A call
    that reads no body is not concerned.
    """

    def __init__(self, app: ASGIApp, *, caps: BodyCaps) -> None:
        self.app = app
        self.caps = caps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that ends at the caps."""
        if scope["type"] == "http":
            receive = _CappedBody(receive, scope, self.caps)
        await self.app(scope, receive, send)


class _CappedBody:
    def __init__(self, receive: Receive, scope: Scope, caps: BodyCaps) -> None:
        self._receive = receive
        headers = head_of(scope)
        self._is_streamed = scope["path"] in caps.streamed
        self._limit = None if self._is_streamed else caps.paths.get(scope["path"], caps.limit)
        self._caps = caps
        self._deadline: float | None = None
        self._is_json = "json" in headers.get("content-type", "") and not self._is_streamed
        self._pieces: list[bytes] = []
        self._n_bytes = 0
        self._has_ended = False
        announced = headers.get("content-length", "")
        is_number = announced.isascii() and announced.isdigit()
        self._too_long = self._limit is not None and is_number and int(announced[:20]) > self._limit
        # It waits for "100 Continue" before sending: answered now, it sends nothing.
        self._is_waiting = "expect" in headers

    async def __call__(self) -> Message:
        if self._has_ended:  # all that can come is the news that the client has gone
            return await self._receive()
        if self._too_long:
            await self._refuse()
        message = await self._in_time()
        body = message.get("body", b"")
        self._n_bytes += len(body)
        self._has_ended = not message.get("more_body", False)
        if self._limit is not None and self._n_bytes > self._limit:
            await self._refuse(more=not self._has_ended)
        if self._is_json and message["type"] == "http.request":
            self._pieces.append(body)
            if self._has_ended:
                await self._check_depth()
        return message

    async def _in_time(self) -> Message:
        moment = asyncio.get_running_loop().time()
        if self._deadline is None or self._is_streamed:
            self._deadline = moment + self._caps.seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            detail = f"The body did not arrive within {self._caps.seconds:g} seconds."
            raise HTTPException(408, detail, _CLOSE) from None

    async def _check_depth(self) -> None:
        body = b"".join(self._pieces)
        self._pieces = []
        if body.count(b"{") + body.count(b"[") <= self._caps.depth:
            return
        depth = await run_in_threadpool(depth_of, body) if len(body) > _LARGE else depth_of(body)
        if depth > self._caps.depth:
            raise HTTPException(400, f"The body is nested deeper than {self._caps.depth} levels.")

    async def _refuse(self, *, more: bool = True) -> None:
        self._too_long = self._has_ended = True
        limit = self._limit or 0
        while more and not self._is_waiting and self._n_bytes < limit + _DRAINED_BYTES:
            message = await self._in_time()
            self._n_bytes += len(message.get("body", b""))
            more = message.get("more_body", False)
        raise HTTPException(
            413, f"The body is larger than {limit} bytes; send fewer posts at a time.", _CLOSE
        )


def depth_of(body: bytes) -> int:
    """Return how deep objects and lists of a JSON text are nested, in time linear in its length.

    Of what is no JSON some number is returned; the parser will say that it is none.
    """
    # Without escaped backslashes, and then without escaped quotes, every quote begins or ends a string.
    plain = np.frombuffer(body.replace(b"\\\\", b"").replace(b'\\"', b""), dtype=np.uint8)
    n_quotes = depth = deepest = 0
    for start in range(0, len(plain), _BLOCK):
        block = plain[start : start + _BLOCK]
        quotes = np.cumsum(block == ord('"')) + n_quotes
        steps = np.isin(block, _OPENING).astype(np.int64) - np.isin(block, _CLOSING)
        depths = np.cumsum(np.where(quotes % 2, 0, steps)) + depth
        n_quotes, depth, deepest = int(quotes[-1]), int(depths[-1]), max(deepest, int(depths.max()))
    return deepest
