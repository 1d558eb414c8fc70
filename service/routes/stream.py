"""``POST /v1/predict/stream``: posts as lines of JSON in, predictions as lines of JSON out, while both go on.

Little is read ahead: while a client does not take its answers, its posts wait on its side.  A client that
leaves ends the work on what it sent, at the latest after what had been read of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import predicting, problems
from service.problems import problem_responses
from service.routes.access import require_scope
from service.routes.dependencies import SettingsGiven, TaggerGiven, require_plain
from service.schemas import MAX_TAGS, Text
from service.stream_schemas import STREAM_LINES, STREAM_POSTS
from service.streaming import LINES_AT_ONCE, MEDIA_TYPE, Line, Lines, Stream

STREAM_PATH = "/v1/predict/stream"

# So many are read ahead (of some 64 KB each): that a client has left is seen only by reading on.
_CHUNKS_AHEAD = 4
_MEDIA_TYPES = frozenset(
    {
        MEDIA_TYPE,
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
    }
)


async def require_lines(request: Request) -> None:
    """Refuse a body that is not said to be lines of JSON, or is compressed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _MEDIA_TYPES:
        detail = f"Send lines of JSON, with the header Content-Type: {MEDIA_TYPE}."
        raise HTTPException(415, detail, {"Accept": MEDIA_TYPE})
    await require_plain(request)


router = APIRouter(tags=["predict"], dependencies=[Depends(require_scope("predict"))])


@router.post(
    STREAM_PATH,
    operation_id="predictStream",
    summary="Tag any number of posts",
    response_class=Response,
    dependencies=[Depends(require_lines)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {MEDIA_TYPE: {"schema": {"description": "Lines of JSON."}, "example": STREAM_POSTS}},
        }
    },
    responses={
        200: {
            "description": "A line for every post, and a last one",
            "content": {MEDIA_TYPE: {"schema": {"description": "Lines of JSON."}, "example": STREAM_LINES}},
        },
        **problem_responses(
            problems.MALFORMED_BODY,
            problems.UNAUTHORIZED,
            problems.TOO_LARGE,
            problems.UNSUPPORTED_MEDIA_TYPE,
            problems.INVALID_REQUEST,
            problems.INTERNAL,
            problems.NOT_READY,
        ),
    },
)
async def predict_stream(
    request: Request,
    tagger: TaggerGiven,
    settings: SettingsGiven,
    explain: Annotated[bool, Query(description="Whether to give evidence for every post.")] = False,
    tags: Annotated[
        list[Text] | None, Query(max_length=MAX_TAGS, description="Ids of the tags wanted of every post.")
    ] = None,
) -> Response:
    """Tag posts while they come: a line each in, a line each out, in order, all by one model version.

    A line of the body is a post as `/v1/predict` takes it; blank lines are passed over. A line of the answer is
    `{"line": number, "prediction": {...}}`, or `{"line": number, "problem": {...}}` where that post is refused;
    the stream goes on. The last line is `{"end": {...}}` with the counts: without it, the answer is cut off.
    Read the answer while you send: what you do not take is not read on.
    """
    predicting.check_tags(tags, tagger.codebook.tag_ids, "query")
    request_id = request.scope.get("talkingpoints.request_id", "")
    wanted = tuple(tags) if tags else None
    waits = "expect" in request.headers
    return LineAnswer(Stream(tagger, settings, request_id, explain, wanted), waits=waits)


class LineAnswer(Response):
    """Sends the answers of a stream while its lines are being received.

    ``waits``: the client sends its body only when it is asked to, which an answer to its head would not do.
    """

    def __init__(self, stream: Stream, *, waits: bool = False) -> None:
        super().__init__(media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream = stream
        self._waits = waits

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the last line, or until the client leaves."""
        chunks_in, chunks_out = anyio.create_memory_object_stream[bytes](_CHUNKS_AHEAD)
        head = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async with chunks_out, anyio.create_task_group() as group:
            group.start_soon(_receive, receive, chunks_in, group.cancel_scope)
            if not self._waits:
                await send(head)
            await self._answer(chunks_out, send, head if self._waits else None)
            group.cancel_scope.cancel()

    async def _answer(
        self, chunks: ObjectReceiveStream[bytes], send: Send, head: dict[str, object] | None
    ) -> None:
        lines = Lines(self._stream.settings.max_body_bytes)
        async for chunk in chunks:
            if head is not None:
                await send(head)
                head = None
            await self._answer_lines(lines.feed(chunk), send)
        await self._answer_lines(lines.end(), send)
        await send({"type": "http.response.body", "body": self._stream.end()})

    async def _answer_lines(self, lines: Iterator[Line], send: Send) -> None:
        while some := _some(lines):
            body = await run_in_threadpool(self._stream.answer, some)
            await send({"type": "http.response.body", "body": body, "more_body": True})


def _some(lines: Iterator[Line]) -> Sequence[Line]:
    return list(islice(lines, LINES_AT_ONCE))


async def _receive(receive: Receive, chunks: ObjectSendStream[bytes], scope: anyio.CancelScope) -> None:
    """Hand on the body a chunk at a time; afterwards only look whether the client is still there."""
    async with chunks:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                scope.cancel()
                return
            await chunks.send(message.get("body", b""))
            if not message.get("more_body", False):
                break
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
