"""The calls there are: what is sent for each, and how its answer is read.  Shared by both clients."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from service.queue_schemas import QueueResponse
from service.schemas import (
    BatchResponse,
    CodebookResponse,
    ModelChanged,
    ModelDetail,
    ModelsResponse,
    PredictResponse,
    Readiness,
)
from service.similar_schemas import SimilarResponse

T = TypeVar("T")
_Answer = TypeVar("_Answer", bound=BaseModel)


class PostLike(TypedDict, total=False):
    """A post as the calls take it; only ``text`` must be there."""

    text: str
    id: str
    date: datetime | str
    explain: bool
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call: what is sent, and how the answer is read.  Any may be sent again: writes bear a key against that."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    json: Any = None
    content: bytes | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def post_of(post: str | PostLike) -> dict[str, Any]:
    """Return a post, or its text alone, as it is sent."""
    found: dict[str, Any] = {"text": post} if isinstance(post, str) else dict(post)
    if isinstance(date := found.get("date"), datetime):
        found["date"] = date.isoformat()
    if not isinstance(tags := found.get("tags", []), list):
        found["tags"] = list(tags)
    return found


def one_post(text: str, name: str | None, explain: bool, tags: Sequence[str] | None) -> PostLike:
    """Return a post of which everything is named."""
    found: PostLike = {"text": text}
    if name is not None:
        found["id"] = name
    if explain:
        found["explain"] = True
    if tags is not None:
        found["tags"] = tags
    return found


def predict(post: str | PostLike) -> Call[PredictResponse]:
    """Return the call that tags a post."""
    return Call("POST", "/v1/predict", _as(PredictResponse), json=post_of(post))


def predict_batch(posts: Sequence[str | PostLike], shared: Mapping[str, Any]) -> Call[BatchResponse]:
    """Return the call that tags posts; ``shared`` holds for those that do not say."""
    body = {"posts": [post_of(post) for post in posts], **_given(shared)}
    return Call("POST", "/v1/predict/batch", _as(BatchResponse), json=body)


def similar(text: str, n: int, tags: Sequence[str] | None) -> Call[SimilarResponse]:
    """Return the call for tagged posts like a text."""
    body = _given({"text": text, "n": n, "tags": tags})
    return Call("POST", "/v1/similar", _as(SimilarResponse), json=body)


def codebook() -> Call[CodebookResponse]:
    """Return the call for the codebook."""
    return Call("GET", "/v1/codebook", _as(CodebookResponse))


def models() -> Call[ModelsResponse]:
    """Return the call for the list of models."""
    return Call("GET", "/v1/models", _as(ModelsResponse))


def model(version: str) -> Call[ModelDetail]:
    """Return the call for one model."""
    return Call("GET", f"/v1/models/{quote(version, safe='')}", _as(ModelDetail))


def ready() -> Call[Readiness]:
    """Return the call that asks whether the service is ready."""
    return Call("GET", "/readyz", _as(Readiness))


def activate(version: str, key: str | None) -> Call[ModelChanged]:
    """Return the call that activates a model."""
    return _write(f"/v1/models/{quote(version, safe='')}/activate", ModelChanged, key)


def rollback(key: str | None) -> Call[ModelChanged]:
    """Return the call that goes back to the model before."""
    return _write("/v1/models/rollback", ModelChanged, key)


def queue(
    posts: Sequence[Mapping[str, Any]], post_ids: Sequence[str], key: str | None
) -> Call[QueueResponse]:
    """Return the call that has posts annotated."""
    body: dict[str, Any] = {}
    if posts:
        body["posts"] = [post_of(dict(post)) for post in posts]  # type: ignore[arg-type]
    if post_ids:
        body["post_ids"] = list(post_ids)
    return _write("/v1/queue", QueueResponse, key, body)


def queued(ticket: str) -> Call[QueueResponse]:
    """Return the call that asks what has become of queued posts."""
    return Call("GET", f"/v1/queue/{quote(ticket, safe='')}", _as(QueueResponse))


def _write(path: str, kind: type[_Answer], key: str | None, body: Any = None) -> Call[_Answer]:
    # With a key of its own, a write can be sent again without being carried out again.
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return Call("POST", path, _as(kind), json=body, headers=headers)


def _as(kind: type[_Answer]) -> Callable[[httpx.Response], _Answer]:
    return lambda answer: kind.model_validate_json(answer.content)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
