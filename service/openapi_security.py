"""What the OpenAPI document says of keys, and of the answers that any call can get before its route is reached."""

from __future__ import annotations

from typing import Any

from service import problems
from service.problems import Kind, problem_responses

ANY_KEY = "any"
"""The name of the need for a key of whatever scope."""

_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`talkingpoints keys create`). Programs of the same machine need none by default.",
    },
    "keyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own.",
    },
}
_AT_THE_DOOR = (
    problems.UNAUTHORIZED,
    problems.FORBIDDEN,
    problems.MISDIRECTED,
    problems.TOO_MANY_REQUESTS,
    problems.HEAD_TOO_LARGE,
    problems.UNAVAILABLE,
)
_PROBES = (problems.FORBIDDEN, problems.MISDIRECTED, problems.HEAD_TOO_LARGE, problems.UNAVAILABLE)


def add_security(document: dict[str, Any]) -> None:
    """Add the ways to show a key, what each operation needs, and the answers of the door, to ``document``."""
    document["components"]["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            needs = {name for need in operation.get("security", ()) for name in need}
            if needs:
                scopes = sorted(needs - {ANY_KEY})
                operation["security"] = [{"key": scopes}, {"keyHeader": scopes}, {}]
            is_probe = not needs and not path.startswith("/studio/")
            _add(operation, _PROBES if is_probe else _AT_THE_DOOR)
            if "requestBody" in operation:
                _add(operation, (problems.REQUEST_TIMEOUT,))


def _add(operation: dict[str, Any], kinds: tuple[Kind, ...]) -> None:
    for status, response in problem_responses(*kinds).items():
        known = operation["responses"].setdefault(str(status), response)
        if response["description"] not in known["description"]:
            known["description"] += f", or: {response['description']}"
