"""Errors as RFC 9457 problem details; the one table from our errors to HTTP statuses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from annotations.errors import LedgerError, StudioError, TalkingPointsError
from classifiers.errors import BundleError, ModelNotFoundError
from service.errors import (
    ConflictError,
    FieldFault,
    InvalidRequestError,
    ModelRefusedError,
    NotReadyError,
    RequestInProgressError,
    TicketNotFoundError,
)

MEDIA_TYPE = "application/problem+json"

_LOG = logging.getLogger("talkingpoints.problems")
_MAX_FAULTS = 100
_RETRY_SECONDS = 5
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its name in the ``type`` member, its status and its title."""

    slug: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The URI reference that names the kind; it leads to the API page."""
        return f"/docs#problem-{self.slug}"


MALFORMED_BODY = Kind("malformed-body", 400, "The body cannot be read")
UNAUTHORIZED = Kind("unauthorized", 401, "The caller is not known")
FORBIDDEN = Kind("forbidden", 403, "The caller may not do this")
NOT_FOUND = Kind("not-found", 404, "There is nothing at this address")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "The method is not supported here")
CONFLICT = Kind("conflict", 409, "The request contradicts what is stored")
MODEL_REFUSED = Kind("model-refused", 409, "The model cannot be used")
REQUEST_IN_PROGRESS = Kind("request-in-progress", 409, "The same request is under way")
REQUEST_TIMEOUT = Kind("request-timeout", 408, "The request took too long to arrive")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
UNSUPPORTED_MEDIA_TYPE = Kind("unsupported-media-type", 415, "The media type is not supported")
MISDIRECTED = Kind("misdirected", 421, "The request is for another host")
INVALID_REQUEST = Kind("invalid-request", 422, "The request is not valid")
TOO_MANY_REQUESTS = Kind("too-many-requests", 429, "The caller makes too many requests")
HEAD_TOO_LARGE = Kind("head-too-large", 431, "The address and headers are too large")
INTERNAL = Kind("internal", 500, "The service failed")
STUDIO_FAILED = Kind("studio-failed", 502, "Label Studio failed")
NOT_READY = Kind("not-ready", 503, "No model is ready")
UNAVAILABLE = Kind("unavailable", 503, "The service cannot answer now")

KINDS = (
    MALFORMED_BODY,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    CONFLICT,
    MODEL_REFUSED,
    REQUEST_IN_PROGRESS,
    REQUEST_TIMEOUT,
    TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    MISDIRECTED,
    INVALID_REQUEST,
    TOO_MANY_REQUESTS,
    HEAD_TOO_LARGE,
    INTERNAL,
    STUDIO_FAILED,
    NOT_READY,
    UNAVAILABLE,
)

KIND_OF_ERROR: Mapping[type[TalkingPointsError], Kind] = {
    InvalidRequestError: INVALID_REQUEST,
    ConflictError: CONFLICT,
    NotReadyError: NOT_READY,
    ModelNotFoundError: NOT_FOUND,
    TicketNotFoundError: NOT_FOUND,
    ModelRefusedError: MODEL_REFUSED,
    RequestInProgressError: REQUEST_IN_PROGRESS,
    BundleError: UNAVAILABLE,
    LedgerError: UNAVAILABLE,
    StudioError: STUDIO_FAILED,
    TalkingPointsError: INTERNAL,
}

# Only these errors' sentences are about the request; those of others name files and addresses of the server.
_SPEAKS_TO_CLIENT = (
    InvalidRequestError,
    NotReadyError,
    ModelNotFoundError,
    TicketNotFoundError,
    ModelRefusedError,
    RequestInProgressError,
)
_TRIED_AGAIN = frozenset({NOT_READY, UNAVAILABLE, REQUEST_IN_PROGRESS})

# Where pydantic's words are about Python rather than JSON.
_WORDS = {
    "missing": "This is required",
    "extra_forbidden": "There is no such field",
    "model_attributes_type": "This should be an object",
    "model_type": "This should be an object",
    "string_unicode": "This holds half of a surrogate pair, which is no character",
}

_KIND_OF_STATUS = {kind.status: kind for kind in KINDS if kind is not NOT_READY}


class FieldProblem(BaseModel):
    """What is wrong with one value of the request."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    location: str = Field(description="Where the value was sent.", examples=["body"])
    pointer: str = Field(description="JSON Pointer (RFC 6901) to the value.", examples=["/posts/3/text"])
    detail: str = Field(description="What is wrong with it; the value itself is never repeated.")
    code: str = Field(description="A stable name of the fault.", examples=["string_too_short"])


