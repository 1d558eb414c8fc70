"""What schemathesis is told about this API: how lines of JSON are sent, and what every answer must have.

It is loaded by schemathesis itself (``SCHEMATHESIS_HOOKS``).
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from pydantic import TypeAdapter

from service.stream_schemas import EndLine, StreamLine

_LINE: TypeAdapter[StreamLine] = TypeAdapter(StreamLine)
_LINES = "application/x-ndjson"


@schemathesis.serializer(_LINES)
def lines(_context: Any, value: Any) -> bytes:
    """Send a text as it is: the lines of it are what the service makes of it."""
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "replace") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.deserializer(_LINES)
def lines_of(_context: Any, response: Any) -> Any:
    """Read an answer in lines; what they must be is checked below."""
    return [json.loads(line) for line in response.content.splitlines()]


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Make posts of the words of a text, as a stream should have them."""
    if context.operation.label == "POST /v1/predict/stream" and isinstance(body, str) and len(body) % 2:
        return "\n".join(json.dumps({"text": word}) for word in body.split())
    return body


@schemathesis.check
def every_answer_is_ours(_context: Any, response: Any, _case: Any) -> None:
    """Each answer bears a request id and the headers of security; each error is a problem that names the same id."""
    headers = {name.lower(): values for name, values in response.headers.items()}
    (request_id,) = headers["x-request-id"]
    assert headers["x-content-type-options"] == ["nosniff"]
    if response.status_code >= 400:
        assert headers["content-type"] == ["application/problem+json"]
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["request_id"] == request_id
        if response.status_code == 503:
            assert headers["retry-after"]
    elif headers.get("content-type") == [_LINES]:
        found = [_LINE.validate_json(line) for line in response.content.splitlines()]
        *answers, end = found
        assert isinstance(end, EndLine)
        assert end.end.lines == len(answers)
        assert not any(isinstance(each, EndLine) for each in answers)
