"""What every exchange has: a request id, security headers, one log line, and an answer even to a defect."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.guard import CALLER
from service.head import head_of
from service.logs import described, note
from service.metrics import METHODS, Metrics
from service.problems import INTERNAL, problem_response

_LOG = logging.getLogger("talkingpoints.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_NOTHING = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
PAGE_POLICY = f"{_NOTHING}; style-src 'self'; img-src 'self' data:; form-action 'self'"

# Source: OWASP REST Security Cheat Sheet, "Security Headers".
SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"{_NOTHING}; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SENT = tuple((name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items())
_REQUEST_ID_NAME = b"x-request-id"


class Exchange:
    """The outermost ASGI middleware.

    It takes a request id from ``X-Request-ID`` where that is plain, or makes one; adds those security headers
    that a route has not set; answers HEAD as GET without its body; turns an unexpected exception into a
    problem with status 500; and logs and counts route, status and time.  Neither address, query nor body is logged.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics | None = None) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send, _request_id(scope), is_head=scope["method"] == "HEAD")
        inner: Scope = {**scope, "talkingpoints.request_id": answer.request_id}
        if answer.is_head:
            inner["method"] = "GET"
        started = time.perf_counter()
        fields: dict[str, object] = {}
        try:
            await self.app(inner, receive, answer)
        except Exception as error:
            fields = described(type(error), error.__traceback__)
            if answer.status:  # too late for another answer: the connection is closed
                raise
            detail = "This is a defect of the service; the log has more, under the request id."
            response = problem_response(Request(inner), INTERNAL, detail)
            await response(inner, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(inner.get("route"), "path", "unmatched")
            caller = inner.get(CALLER)
            fields |= {
                "request_id": answer.request_id,
                "method": scope["method"] if scope["method"] in METHODS else "other",
                "route": route,
                "status": answer.status,
                "milliseconds": round(seconds * 1000, 1),
                "caller": caller.actor if caller else "nobody",
            }
            if self.metrics is not None:
                self.metrics.note_request(scope["method"], route, answer.status, seconds)
            level = logging.ERROR if "error" in fields else logging.INFO
            note(_LOG, level, "request", fields)


class _Answer:
    def __init__(self, send: Send, request_id: str, *, is_head: bool) -> None:
        self._send = send
        self.request_id = request_id
        self.is_head = is_head
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = [field for field in message.get("headers", ()) if field[0] != _REQUEST_ID_NAME]
            names = {name.lower() for name, _ in given}
            given += [field for field in _SENT if field[0] not in names]
            given.append((_REQUEST_ID_NAME, self.request_id.encode()))
            message = {**message, "headers": given}
        elif self.is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)


def _request_id(scope: Scope) -> str:
    sent = head_of(scope).get("x-request-id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
