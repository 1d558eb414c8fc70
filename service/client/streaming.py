"""Any number of posts, as an iterator: sent in parts, each a stream of its own to the service.

httpx sends the whole of a body before it reads an answer, and the service reads no further than its answers are
taken; a part is so small that it fits into what lies between the two.  A part that found no answer is
sent again, so that a long stream survives a restart of the service.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.client.calls import Call, PostLike, post_of
from service.client.conversation import Outcome, Step, conversation
from service.client.errors import StreamError
from service.client.options import ClientOptions
from service.problems import Problem
from service.schemas import PredictResponse

_PART_BYTES = 48 * 1024
_PART_LINES = 500


@dataclass(frozen=True, slots=True)
class StreamItem:
    """What became of one post: ``number`` counts from 0, and either ``prediction`` or ``problem`` is there."""

    number: int
    prediction: PredictResponse | None
    problem: Problem | None


@dataclass(slots=True)
class Parts:
    """Gathers posts into parts; ``add`` returns a part when it is full."""

    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, post: str | PostLike) -> list[bytes] | None:
        """Take a post, and return the part before it where that is full."""
        line = json.dumps(post_of(post), ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        full = None
        if self._lines and (self._size + len(line) > _PART_BYTES or len(self._lines) >= _PART_LINES):
            full = self.rest()
        self._lines.append(line)
        self._size += len(line)
        return full

    def rest(self) -> list[bytes]:
        """Return what has been gathered, and begin another part."""
        found, self._lines, self._size = self._lines, [], 0
        return found

    def of(self, posts: Iterable[str | PostLike]) -> Iterator[list[bytes]]:
        """Yield the parts of some posts."""
        for post in posts:
            if (part := self.add(post)) is not None:
                yield part
        if part := self.rest():
            yield part


@dataclass(slots=True)
class StreamState:
    """How far a stream is: the posts answered, and the model that answered them."""

    options: ClientOptions
    explain: bool = False
    tags: Sequence[str] | None = None
    n_answered: int = 0
    model_version: str | None = None

    def send(self, part: list[bytes]) -> Generator[Step, Outcome, list[StreamItem]]:
        """Send a part, and return what became of its posts.

        Raises
        ------
        StreamError
            The answer is cut off, or by another model than those before.
        """
        params: dict[str, Any] = {"explain": "true"} if self.explain else {}
        if self.tags is not None:
            params["tags"] = list(self.tags)
        call = Call(
            "POST",
            "/v1/predict/stream",
            _lines,
            content=b"".join(part),
            params=params,
            headers={"Content-Type": "application/x-ndjson"},
        )
        answer = yield from conversation(call, self.options)
        return self._items(answer, len(part))

    def _items(self, answer: list[dict[str, Any]], n_posts: int) -> list[StreamItem]:
        end = answer[-1].get("end") if answer else None
        if end is None or len(answer) != n_posts + 1:
            raise StreamError(
                f"the answer was cut off after {self.n_answered + max(0, len(answer) - 1)} posts"
            )
        version = end["model_version"]
        if self.model_version not in (None, version):
            raise StreamError(
                f"the model changed from {self.model_version} to {version} after {self.n_answered} posts"
            )
        self.model_version = version
        items = []
        for line in answer[:-1]:
            prediction, problem = line.get("prediction"), line.get("problem")
            items.append(
                StreamItem(
                    self.n_answered + line["line"] - 1,
                    PredictResponse.model_validate(prediction) if prediction else None,
                    Problem.model_validate(problem) if problem else None,
                )
            )
        self.n_answered += n_posts
        return items


def _lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.content.split(b"\n") if line]
