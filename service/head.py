"""The header fields of a request, read once for all that look at them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

_FIELDS = "talkingpoints.head"


def head_of(scope: Scope) -> Mapping[str, str]:
    """Return the fields by their names in lower case; of one that is sent twice the first counts."""
    found: Mapping[str, str] | None = scope.get(_FIELDS)
    if found is None:
        found = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in reversed(scope["headers"])
        }
        scope[_FIELDS] = found
    return found
