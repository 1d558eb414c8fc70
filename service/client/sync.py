"""The client for ordinary code."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from service.client import calls
from service.client.calls import Call, PostLike
from service.client.conversation import Outcome, Send, Step, conversation
from service.client.http import http_options, request_options
from service.client.options import ClientOptions
from service.client.streaming import Parts, StreamItem, StreamState
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


class Client:
    """Calls a service; use it as a context manager, or close it.  Threads may share it.

    Every call raises :class:`ProblemError` where the service refuses or fails, and :class:`NoAnswerError` where it
    does not answer.

    Parameters
    ----------
    address
        The service's, like ``http://127.0.0.1:8000``.
    key
        The API key, where the service wants one.
    options
        How patiently to call; its ``key`` gives way to the one named here.
    transport, sleep
        For tests.
    """

    def __init__(
        self,
        address: str,
        key: str | None = None,
        options: ClientOptions | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options or ClientOptions()
        self._http = httpx.Client(transport=transport, **http_options(address, key, self._options))
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def predict(
        self,
        text: str,
        *,
        id: str | None = None,
        explain: bool = False,
        tags: Sequence[str] | None = None,
    ) -> PredictResponse:
        """Tag one post."""
        return self._call(calls.predict(calls.one_post(text, id, explain, tags)))

    def predict_batch(
        self,
        posts: Sequence[str | PostLike],
        *,
        explain: bool | None = None,
        tags: Sequence[str] | None = None,
    ) -> BatchResponse:
        """Tag up to 1,000 posts by one model; one bad post refuses all."""
        return self._call(calls.predict_batch(posts, {"explain": explain, "tags": tags}))

    def stream(
        self,
        posts: Iterable[str | PostLike],
        *,
        explain: bool = False,
        tags: Sequence[str] | None = None,
    ) -> Iterator[StreamItem]:
        """Tag any number of posts by one model, in order, as they come; a bad post is an item with its problem.

        Raises
        ------
        StreamError
            The model was changed meanwhile, or an answer was cut off.
        """
        state = StreamState(self._options, explain, tags)
        for part in Parts().of(posts):
            yield from self._drive(state.send(part))

    def similar(self, text: str, *, n: int = 10, tags: Sequence[str] | None = None) -> SimilarResponse:
        """Return posts that people have tagged and that are like the text."""
        return self._call(calls.similar(text, n, tags))

    def codebook(self) -> CodebookResponse:
        """Return the codebook of the model in use."""
        return self._call(calls.codebook())

    def models(self) -> ModelsResponse:
        """List the models there are."""
        return self._call(calls.models())

    def model(self, version: str) -> ModelDetail:
        """Return what is known of a model."""
        return self._call(calls.model(version))

    def ready(self) -> Readiness:
        """Return the version that answers; a problem of status 503 where there is none."""
        return self._call(calls.ready())

    def activate(self, version: str, *, idempotency_key: str | None = None) -> ModelChanged:
        """Activate a model. Without a key of yours, one is made: a retry is not carried out twice."""
        return self._call(calls.activate(version, idempotency_key))

    def rollback(self, *, idempotency_key: str | None = None) -> ModelChanged:
        """Go back to the model that was active before."""
        return self._call(calls.rollback(idempotency_key))

    def queue(
        self,
        posts: Sequence[Mapping[str, Any]] = (),
        *,
        post_ids: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> QueueResponse:
        """Have posts annotated: new ones (``text``, ``channel``, ``message_id``, ``date``), or the ledger's by id."""
        return self._call(calls.queue(posts, post_ids, idempotency_key))

    def queued(self, ticket: str) -> QueueResponse:
        """Return what has become of queued posts."""
        return self._call(calls.queued(ticket))

    def _call(self, call: Call[T]) -> T:
        return self._drive(conversation(call, self._options))

    def _drive(self, talk: Generator[Step, Outcome, T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = talk.send(outcome)
            except StopIteration as end:
                found: T = end.value
                return found
            if isinstance(step, Send):
                try:
                    outcome = self._http.request(**request_options(step.call))
                except httpx.TransportError as error:
                    outcome = error
            else:
                self._sleep(step.seconds)
                outcome = None
