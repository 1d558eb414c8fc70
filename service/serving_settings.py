"""The settings of who may call the service, how much at a time, and how it starts and stops."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

MIB = 1024 * 1024

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class ServingSettings(BaseSettings):
    """A part of :class:`service.settings.Settings`."""

    require_keys: Literal["auto", "yes"] = Field(
        default="auto",
        description="Whether programs of this machine need an API key too (`yes`), or only callers from elsewhere "
        "and through a proxy (`auto`).",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names by which the service is called, separated by commas, like `tags.example.org`: a "
        "request with another `Host` is refused. The loopback names, `host` and that of `studio_backend_url` are "
        "always among them.",
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="How many processes serve; each holds a model of its own."
    )
    max_body_bytes: Positive = Field(
        default=2 * MIB, description="Largest request body in bytes, for every call but the batch."
    )
    max_batch_body_bytes: Positive = Field(
        default=16 * MIB, description="Largest request body in bytes of `POST /v1/predict/batch`."
    )
    max_text_length: Positive = Field(
        default=100_000, description="Longest text of a post, in code points (characters of Unicode)."
    )
    max_batch_posts: Positive = Field(default=1_000, description="Most posts in one batch.")
    max_json_depth: int = Field(
        default=64, ge=4, le=500, description="How deep objects and lists of a JSON body may be nested."
    )
    max_header_bytes: int = Field(
        default=64 * 1024,
        ge=1024,
        le=MIB,
        description="Largest head of a request (its address and headers) in bytes.",
    )
    max_concurrent_requests: Positive = Field(
        default=100,
        description="Most requests that a worker answers at once; one more gets 503 with `Retry-After`.",
    )
    rate_per_second: float = Field(
        default=50.0,
        ge=0,
        allow_inf_nan=False,
        description="How many requests a second a key may make of each worker, and an address without a key; "
        "0 means any number. Programs of this machine that need no key are not counted.",
    )
    rate_burst: Positive = Field(
        default=100, description="How many requests may come at once before `rate_per_second` counts."
    )
    header_seconds: Seconds = Field(
        default=10.0,
        description="How long the head of a request may take to arrive.",
    )
    body_seconds: Seconds = Field(
        default=30.0,
        description="How long the body of a request may take to arrive; of a stream, the next piece of it.",
    )
    keep_alive_seconds: int = Field(
        default=75,
        ge=1,
        le=3600,
        description="How long a connection is kept for the next request. It should be longer than clients and proxies "
        "keep theirs: else one may be closed just as it is used again.",
    )
    drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=600,
        allow_inf_nan=False,
        description="How long after SIGTERM the service still takes requests while `/readyz` already answers 503, so "
        "that a load balancer can turn away from it.",
    )
    shutdown_seconds: int = Field(
        default=30, ge=1, le=3600, description="How long requests in flight may take to finish after that."
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, value: str) -> str:
        for name in value.split(","):
            if any(mark in name.strip() for mark in "/*@ ") or "://" in name:
                raise ValueError("must be names without scheme, path or wildcard, separated by commas")
        return value
