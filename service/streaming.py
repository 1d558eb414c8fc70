"""Newline-delimited JSON in and out: lines out of chunks, and for every line one line of answer.

One bad line costs its own answer and nothing else.  What is held at a time is one line, or the lines of one
chunk, and the answers to at most :data:`LINES_AT_ONCE` of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from service import predicting, problems
from service.errors import FieldFault, InvalidRequestError
from service.logs import described
from service.problems import Kind, fault_of, n_not_valid, problem_body
from service.schemas import BatchRequest, PredictRequest, PredictResponse
from service.settings import Settings
from service.tagger import Tagger

MEDIA_TYPE = "application/x-ndjson"
LINES_AT_ONCE = 32

_LOG = logging.getLogger("talkingpoints.stream")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the request, counted from 1; ``content`` is None where it was too long to be kept."""

    number: int
    content: bytes | None


class Lines:
    """Cuts chunks into lines.  Blank ones are passed over, and counted; of one that is too long nothing is kept."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._number = 1
        self._dropping = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that ``chunk`` completes."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            yield from self._finish(chunk[start:end])
            start = end + 1
        self._keep(chunk[start:])

    def end(self) -> Iterator[Line]:
        """Yield the last line, where it has no line end."""
        yield from self._finish(b"")

    def _keep(self, part: bytes) -> None:
        if self._dropping or len(self._rest) + len(part) > self._longest:
            self._dropping = True
            self._rest.clear()
        else:
            self._rest += part

    def _finish(self, part: bytes) -> Iterator[Line]:
        self._keep(part)
        number, content, dropped = self._number, bytes(self._rest), self._dropping
        self._number += 1
        self._rest.clear()
        self._dropping = False
        if number == 1:
            content = content.removeprefix(_BOM)
        if dropped:
            yield Line(number, None)
        elif content.strip():
            yield Line(number, content)


@dataclass(slots=True)
class Stream:
    """The answers of one stream: all by one model; ``explain`` and ``tags`` hold for lines that do not say."""

    tagger: Tagger
    settings: Settings
    request_id: str
    explain: bool = False
    tags: tuple[str, ...] | None = None
    n_predicted: int = field(default=0, init=False)
    n_failed: int = field(default=0, init=False)

    def answer(self, lines: Sequence[Line]) -> bytes:
        """Return the lines of answer to some lines, in their order."""
        answers: dict[int, bytes] = {}
        requests: dict[int, PredictRequest] = {}
        for line in lines:
            try:
                requests[line.number] = self._read(line)
            except _LineError as error:
                answers[line.number] = self._problem(line.number, error)
        for number, prediction in self._predictions(requests):
            if isinstance(prediction, PredictResponse):
                content = prediction.model_dump_json().encode()
                answers[number] = b'{"line":%d,"prediction":%s}\n' % (number, content)
            else:
                answers[number] = self._problem(number, prediction)
            self.n_predicted += isinstance(prediction, PredictResponse)
        self.n_failed += len(lines) - len(requests)
        return b"".join(answers[line.number] for line in lines)

    def end(self) -> bytes:
        """Return the last line of the answer, by which a client knows that nothing is missing."""
        counts = {
            "lines": self.n_predicted + self.n_failed,
            "predicted": self.n_predicted,
            "failed": self.n_failed,
            "model_version": self.tagger.version,
            "codebook_version": self.tagger.codebook.version,
        }
        return _dumped({"end": counts})

    def _read(self, line: Line) -> PredictRequest:
        if line.content is None:
            longest = self.settings.max_body_bytes
            raise _LineError(problems.TOO_LARGE, f"The line is longer than {longest} bytes.")
        try:
            request = PredictRequest.model_validate(json.loads(line.content), from_attributes=True)
            predicting.check([request], self.tagger.codebook.tag_ids, self.settings)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            faults = [fault_of({**fault, "loc": ("body", *fault["loc"])}) for fault in found]
            raise _LineError(problems.INVALID_REQUEST, n_not_valid(len(faults)), faults) from error
        except InvalidRequestError as error:
            detail = f"{n_not_valid(len(error.faults))} {error.hint}".strip()
            raise _LineError(problems.INVALID_REQUEST, detail, error.faults) from error
        except UnicodeDecodeError as error:
            raise _LineError(problems.MALFORMED_BODY, "The line is not UTF-8 text.") from error
        except RecursionError as error:
            raise _LineError(problems.MALFORMED_BODY, "The line is nested too deeply.") from error
        except json.JSONDecodeError as error:
            detail = f"The line is not valid JSON at character {error.pos}: {error.msg}."
            raise _LineError(problems.MALFORMED_BODY, detail) from error
        except ValueError as error:
            raise _LineError(problems.MALFORMED_BODY, "The line cannot be read as JSON.") from error
        return request

    def _predictions(
        self, requests: dict[int, PredictRequest]
    ) -> Iterator[tuple[int, PredictResponse | _LineError]]:
        """Yield what is predicted for every request; a defect costs those alone that it is met with."""
        if not requests:
            return
        posts = list(requests.values())
        batch = BatchRequest.model_construct(posts=posts, explain=self.explain, tags=self.tags)
        try:
            yield from zip(requests, predicting.predict_batch(self.tagger, batch), strict=True)
        except Exception as error:
            if len(requests) > 1:
                for number, request in requests.items():
                    yield from self._predictions({number: request})
                return
            fields = described(type(error), error.__traceback__) | {"request_id": self.request_id}
            _LOG.error("a line of a stream failed", extra={"fields": fields})
            detail = "This is a defect of the service; the log has more, under the request id."
            self.n_failed += 1
            yield next(iter(requests)), _LineError(problems.INTERNAL, detail)

    def _problem(self, number: int, error: _LineError) -> bytes:
        problem = problem_body(error.kind, error.detail, self.request_id, error.faults)
        return _dumped({"line": number, "problem": problem})


class _LineError(Exception):
    def __init__(self, kind: Kind, detail: str, faults: Sequence[FieldFault] = ()) -> None:
        super().__init__(kind.slug)
        self.kind = kind
        self.detail = detail
        self.faults = faults


def _dumped(content: dict[str, Any]) -> bytes:
    # ASCII only: whatever came in, the answer can be encoded.
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"
