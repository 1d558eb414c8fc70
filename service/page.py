"""The pages: HTML made on the server, every value escaped by the template engine, and no script at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jinja2

from service.page_texts import excerpt, language_code, language_name, unseen, writable


def make_templates() -> jinja2.Environment:
    """Return the template engine: it escapes everything and refuses a name that is not given."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("service"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "resolved": resolved,
        "percent": percent,
        "day": day,
        "excerpt": excerpt,
        "writable": writable,
        "unseen": unseen,
        "language_code": language_code,
        "language_name": language_name,
    }
    return environment


def percent(share: float) -> str:
    """Return a probability for people; a model's is never shown as certain."""
    return f"{min(99, max(1, round(share * 100)))}%"


def day(moment: str) -> str:
    """Return a time (ISO 8601) as people write a day, in UTC; what is no time comes back as it is."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    found = found.astimezone(UTC) if found.tzinfo else found
    return f"{found.day} {found:%B %Y}"


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Return a schema of an OpenAPI document as JSON text with its references filled in."""
    return json.dumps(_resolved(schema, document), indent=2, ensure_ascii=False)


def _resolved(value: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _resolved(document["components"]["schemas"][value["$ref"].rsplit("/", 1)[1]], document)
        return {key: _resolved(item, document) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, document) for item in value]
    return value


def operations(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations of an OpenAPI document as the API page lists them."""
    return [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
