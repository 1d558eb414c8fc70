"""Tests of service.client: both clients against a real server, and against one that answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotations.ledger.store import open_ledger
from annotations.records import Annotation
from service.app import build_app
from service.client import (
    AsyncClient,
    Client,
    ClientOptions,
    NoAnswerError,
    ProblemError,
    StreamError,
)
from service.settings import load_settings
from service.tagger import FixedModel
from service.testing import FakeTagger, on_a_socket, small_codebook, store_annotations

PROBLEM = {
    "type": "/docs#problem-not-ready",
    "title": "No model is ready",
    "status": 503,
    "detail": "Train one.",
    "request_id": "r1",
}
READY = {"status": "ready", "model_version": "v1"}
QUEUED = {"ticket": "0" * 32, "posts": []}


class Server:
    """Answers in turn, the last answer for ever, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    def client(self, **options: Any) -> Client:
        """Return a client of this server that does not really wait."""
        return Client(
            "http://tags.example",
            "tp_secret",
            ClientOptions(**options),
            transport=httpx.MockTransport(self),
            sleep=self.waits.append,
        )

    def aio(self, **options: Any) -> AsyncClient:
        """Return the async client of this server."""

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        return AsyncClient(
            "http://tags.example",
            "tp_secret",
            ClientOptions(**options),
            transport=httpx.MockTransport(self),
            sleep=sleep,
        )


def _problem(**headers: str) -> httpx.Response:
    content = json.dumps(PROBLEM)
    return httpx.Response(
        503, content=content, headers={"Content-Type": "application/problem+json", **headers}
    )


def _of_both(server: Callable[[], Server], do: str, *given: Any) -> Iterator[tuple[Server, Any]]:
    """Yield what a call gives by each of the two clients: its result, or its error."""
    first = server()
    with first.client() as client:
        try:
            yield first, getattr(client, do)(*given)
        except Exception as error:
            yield first, error
    second = server()

    async def run() -> Any:
        async with second.aio() as client:
            try:
                return await getattr(client, do)(*given)
            except Exception as error:
                return error

    yield second, asyncio.run(run())


def test_a_service_that_is_not_ready_is_asked_again() -> None:
    """As long as it says, and each time twice as long as before otherwise, by chance a bit less."""
    answers = [
        _problem(**{"Retry-After": "7"}),
        httpx.ConnectError("no"),
        _problem(),
        httpx.Response(200, json=READY),
    ]
    for server, found in _of_both(lambda: Server(*answers), "ready"):
        assert found.model_version == "v1"
        assert server.waits[0] == 7
        assert 0.5 <= server.waits[1] <= 1
        assert 1 <= server.waits[2] <= 2


def test_a_date_to_wait_for_is_understood() -> None:
    """`Retry-After` may be a date; one in the past asks for nothing."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    for value, least in ((soon, 15), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", 0)):
        server = Server(_problem(**{"Retry-After": value}), httpx.Response(200, json=READY))
        server.client().ready()
        assert least <= server.waits[0] <= 20


def test_patience_ends() -> None:
    """After so many retries, and at once where the service asks for longer than one would wait."""
    for server, found in _of_both(lambda: Server(_problem()), "ready"):
        assert isinstance(found, ProblemError)
        assert (found.status, found.kind, found.problem.request_id) == (503, "not-ready", "r1")
        assert len(server.requests) == 5
    slow = Server(_problem(**{"Retry-After": "3600"}))
    with pytest.raises(ProblemError) as refused:
        slow.client().ready()
    assert (refused.value.retry_after, len(slow.requests)) == (3600, 1)


def test_what_was_refused_is_not_asked_again() -> None:
    """A problem has the places of what is wrong, and is raised at once."""
    body = PROBLEM | {
        "status": 422,
        "type": "/docs#problem-invalid-request",
        "errors": [{"location": "body", "pointer": "/text", "detail": "Too long", "code": "string_too_long"}],
    }
    answer = httpx.Response(422, json=body, headers={"Content-Type": "application/problem+json"})
    for server, found in _of_both(lambda: Server(answer), "predict", "a"):
        assert isinstance(found, ProblemError)
        assert "/text: Too long" in str(found)
        assert len(server.requests) == 1


def test_writes_bear_a_key_and_the_same_one_again() -> None:
    """So a write whose answer was lost is sent again without being carried out twice."""
    for server, found in _of_both(
        lambda: Server(httpx.ReadTimeout("lost"), httpx.Response(202, json=QUEUED)), "queue", [{"text": "a"}]
    ):
        assert found.ticket == "0" * 32
        first, second = (request.headers["Idempotency-Key"] for request in server.requests)
        assert first == second
    server = Server(httpx.Response(200, json={"active": "a", "previous": None}))
    server.client().activate("../x", idempotency_key="mine")
    assert server.requests[0].headers["Idempotency-Key"] == "mine"
    assert server.requests[0].url.raw_path == b"/v1/models/..%2Fx/activate"


def test_the_key_is_shown_to_the_service_and_to_nobody_else() -> None:
    """It is in the header, and in no representation, error or redirected request."""
    elsewhere = httpx.Response(307, headers={"Location": "http://evil.example/readyz"})
    server = Server(elsewhere)
    client = server.client()
    with pytest.raises(ProblemError) as refused:
        client.ready()
    assert server.requests[0].headers["Authorization"] == "Bearer tp_secret"
    assert len(server.requests) == 1
    for shown in (repr(client), str(client), repr(ClientOptions(key="tp_secret")), str(refused.value)):
        assert "tp_secret" not in shown
    for address in ("tags.example", "ftp://tags.example", "http://user:word@tags.example"):
        with pytest.raises(ValueError, match="must be like") as wrong:
            Client(address)
        assert "word" not in str(wrong.value).replace("a password", "")


def test_an_answer_of_something_else_is_told_apart() -> None:
    """A proxy's page, or JSON of another kind."""
    page = httpx.Response(502, text="<h1>Bad gateway</h1>", headers={"Content-Type": "text/html"})
    for _, found in _of_both(lambda: Server(page), "ready"):
        assert isinstance(found, ProblemError)
        assert (found.status, found.problem.type) == (502, "about:blank")
    for answer in (httpx.Response(200, text="<h1>Welcome</h1>"), httpx.Response(200, json={"a": 1})):
        with pytest.raises(NoAnswerError):
            Server(answer).client().ready()


