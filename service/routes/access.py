"""Which scope a call needs: a dependency of its route, which is also how the OpenAPI document knows it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException

from service.guard import ASSETS, AUDITED, BEARER, CALLER
from service.keys import SCOPES, Caller
from service.openapi_security import ANY_KEY

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class RequiredScope(SecurityBase):
    """Refuses callers without a scope; see :func:`require_scope`. An empty scope asks for any key."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.model = HTTPBearer()
        self.scheme_name = scope or ANY_KEY

    async def __call__(self, request: Request) -> Caller:
        """Return the caller, or answer 401 or 403."""
        caller: Caller | None = request.scope.get(CALLER)
        if caller is None:
            raise HTTPException(
                401, "Send an API key: Authorization: Bearer tp_...", {"WWW-Authenticate": BEARER}
            )
        if self.scope == "admin" and request.scope["method"] not in _SAFE_METHODS:
            request.scope[AUDITED] = True
        if self.scope and self.scope not in caller.scopes:
            challenge = f'{BEARER}, error="insufficient_scope", scope="{self.scope}"'
            detail = f"The key '{caller.name}' lacks the scope {self.scope}."
            raise HTTPException(403, detail, {"WWW-Authenticate": challenge})
        return caller


def require_scope(scope: str) -> Callable:  # type: ignore[type-arg]  # its result depends on who is asked
    """Return the dependency that lets in callers with a scope: ``predict``, ``admin`` or ``studio``.

    What is done with ``admin`` by an unsafe method is recorded (``talkingpoints audit``), also when it is refused.
    """
    if scope not in SCOPES:
        raise ValueError(scope)
    return RequiredScope(scope)


require_key = RequiredScope("")
"""The dependency that lets in every known caller."""


async def require_page(request: Request) -> None:
    """Let known callers see the pages, those with the scope predict also posts in them, and anybody have styles."""
    if request.url.path.startswith(ASSETS):
        return
    path = request.url.path
    has_posts = path in ("/", "/report") or path.startswith("/report/")
    needs = "predict" if has_posts or request.scope["method"] not in _SAFE_METHODS else ""
    await RequiredScope(needs)(request)
