"""Whether a request is meant for this service, and whether a page of another site sent it.

A web page can make the browser of somebody on this machine call a loopback service.  It cannot read the answer,
unless its name is made to lead to 127.0.0.1 (DNS rebinding): therefore the ``Host`` must be one of ours.  Nor may it
change anything: an unsafe method from another site is refused.  There is no CORS.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from service.settings import Settings, is_loopback

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


class Origins:
    """Knows the names of this service."""

    def __init__(self, settings: Settings) -> None:
        names = {name.strip().lower() for name in settings.allowed_hosts.split(",")} | {settings.host.lower()}
        if settings.studio_backend_url:
            names.add((urlsplit(settings.studio_backend_url).hostname or "").lower())
        self._names = frozenset(names) - {"", "0.0.0.0", "::"}  # noqa: S104 - these name no host
        self._is_ours = lru_cache(maxsize=256)(self._decide)

    def is_ours(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Tell whether the ``Host`` is a name of ours; a client without one is no browser."""
        host = headers.get("host")
        return host is None or self._is_ours(host, server_address(scope))

    def _decide(self, host: str, server: str) -> bool:
        name = _name(host)
        if name in self._names:
            return True
        if is_loopback(name):
            return is_loopback(server)
        try:
            # An address that is spelt out cannot be made to lead elsewhere.
            return ipaddress.ip_address(name) == ipaddress.ip_address(server)
        except ValueError:
            return False


@lru_cache(maxsize=256)
def _name(host: str) -> str:
    """Return the name in a ``Host`` header; empty where it is none."""
    found = _AUTHORITY.fullmatch(host)
    return found[1].strip("[]").lower().rstrip(".") if found else ""


def is_cross_site(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Tell whether a page of another site would change something here.

    A page of ours is known by ``Sec-Fetch-Site``; browsers that do not send it (to plain http on other machines)
    send ``Origin``.  What is no browser sends neither.
    """
    if scope["method"] in _SAFE_METHODS:
        return False
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    except ValueError:
        return True


def server_address(scope: Scope) -> str:
    """Return the address of our end of the connection, whatever the settings say; empty where there is none."""
    server = scope.get("server")
    return str(server[0]) if server and server[0] else ""


def client_address(scope: Scope) -> str:
    """Return the address of the other end; empty where there is none."""
    client = scope.get("client")
    return str(client[0]) if client and client[0] else ""


def is_local(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Tell whether a program of this machine calls, and not a proxy for somebody else.

    A proxy is known by the headers it adds, or by the name it passes on. One that adds none and passes on no name
    cannot be told from a program of this machine: for that there is the setting `require_keys`.
    """
    if any(name in headers for name in _FORWARDED) or not is_loopback(
        _name(headers.get("host", "localhost"))
    ):
        return False
    return is_loopback(server_address(scope)) and is_loopback(client_address(scope))
