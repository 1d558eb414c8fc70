"""The OpenAPI document: FastAPI's, with our problems, limits and headers in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from service.idempotency import HEADER, KEY_PATTERN, REPLAYED
from service.openapi_security import add_security
from service.problems import Problem
from service.routes.stream import STREAM_PATH
from service.settings import Settings
from service.stream_schemas import StreamLine

REF = "#/components/schemas/{model}"

_REQUEST_ID = {
    "description": "Names the exchange in the service's log.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
}
_RETRY_AFTER = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "string", "pattern": "^[0-9]+$"},
}
_ETAG = {"description": "Names this state of the answer.", "schema": {"type": "string"}}
_CHALLENGE = {"description": "How to say who is calling.", "schema": {"type": "string"}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer you have.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Names this write, for 24 hours: sent again, it is not carried out again, but answered the same. "
    "Another request with the key is refused (409), and the same one while the first is under way.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
_REPLAYED = {
    "description": "`true` where this is the answer to an earlier request with the same key.",
    "schema": {"type": "string", "enum": ["true"]},
}
_WRITES = frozenset({"activateModel", "rollbackModel", "queuePosts"})
_LINKS = {
    "queuePosts": {
        "getQueued": {
            "operationId": "getQueued",
            "parameters": {"ticket": "$response.body#/ticket"},
            "description": "What has become of the posts.",
        }
    },
    "listModels": {
        name: {
            "operationId": name,
            "parameters": {"version": "$response.body#/models/0/version"},
            "description": description,
        }
        for name, description in (("getModel", "What is known of it."), ("activateModel", "Let it answer."))
    },
}


@dataclass(frozen=True, slots=True)
class KnownTags:
    """The ids of tags that may be asked for: those of the model in use, and those of the codebook in use."""

    of_model: tuple[str, ...] = ()
    of_codebook: tuple[str, ...] = ()


def build_document(app: FastAPI, settings: Settings, tags: KnownTags) -> dict[str, Any]:
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
    _describe_lines(document["paths"][STREAM_PATH]["post"], schemas)
    for name in ("PredictRequest", "SimilarRequest", "NewPost"):
        schemas[name]["properties"]["text"]["maxLength"] = settings.max_text_length
    for name, field in (("BatchRequest", "posts"), ("QueueRequest", "posts"), ("QueueRequest", "post_ids")):
        schemas[name]["properties"][field]["maxItems"] = settings.max_batch_posts
    for name in ("PredictRequest", "BatchRequest"):
        _limit_tags(schemas[name]["properties"]["tags"], tags.of_model)
    _limit_tags(schemas["SimilarRequest"]["properties"]["tags"], tags.of_codebook)
    add_security(document)
    for operations in document["paths"].values():
        for operation in operations.values():
            _describe(operation)
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "tags":
                    _limit_tags(parameter["schema"], tags.of_model)
    return document


def _describe_lines(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say what the lines are; OpenAPI 3.1 has no word for it (3.2 has ``itemSchema``)."""
    line = TypeAdapter(StreamLine).json_schema(ref_template=REF, mode="serialization")
    for name, schema in line.pop("$defs").items():
        schemas.setdefault(name, schema)
    schemas["StreamLine"] = line
    sent, answered = operation["requestBody"]["content"], operation["responses"]["200"]["content"]
    for content, name in ((sent, "PredictRequest"), (answered, "StreamLine")):
        for described in content.values():
            described["x-itemSchema"] = {"$ref": REF.format(model=name)}


def _describe(operation: dict[str, Any]) -> None:
    """Add the headers of requests and answers."""
    responses = operation["responses"]
    parameters = list(operation.get("parameters", []))
    is_write = operation["operationId"] in _WRITES
    if "304" in responses:
        parameters.append(_IF_NONE_MATCH)
    if is_write:
        parameters.append(_IDEMPOTENCY_KEY)
    if parameters:
        operation["parameters"] = parameters
    for status, response in responses.items():
        headers = response.setdefault("headers", {})
        headers["X-Request-ID"] = _REQUEST_ID
        if status in ("429", "503") or (status == "409" and is_write):
            headers["Retry-After"] = _RETRY_AFTER
        if status == "401":
            headers["WWW-Authenticate"] = _CHALLENGE
        if status < "300" and operation["operationId"] in _LINKS:
            response["links"] = _LINKS[operation["operationId"]]
        if "304" in responses and status in ("200", "304"):
            headers["ETag"] = _ETAG
        if is_write and status < "300":
            headers[REPLAYED] = _REPLAYED


def _limit_tags(schema: dict[str, Any], tag_ids: Sequence[str]) -> None:
    for choice in schema["anyOf"]:
        if tag_ids and choice["type"] == "array":
            choice["items"]["enum"] = list(tag_ids)
