"""Who may call what: a stand-in that lets programs of this machine do everything, and nobody else."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException

from service.settings import is_loopback

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def require_scope(scope: str) -> Callable[[Request], None]:
    """Return the dependency that refuses a caller without the scope (``predict``, ``admin``, ``studio``)."""

    def check(request: Request) -> None:
        is_local = request.client is not None and is_loopback(request.client.host)
        if not is_local or any(name in request.headers for name in _FORWARDED):
            raise HTTPException(
                401, f"Only programs of this machine may call here ({scope}).", {"WWW-Authenticate": "Bearer"}
            )

    return check
