"""What both clients tell httpx."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import httpx

from service.client.calls import Call
from service.client.options import ClientOptions


def http_options(address: str, key: str | None, options: ClientOptions) -> dict[str, Any]:
    """Return the options of an httpx client.

    Raises
    ------
    ValueError
        The address is none of the web, or holds a password.
    """
    url = httpx.URL(address)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ValueError("the address must be like https://tags.example.org, without a password")
    headers = {"Accept": "application/json, application/x-ndjson", "User-Agent": _agent()}
    if shown := key or options.key:
        headers["Authorization"] = f"Bearer {shown}"
    # No redirects: the key goes to the address named, and to no other.
    return {
        "base_url": url,
        "headers": headers,
        "timeout": options.timeout,
        "follow_redirects": False,
    }


def request_options(call: Call[Any]) -> dict[str, Any]:
    """Return the options of a request."""
    found: dict[str, Any] = {
        "method": call.method,
        "url": call.path,
        "params": call.params or None,
        "headers": call.headers,
    }
    if call.content is not None:
        found["content"] = call.content
    elif call.json is not None:
        found["json"] = call.json
    return found


def _agent() -> str:
    return f"talking-points/{version('talking-points')}"