def _line(number: int, version: str = "v1") -> dict[str, Any]:
    content = {"id": None, "lang": None, "model_version": version, "codebook_version": "1", "tags": []}
    return {"line": number, "prediction": content}


def _lines(*lines: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, content="".join(json.dumps(line) + "\n" for line in lines))


def test_a_stream_that_is_cut_off_or_changes_its_model_says_so() -> None:
    """Either could be mistaken for the whole."""
    end = {"end": {"model_version": "v1"}}
    for answer in (_lines(_line(1)), _lines(), _lines(end)):
        with pytest.raises(StreamError, match="cut off"):
            list(Server(answer).client().stream(["a"]))
    other = _lines(*(_line(number, "v2") for number in range(1, 2)), {"end": {"model_version": "v2"}})
    first = _lines(*(_line(number) for number in range(1, 501)), end)
    items = Server(first, other).client().stream(["a"] * 501)
    with pytest.raises(StreamError, match="from v1 to v2 after 500 posts"):
        list(items)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a real service with a ledger."""
    home: Path = tmp_path_factory.mktemp("workspace")
    settings = load_settings(home=home)
    (home / "codebook.yaml").write_text(_codebook(), encoding="utf-8")
    ledger = open_ledger(settings.workspace.ledger_url)
    text = "The Charter is the base of the order."
    store_annotations(ledger, [Annotation(post_id="a/1", annotator="A", text=text, tags={"un-role": ()})])
    ledger.close()
    with on_a_socket(build_app(settings, FixedModel(FakeTagger()))) as port:
        yield f"http://127.0.0.1:{port}"


def _codebook() -> str:
    from annotations.codebook import dump_codebook  # noqa: PLC0415

    return dump_codebook(small_codebook())


def test_every_call_of_a_real_service(address: str) -> None:
    """The answers are typed; both clients give the same."""
    given: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("predict", ("a multipolar world",), {"id": "1", "explain": True, "tags": ("multipolarity",)}),
        (
            "predict_batch",
            (["a", {"text": "b", "date": datetime(2026, 1, 1, tzinfo=UTC)}],),
            {"explain": True},
        ),
        ("similar", ("the Charter",), {"n": 3, "tags": ["un-role"]}),
        ("codebook", (), {}),
        ("models", (), {}),
        ("model", ("fake-1",), {}),
        ("ready", (), {}),
        ("activate", ("fake-1",), {"idempotency_key": "k1"}),
        (
            "queue",
            ([{"text": "A post.", "message_id": "9"}],),
            {"post_ids": ["a/1"], "idempotency_key": "k2"},
        ),
    ]

    async def awaited() -> list[Any]:
        async with AsyncClient(address) as client:
            found = [await getattr(client, name)(*args, **options) for name, args, options in given]
            return [*found, await client.queued(found[-1].ticket)]

    with Client(address) as client:
        found = [getattr(client, name)(*args, **options) for name, args, options in given]
        found.append(client.queued(found[-1].ticket))
        with pytest.raises(ProblemError) as refused:
            client.rollback()
    assert refused.value.status == 409
    assert found == asyncio.run(awaited())
    assert found[0].tags[0].evidence[0].text == "multipolar"
    assert [post.post_id for post in found[2].posts] == ["a/1"]
    assert [post.state for post in found[-1].posts] == ["stored", "annotated"]


def test_a_long_stream_of_a_real_service(address: str) -> None:
    """Posts of every size in parts, each in its place, a bad one as an item; what is read is not held."""
    posts = [
        {"text": "multipolar " * (1 + number % 7), "id": str(number)} if number % 50 else {"text": ""}
        for number in range(3_000)
    ]
    posts[7] = {"text": "x" * 90_000, "id": "7"}
    taken = 0

    def given() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for post in posts:
            taken += 1
            yield post

    async def agiven() -> AsyncIterator[dict[str, Any]]:
        for post in posts:
            yield post

    async def awaited() -> list[Any]:
        async with AsyncClient(address) as client:
            return [item async for item in client.stream(agiven(), tags=["un-role"])]  # type: ignore[arg-type]

    with Client(address) as client:
        items = client.stream(given(), tags=["un-role"])  # type: ignore[arg-type]
        first = next(items)
        assert taken < 1_000
        found = [first, *items]
    assert [item.number for item in found] == list(range(3_000))
    assert [item.prediction.id if item.prediction else None for item in found] == [
        post.get("id") for post in posts
    ]
    assert {item.problem.status for item in found if item.problem} == {422}
    again = asyncio.run(awaited())
    assert [item.prediction for item in again] == [item.prediction for item in found]
