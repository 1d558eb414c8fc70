"""The short way of ``POST /v1/predict``: a short post, all tags, no evidence, scored on the event loop.

Handing such a post to a thread takes longer than scoring it. What comes in while the loop is busy is scored in one go.
A request that is not plainly in order is left to FastAPI, which says what is wrong with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol, cast

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from classifiers.predictions import DECISIONS, Decision
from classifiers.scorer import Judged
from classifiers.thresholds import TagRule
from service.errors import NotReadyError
from service.guard import CALLER
from service.keys import Caller
from service.schemas import PredictRequest
from service.settings import Settings
from service.tagger import ModelSource, Tagger

MOST_BYTES = 16 * 1024
"""A longer body goes to a thread."""
_MOST_CHARACTERS = 32 * 1024
"""Of the posts that are scored in one go: some milliseconds, in which the loop does nothing else."""

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class QuickTagger(Tagger, Protocol):
    """A tagger that can also judge by arrays."""

    @property
    def is_quick(self) -> bool:
        """Tell whether :meth:`judge` takes a fraction of a millisecond for a short post."""

    @property
    def rules(self) -> Mapping[str, TagRule]:
        """The rules by tag, in the order of the columns of what is judged."""

    def judge(self, texts: Sequence[str]) -> Judged:
        """Tag texts."""


class QuickRoute(APIRoute):
    """A route whose plain requests take the short way."""

    def get_route_handler(self) -> _Handler:
        """Return the handler."""
        usual = super().get_route_handler()

        async def handle(request: Request) -> Response:
            wanted = _plain(request.scope.get(CALLER), request.scope["headers"])
            if wanted:
                answer = await _answer(request)
                if answer is not None:
                    return Response(answer, media_type="application/json")
            return await usual(request)

        return handle


def _plain(caller: Caller | None, headers: Collection[tuple[bytes, bytes]]) -> bool:
    """Tell whether a caller may have posts tagged and sends JSON as it is."""
    if caller is None or "predict" not in caller.scopes:
        return False
    kinds = [value for name, value in headers if name == b"content-type"]
    return kinds == [b"application/json"] and not any(name == b"content-encoding" for name, _ in headers)


async def _answer(request: Request) -> bytes | None:
    """Return the answer; None where the request has to go the usual way."""
    try:
        body = await request.body()
    except ClientDisconnect as error:  # as FastAPI has it
        raise HTTPException(400, "There was an error parsing the body") from error
    if len(body) > MOST_BYTES:
        return None
    state = request.app.state
    models: ModelSource = state.models
    settings: Settings = state.settings
    try:
        wanted = PredictRequest.model_validate_json(body)
        tagger = models.current()
    except (ValidationError, NotReadyError):
        return None
    is_short = len(wanted.text) <= settings.max_text_length
    if not is_short or wanted.explain or wanted.tags is not None or not getattr(tagger, "is_quick", False):
        return None
    judging: Judging = state.judging
    return await judging.answer(cast("QuickTagger", tagger), wanted)


class Judging:
    """Judges the posts that have come since the loop looked last, in one go; for one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[QuickTagger, PredictRequest, asyncio.Future[bytes]]] = []
        self._encoder: Encoder | None = None

    async def answer(self, tagger: QuickTagger, wanted: PredictRequest) -> bytes:
        """Return the answer to a request, by just this tagger."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._judge)
        self._waiting.append((tagger, wanted, future))
        return await future

    def _judge(self) -> None:
        tagger, n_characters, n_taken = self._waiting[0][0], 0, 0
        for other, wanted, _ in self._waiting:
            n_characters += len(wanted.text)
            if other is not tagger or (n_taken and n_characters > _MOST_CHARACTERS):
                break
            n_taken += 1
        taken, self._waiting = self._waiting[:n_taken], self._waiting[n_taken:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._judge)
        self._settle(tagger, [(wanted, future) for _, wanted, future in taken])

    def _settle(
        self, tagger: QuickTagger, taken: Sequence[tuple[PredictRequest, asyncio.Future[bytes]]]
    ) -> None:
        """Answer requests; a defect costs that alone which it is met with."""
        waiting = [(wanted, future) for wanted, future in taken if not future.done()]  # others were cancelled
        try:
            judged = tagger.judge([wanted.text for wanted, _ in waiting])
            answers = self._encoder_of(tagger).answers([wanted.id for wanted, _ in waiting], judged)
        except Exception as error:
            if len(waiting) == 1:
                waiting[0][1].set_exception(error)
            else:
                for each in waiting:
                    self._settle(tagger, [each])
            return
        for (_, future), answer in zip(waiting, answers, strict=True):
            future.set_result(answer)

    def _encoder_of(self, tagger: QuickTagger) -> Encoder:
        if self._encoder is None or self._encoder.tagger is not tagger:
            self._encoder = Encoder(tagger)
        return self._encoder


class Encoder:
    """Writes the answers of one model; what is the same in all of them is written once.

    They read like those of :func:`service.predicting.shaped`.
    """

    def __init__(self, tagger: QuickTagger) -> None:
        self.tagger = tagger
        version, codebook = _json(tagger.version), _json(tagger.codebook.version)
        self._middle = f',"model_version":{version},"codebook_version":{codebook},"tags":['
        self._tags = [self._parts(rule) for rule in tagger.rules.values()]

    def _parts(self, rule: TagRule) -> tuple[str, tuple[str, ...] | None]:
        """Return what stands before a score, and after it by decision; of a refused tag all, and None."""
        entry = self.tagger.codebook.tag(rule.tag_id)
        start = f'{{"id":{_json(rule.tag_id)},"title":{_json(entry.title)},"family":{_json(entry.family)},"score":'
        if not rule.predicted:
            reason = _json(rule.reason or None)
            return (
                f'{start}null,"threshold":null,"decision":"abstain","reason":{reason},"evidence":[]}}',
                None,
            )
        return start, tuple(
            f',"threshold":{_json(rule.threshold)},"decision":{_json(decision)},"reason":null,"evidence":[]}}'
            for decision in DECISIONS
        )

    def answers(self, ids: Sequence[str | None], judged: Judged) -> list[bytes]:
        """Return the bodies of the answers to posts with these ids."""
        found = []
        rows = zip(ids, judged.languages, judged.scores.tolist(), judged.decisions.tolist(), strict=True)
        for post_id, language, scores, decisions in rows:
            tags = [
                start if ends is None else f"{start}{score!r}{ends[decision]}"
                for (start, ends), score, decision in zip(self._tags, scores, decisions, strict=True)
            ]
            found.append(
                f'{{"id":{_json(post_id)},"lang":{_json(language)}{self._middle}{",".join(tags)}]}}'.encode()
            )
        return found


def _json(value: str | float | Decision | None) -> str:
    return "null" if value is None else to_json(value).decode()
