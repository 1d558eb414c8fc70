"""Who is let in: the ASGI middleware before anything of a request is read but its head.

In this order: is the request meant for us, does a page of another site send it, who calls, does he call too often,
is there room.  What a caller may do is asked by the routes (``service.routes.access``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from annotations.errors import TalkingPointsError
from annotations.ledger.audit import Act
from service.audit import Auditor
from service.head import head_of
from service.keys import LOCAL, Caller, KeyRing
from service.origins import Origins, client_address, is_cross_site, is_local, server_address
from service.problems import (
    FORBIDDEN,
    HEAD_TOO_LARGE,
    MISDIRECTED,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    UNAVAILABLE,
    Kind,
    problem_response,
)
from service.rates import Allowance, Buckets, address_bucket
from service.settings import Settings, is_loopback

CALLER = "talkingpoints.caller"
"""Where in the scope the caller is; nobody where there is none."""
AUDITED = "talkingpoints.audited"
"""Set in the scope by a route whose act is to be recorded."""
PROBES = frozenset({"/healthz", "/readyz"})
STUDIO = "/studio/"
"""What lies under it has passwords and secrets of its own besides keys."""
BEARER = 'Bearer realm="talkingpoints"'
_PAGES = 'Basic realm="talkingpoints: any user name, a key as the password", charset="UTF-8"'
ASSETS = "/assets/"
_SUBJECT = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_KEY_HEADER = "x-api-key"


class Guard:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, *, settings: Settings, ring: KeyRing, auditor: Auditor) -> None:
        self.app = app
        self.settings = settings
        self.ring = ring
        self.auditor = auditor
        self.origins = Origins(settings)
        self.buckets = (
            Buckets(settings.rate_per_second, settings.rate_burst) if settings.rate_per_second else None
        )
        self.n_running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = head_of(scope)
        refusal = self._misplaced(scope, headers)
        if refusal is None:
            refusal = await self._identify(scope, headers)
        caller: Caller | None = scope.get(CALLER)
        if self.buckets and caller is not LOCAL and scope["path"] not in PROBES:
            allowance = self.buckets.take(_bucket(caller, scope))
            shown = allowance.headers(self.buckets.burst, self.buckets.rate)
            send = _WithHeaders(send, shown)
            if not allowance.is_allowed:
                refusal = _too_many(scope, allowance)
        if refusal is not None:
            await refusal(scope, receive, send)
        elif scope["path"] in PROBES:
            await self.app(scope, receive, send)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.n_running >= self.settings.max_concurrent_requests:
            detail = "More requests are being answered than there is room for; try again."
            await _refusal(scope, UNAVAILABLE, detail, {"Retry-After": "1"})(scope, receive, send)
            return
        self.n_running += 1
        try:
            await self.app(scope, receive, _Audited(send, scope, self.auditor))
        finally:
            self.n_running -= 1

    def _misplaced(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        # Uvicorn's own cap only ends a head that has not arrived whole.
        if _head_bytes(scope) > self.settings.max_header_bytes:
            detail = f"The address and headers are larger than {self.settings.max_header_bytes} bytes."
            return _refusal(scope, HEAD_TOO_LARGE, detail)
        if not self.origins.is_ours(scope, headers):
            detail = "The Host is no name of this service; TALKINGPOINTS_ALLOWED_HOSTS adds names."
            return _refusal(scope, MISDIRECTED, detail)
        if is_cross_site(scope, headers):
            return _refusal(scope, FORBIDDEN, "A page of another site may not make this request.")
        return None

    async def _identify(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """Note who calls in the scope, or return the answer to somebody who is not let in."""
        token = shown_key(headers)
        is_needless = self.settings.require_keys == "auto" and is_local(scope, headers)
        if token is None and (is_needless or scope["path"] == "/healthz"):
            if is_needless:
                scope[CALLER] = LOCAL
            return None
        if not self.ring.is_fresh:
            try:
                await run_in_threadpool(self.ring.refresh)
            except TalkingPointsError:
                return _refusal(scope, UNAVAILABLE, "The keys cannot be read at present.")
        if not is_needless and not is_loopback(server_address(scope)) and not self.ring.has_keys():
            detail = "Others can reach this address, and there is no API key: talkingpoints keys create NAME."
            return _refusal(scope, FORBIDDEN, detail)
        if token is not None:
            scope[CALLER] = self.ring.caller(token)
            return (
                None if scope[CALLER] else unauthorized(scope, "The key is wrong, revoked, or past its time.")
            )
        if scope["path"] in PROBES or scope["path"].startswith((STUDIO, ASSETS)):
            return None
        return unauthorized(scope, "Send an API key: Authorization: Bearer tp_...")


def shown_key(headers: Mapping[str, str]) -> str | None:
    """Return the key that a request shows; None where it shows none.

    It stands in ``Authorization: Bearer``, in ``X-API-Key``, or is the password of ``Authorization: Basic`` (as
    browsers send it); another password than a key is not ours to judge.
    """
    kind, _, content = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return content.strip()
    if kind.lower() == "basic":
        try:
            password = base64.b64decode(content.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return None
        return password if password.startswith("tp_") else None
    return headers.get(_KEY_HEADER)


def unauthorized(scope: Scope, detail: str) -> Response:
    """Return the answer to a caller who is not known; a browser then asks for a key on the pages."""
    response = _refusal(scope, UNAUTHORIZED, detail, {"WWW-Authenticate": BEARER})
    if not scope["path"].startswith(("/v1/", STUDIO)):
        response.headers.append("WWW-Authenticate", _PAGES)
    return response


def _head_bytes(scope: Scope) -> int:
    n_bytes = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return n_bytes + len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))


def _refusal(scope: Scope, kind: Kind, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return problem_response(Request(scope), kind, detail, headers=headers)


def _too_many(scope: Scope, allowance: Allowance) -> Response:
    detail = "Wait as long as Retry-After says, or send several posts in a batch."
    return _refusal(scope, TOO_MANY_REQUESTS, detail, {"Retry-After": str(max(1, allowance.wait))})


def _bucket(caller: Caller | None, scope: Scope) -> str:
    return f"key:{caller.key_id}" if caller else address_bucket(client_address(scope))


class _WithHeaders:
    def __init__(self, send: Send, fields: Mapping[str, str]) -> None:
        self._send = send
        self._fields = fields

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(self._fields)
        await self._send(message)


class _Audited:
    """Records an administrator's act before it is answered."""

    def __init__(self, send: Send, scope: Scope, auditor: Auditor) -> None:
        self._send = send
        self._scope = scope
        self._auditor = auditor

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._scope.get(AUDITED):
            await run_in_threadpool(self._auditor.record, _act(self._scope, message["status"]))
        await self._send(message)


def _act(scope: Scope, status: int) -> Act:
    route, caller = scope.get("route"), scope.get(CALLER)
    values = [str(value) for value in scope.get("path_params", {}).values()]
    return Act(
        actor=caller.actor if caller else "nobody",
        act=str(getattr(route, "operation_id", None) or getattr(route, "path", "unknown")),
        subject=" ".join(value if _SUBJECT.fullmatch(value) else "(unnamed)" for value in values),
        outcome="done" if status < 400 else f"refused: {status}",
    )