class Problem(BaseModel):
    """An error (RFC 9457, ``application/problem+json``)."""

    type: str = Field(description="Names the kind of problem; leads to its description.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What went wrong this time, and the way out.")
    request_id: str = Field(
        description="The same as the X-Request-ID header; name it when you report a fault."
    )
    errors: list[FieldProblem] = Field(default=[], description="The values at fault (status 422).")


def problem_responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI ``responses`` of a route that can answer with these problems."""
    schema = {"$ref": "#/components/schemas/Problem"}
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    return {
        status: {"description": ", or: ".join(words), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, words in titles.items()
    }


def problem_body(
    kind: Kind, detail: str, request_id: str, faults: Sequence[FieldFault] = ()
) -> dict[str, Any]:
    """Return a problem ready for JSON."""
    body: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "request_id": request_id,
    }
    if faults:
        body["errors"] = [
            {"location": fault.location, "pointer": fault.pointer, "detail": fault.detail, "code": fault.code}
            for fault in faults[:_MAX_FAULTS]
        ]
    return body


def problem_response(
    request: Request,
    kind: Kind,
    detail: str,
    *,
    faults: Sequence[FieldFault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer to a request that failed."""
    body = problem_body(kind, detail, request.scope.get("talkingpoints.request_id", ""), faults)
    sent = dict(headers or {})
    if kind in _TRIED_AGAIN:
        sent.setdefault("Retry-After", str(_RETRY_SECONDS))
    # ASCII only: whatever came in, the answer can be encoded.
    return Response(json.dumps(body), kind.status, sent, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error as a problem."""
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(TalkingPointsError, _on_ours)


def kind_of(error: TalkingPointsError) -> Kind:
    """Return what an error of ours is answered with: the kind of its nearest class in the table."""
    return next(KIND_OF_ERROR[cls] for cls in type(error).__mro__ if cls in KIND_OF_ERROR)


async def _on_ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, TalkingPointsError):
        raise error
    kind = kind_of(error)
    faults = error.faults if isinstance(error, InvalidRequestError) else ()
    if isinstance(error, _SPEAKS_TO_CLIENT):
        return problem_response(request, kind, _sentence(f"{error.problem}. {error.hint}"), faults=faults)
    _LOG.error(kind.title, exc_info=error, extra={"fields": {"reason": str(error)}})
    return problem_response(request, kind, "The reason is in the service's log, under the request id.")


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    kind = _KIND_OF_STATUS.get(status) or Kind("other", status, HTTPStatus(status).phrase)
    detail = error.detail if isinstance(error.detail, str) else kind.title
    if status == HTTPStatus.BAD_REQUEST and error.__cause__ is not None:  # FastAPI could not read the body
        detail = _unreadable(error.__cause__)
    if status == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "Look at /openapi.json for the addresses there are."
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = _with_head(headers["Allow"])
        detail = f"Use one of: {headers['Allow']}."
    return problem_response(request, kind, detail, headers=headers)


def _unreadable(cause: BaseException | None) -> str:
    if isinstance(cause, UnicodeDecodeError):
        return "The body is not UTF-8 text."
    if isinstance(cause, RecursionError):
        return "The body is nested too deeply."
    return "The body cannot be read as JSON."


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    for fault in found:
        if fault["type"] == "json_invalid":
            reason = fault.get("ctx", {}).get("error", "")
            return problem_response(
                request,
                MALFORMED_BODY,
                f"The body is not valid JSON at character {fault['loc'][-1]}: {reason}.",
            )
    return problem_response(
        request, INVALID_REQUEST, n_not_valid(len(found)), faults=[fault_of(fault) for fault in found]
    )


def n_not_valid(number: int) -> str:
    """Return the sentence on how many values are not valid."""
    return f"{number} {'value is' if number == 1 else 'values are'} not valid."


def fault_of(fault: Mapping[str, Any]) -> FieldFault:
    """Return what pydantic says of a value as ours; its ``loc`` begins with where the value was sent."""
    location, *path = fault["loc"] or ("body",)
    steps = [str(step) for step in path]
    # The name of an unknown field is whatever the client wrote there: shown only if it looks like one.
    shown = [step if _PLAIN_NAME.fullmatch(step) else "(unnamed)" for step in steps]
    detail = _WORDS.get(fault["type"], fault["msg"])
    return FieldFault(str(location), "".join(f"/{step}" for step in shown), detail, fault["type"])


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:]


def _with_head(allow: str) -> str:
    methods = {method.strip() for method in allow.split(",")}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
