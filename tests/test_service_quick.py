"""Tests of service.quick: what goes the short way is answered like what goes the usual one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from classifiers.scorer import Judged, Scorer
from classifiers.testing import invented_scorer
from service import predicting
from service.app import create_app
from service.quick import MOST_BYTES, Judging
from service.schemas import PredictRequest
from service.settings import load_settings
from service.testing import InProcessClient, in_process

JSON = {"Content-Type": "application/json"}
TEXTS = ("the river belongs to every village", 'Those "swindlers" of the coast!\n\tМир 🌍', "a", " ")


class _Noting(Scorer):
    """A scorer that notes how many texts it judged by arrays at a time."""

    sizes: list[int]

    def judge(self, texts: Any) -> Judged:
        self.sizes.append(len(texts))
        return super().judge(texts)


@pytest.fixture(scope="module")
def scorer() -> _Noting:
    """Return the model behind the client."""
    plain = invented_scorer()
    noting = _Noting(plain._model, plain.version)
    noting.sizes = []
    if not noting.is_quick:
        pytest.skip("numba cannot be loaded here")
    return noting


@pytest.fixture(scope="module")
def client(scorer: _Noting) -> Iterator[InProcessClient]:
    """Yield a client of a service with a real model."""
    with in_process(create_app(load_settings(max_text_length=40_000), scorer)) as client:
        yield client


def _usual(scorer: Scorer, request: PredictRequest) -> Any:
    return json.loads(predicting.predict_one(scorer, request).model_dump_json())


@pytest.mark.parametrize("text", TEXTS)
def test_the_answer_is_the_usual_one(client: InProcessClient, scorer: _Noting, text: str) -> None:
    """Every member, refused tags and the post's name included."""
    before = len(scorer.sizes)
    answer = client.post("/v1/predict", json={"text": text, "id": 'a "/1'})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found, usual = answer.json(), _usual(scorer, PredictRequest(text=text, id='a "/1'))
    assert [tag.pop("score") for tag in found["tags"]] == pytest.approx(
        [tag.pop("score") for tag in usual["tags"]]
    )
    assert found == usual
    assert len(scorer.sizes) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        {"text": "the river", "explain": True},
        {"text": "a " * MOST_BYTES},
    ],
)
def test_what_takes_longer_goes_to_a_thread(
    client: InProcessClient, scorer: _Noting, body: dict[str, Any]
) -> None:
    """Evidence and long posts do not hold up the loop."""
    before = len(scorer.sizes)
    assert client.post("/v1/predict", json=body).status_code == 200
    assert len(scorer.sizes) == before


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"text": 5}', JSON, 422),
        (b'{"text": "a", "other": 1}', JSON, 422),
        (b'{"text": "\\ud800"}', JSON, 422),
        (b'{"text": "a"', JSON, 400),
        (b'{"text": "\xff"}', JSON, 400),
        (b'{"text": "a"}', {"Content-Type": "text/plain"}, 415),
        (b'{"text": "a"}', JSON | {"Content-Encoding": "gzip"}, 415),
        (b'{"text": "' + b"a" * 100_000 + b'"}', JSON, 422),
    ],
)
def test_what_is_not_in_order_is_refused_as_ever(
    client: InProcessClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    """The short way weakens no check."""
    answer = client.post("/v1/predict", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_posts_that_come_together_are_judged_together(scorer: _Noting) -> None:
    """Each gets its own answer."""
    requests = [PredictRequest(text=text, id=str(number)) for number, text in enumerate(TEXTS)]

    async def ask() -> list[bytes]:
        judging = Judging()
        return await asyncio.gather(*(judging.answer(scorer, request) for request in requests))

    scorer.sizes.clear()
    answers = [json.loads(answer) for answer in asyncio.run(ask())]
    assert [answer["id"] for answer in answers] == [request.id for request in requests]
    assert scorer.sizes == [len(TEXTS)]


def test_a_defect_costs_the_post_alone_that_it_is_met_with(
    scorer: _Noting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that came with it are answered; one that was given up meanwhile is not judged."""
    judge = scorer.judge

    def defective(texts: Any) -> Judged:
        if "a" in texts:
            raise RuntimeError("a defect")
        return judge(texts)

    async def ask() -> list[bytes | BaseException]:
        judging = Judging()
        asked = [asyncio.ensure_future(judging.answer(scorer, PredictRequest(text=text))) for text in TEXTS]
        await asyncio.sleep(0)
        asked[0].cancel()
        return await asyncio.gather(*asked, return_exceptions=True)

    monkeypatch.setattr(scorer, "judge", defective)
    scorer.sizes.clear()
    found = asyncio.run(ask())
    kinds = [asyncio.CancelledError, bytes, RuntimeError, bytes]
    assert [type(each) for each in found] == kinds
    assert scorer.sizes == [1, 1]
