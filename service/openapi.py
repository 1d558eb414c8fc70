"""The OpenAPI document: FastAPI's, with our problems, limits and headers in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.openapi_security import add_security
from service.problems import Problem
from service.settings import Settings

REF = "#/components/schemas/{model}"

_REQUEST_ID = {
    "description": "Names the exchange in the service's log.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
}
_RETRY_AFTER = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}
_CHALLENGE = {"description": "How to show who calls.", "schema": {"type": "string"}}
_ETAG = {"description": "Names this state of the codebook.", "schema": {"type": "string"}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the codebook you have.",
    "schema": {"type": "string"},
}


def build_document(app: FastAPI, settings: Settings, tag_ids: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI document of ``app``, with the limits in force and the tags there are."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=REF)
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    schemas["PredictRequest"]["properties"]["text"]["maxLength"] = settings.max_text_length
    schemas["BatchRequest"]["properties"]["posts"]["maxItems"] = settings.max_batch_posts
    for name in ("PredictRequest", "BatchRequest"):
        _limit_tags(schemas[name], tag_ids)
    add_security(document)
    for operations in document["paths"].values():
        for operation in operations.values():
            _add_headers(operation["responses"])
    codebook = document["paths"]["/v1/codebook"]["get"]
    codebook["parameters"] = [_IF_NONE_MATCH]
    for status in ("200", "304"):
        codebook["responses"][status]["headers"]["ETag"] = _ETAG
    return document


def _limit_tags(schema: dict[str, Any], tag_ids: Sequence[str]) -> None:
    for choice in schema["properties"]["tags"]["anyOf"]:
        if tag_ids and choice["type"] == "array":
            choice["items"]["enum"] = list(tag_ids)


def _add_headers(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        headers = response.setdefault("headers", {})
        headers["X-Request-ID"] = _REQUEST_ID
        if status in ("429", "503"):
            headers["Retry-After"] = _RETRY_AFTER
        if status == "401":
            headers["WWW-Authenticate"] = _CHALLENGE
