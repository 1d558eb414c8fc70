"""A client of the HTTP API: :class:`Client`, and :class:`AsyncClient` for asyncio.

from service.client import Client

with Client("http://127.0.0.1:8000") as client:
    answer = client.predict("A multipolar world is taking shape.")
"""

from __future__ import annotations

from service.client.aio import AsyncClient
from service.client.calls import PostLike
from service.client.errors import ClientError, NoAnswerError, ProblemError, StreamError
from service.client.options import ClientOptions
from service.client.streaming import StreamItem
from service.client.sync import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ClientOptions",
    "NoAnswerError",
    "PostLike",
    "ProblemError",
    "StreamError",
    "StreamItem",
]
