"""The client against answers of every kind; no server is needed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from annotations.errors import StudioError
from annotations.studio.client import NotFoundError, StudioClient, condition

TOKEN = "secret-" + "0" * 33
URL = "http://studio.example:8080"
PROJECT = {
    "id": 3,
    "title": "T",
    "description": None,
    "created_at": "2026-01-01T00:00:00Z",
    "label_config": "<View/>",
    "task_number": 2,
    "total_annotations_number": 3,
    "skipped_annotations_number": 1,
    "model_version": "",
}


class Server:
    """Answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.tokens: list[str | None] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; the last answer is given for ever."""
        self.requests.append(request)
        self.tokens.append(request.headers.get("Authorization"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, token: str = TOKEN) -> StudioClient:
        """Return a client of this server that does not really wait."""
        return StudioClient(URL, token, transport=httpx.MockTransport(self), sleep=self.waits.append)


def _ok(body: object) -> httpx.Response:
    return httpx.Response(200, json=body)


def test_a_project_is_read_with_its_counts() -> None:
    """Skipped annotations count too: a skip can vanish like any other."""
    info = Server(_ok(PROJECT)).client().project(3)
    assert (info.project_id, info.n_tasks, info.n_annotations) == (3, 2, 4)


def test_a_legacy_token_is_sent_as_it_is() -> None:
    """The older kind of token needs no exchange."""
    server = Server(_ok(PROJECT))
    server.client().project(3)
    assert server.requests[0].headers["Authorization"] == f"Token {TOKEN}"


def test_a_personal_token_is_traded_and_renewed_when_it_has_run_out() -> None:
    """The short-lived token is fetched once, and again after a 401."""
    part = base64.urlsafe_b64encode(b"{}").decode().rstrip("=")
    server = Server(
        _ok({"access": "a1"}), _ok(PROJECT), httpx.Response(401), _ok({"access": "a2"}), _ok(PROJECT)
    )
    client = server.client(f"{part}.{part}.x")
    client.project(3)
    client.project(3)
    assert server.tokens == [None, "Bearer a1", "Bearer a1", None, "Bearer a2"]


def test_a_refused_personal_token_says_so() -> None:
    """An expired token is an error of its own, without the token in it."""
    server = Server(httpx.Response(401, json={"detail": "Token is invalid"}))
    with pytest.raises(StudioError, match="refuses the token") as caught:
        server.client("aaa.bbb.ccc").project(3)
    assert "aaa.bbb.ccc" not in str(caught.value)


def test_a_forbidden_legacy_token_says_what_to_use() -> None:
    """Newer servers refuse legacy tokens; the message says how to go on."""
    detail = "Authentication token no longer valid: legacy token authentication has been disabled"
    with pytest.raises(StudioError) as caught:
        Server(httpx.Response(401, json={"detail": detail})).client().project(3)
    assert "personal access token" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_call_is_repeated_while_the_server_is_busy() -> None:
    """502 and 429 pass by themselves; the server's own wish is respected."""
    server = Server(httpx.Response(502), httpx.Response(429, headers={"Retry-After": "7"}), _ok(PROJECT))
    assert server.client().project(3).project_id == 3
    assert server.waits == [0.3, 7.0]


def test_a_server_that_is_away_is_tried_again_and_then_reported() -> None:
    """The address stands in the message, with the way out."""
    server = Server(httpx.ConnectError("refused"))
    with pytest.raises(StudioError, match="not reachable") as caught:
        server.client().project(3)
    assert caught.value.where == URL
    assert caught.value.hint
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "answer", [httpx.Response(502), httpx.Response(503), httpx.ReadError("gone"), httpx.ReadTimeout("slow")]
)
def test_an_import_is_never_repeated(answer: httpx.Response | Exception) -> None:
    """Label Studio may have taken it: once more could make every task twice."""
    server = Server(answer)
    with pytest.raises(StudioError):
        server.client().import_tasks(3, [{"data": {}}])
    assert len(server.requests) == 1


def test_a_deleted_project_is_told_apart() -> None:
    """404 has a class of its own, as the user must decide what to do."""
    with pytest.raises(NotFoundError):
        Server(httpx.Response(404, json={"detail": "No Project"})).client().project(3)


def test_a_redirect_is_not_followed_with_the_token() -> None:
    """The token goes to nobody but the address that was given."""
    server = Server(httpx.Response(302, headers={"Location": "http://elsewhere.example/"}))
    with pytest.raises(StudioError, match="elsewhere"):
        server.client().project(3)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [None, [], "x", 7, {}, {"id": "3"}, {"id": True}, {"id": -1}, PROJECT | {"id": None},
     PROJECT | {"title": 5}, PROJECT | {"label_config": []}],
)  # fmt: skip
def test_an_odd_answer_is_an_error_and_not_a_crash(body: object) -> None:
    """The types of every answer are checked."""
    with pytest.raises(StudioError):
        Server(_ok(body)).client().project(3)


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="<html>"), httpx.Response(200, content=b"\xff\xfe")]
)
def test_another_program_at_the_address_is_an_error(answer: httpx.Response) -> None:
    """A web page is no Label Studio."""
    with pytest.raises(StudioError, match="not that of a Label Studio"):
        Server(answer).client().project(3)


class _Endless(httpx.SyncByteStream):
    """A body without an end; how much of it was taken is counted."""

    n_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.n_bytes += 65_536
            yield b" " * 65_536


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends for ever neither fills the memory nor keeps the command for ever."""
    monkeypatch.setattr("annotations.studio.transport._ANSWER_CAPS", (1_000_000, 300.0))
    body = _Endless()
    with pytest.raises(StudioError, match="larger than 1,000,000 bytes"):
        Server(httpx.Response(200, stream=body)).client().project(3)
    assert body.n_bytes < 1_200_000
    monkeypatch.setattr("annotations.studio.transport._ANSWER_CAPS", (10**12, 0.0))
    with pytest.raises(StudioError, match="in time"):
        Server(httpx.Response(200, stream=_Endless())).client().project(3)


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A few kilobytes that would become gigabytes are refused; compression is never asked for."""
    server = Server(httpx.Response(200, stream=_Endless(), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(StudioError, match="compressed"):
        server.client().project(3)
    assert {request.headers["Accept-Encoding"] for request in server.requests} == {"identity"}


@pytest.mark.parametrize("ids", [None, [1], [1, 1], [1, "2"], [1, True], [1, 2, 3], {"0": 1}])
def test_wrong_numbers_of_tasks_are_not_believed(ids: object) -> None:
    """As many different numbers as tasks were sent, or none is written down."""
    with pytest.raises(StudioError, match="odd"):
        Server(_ok({"task_ids": ids})).client().import_tasks(3, [{"data": {}}, {"data": {}}])


def test_pages_are_asked_for_by_number_of_task() -> None:
    """A task deleted between two pages must not hide another."""
    first = [{"id": number} for number in range(1, 501)]
    server = Server(_ok({"tasks": first}), _ok({"tasks": [{"id": 777}]}))
    found = [task["id"] for page in server.client().find_tasks(3, include="times") for task in page]
    assert (len(found), found[-1]) == (501, 777)
    filters: list[list[dict[str, Any]]] = [
        json.loads(request.url.params["query"])["filters"]["items"] for request in server.requests
    ]
    assert [items[-1]["value"] for items in filters] == [0, 500]


def test_a_server_that_repeats_itself_ends_the_search() -> None:
    """Paging ends even if the server sends the same page for ever."""
    page = _ok({"tasks": [{"id": number} for number in range(1, 501)]})
    assert sum(1 for _ in Server(page).client().find_tasks(3)) == 2


@pytest.mark.parametrize("export", [b"<html>", b'[{"id": 1}, ', b"[1]", b'[{"id": 1}'])
def test_a_broken_export_is_an_error(export: bytes) -> None:
    """A download that was cut off is not taken for a project with fewer tasks."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(204)
        if request.url.path.endswith("download"):
            return httpx.Response(200, content=export)
        return _ok({"id": 1, "status": "completed"})

    client = StudioClient(URL, TOKEN, transport=httpx.MockTransport(answer))
    with pytest.raises(StudioError):
        list(client.snapshot(3))


def test_a_failed_export_is_an_error_and_is_cleaned_up() -> None:
    """What was made in Label Studio for us does not stay there."""
    server = Server(_ok({"id": 5, "status": "failed"}))
    with pytest.raises(StudioError, match="could not make"):
        list(server.client().snapshot(3))
    assert [request.method for request in server.requests] == ["POST", "DELETE"]


def test_the_sdk_goes_through_the_same_door() -> None:
    """Its errors become ours, and its calls carry our token."""
    server = Server(httpx.Response(400, json={"validation_errors": {"label_config": ["no good"]}}))
    with pytest.raises(StudioError, match="no good"):
        server.client().create_project({"title": "abc"})
    assert server.requests[0].headers["Authorization"] == f"Token {TOKEN}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("url", ["", "studio", "ftp://x", "http://", "http://me:pw@host/", "file:///etc"])
def test_an_unusable_address_is_refused(url: str) -> None:
    """Also one with a password in it, which would end up in messages."""
    with pytest.raises(StudioError) as caught:
        StudioClient(url, TOKEN)
    assert "pw" not in str(caught.value)


def test_a_condition_names_its_type() -> None:
    """Label Studio compares a number as a number."""
    assert condition("id", "greater", 1)["type"] == "Number"
    assert condition("data.post_id", "in_list", [])["type"] == "String"


def test_a_clients_token_is_not_in_its_description() -> None:
    """Tokens do not leak through tracebacks that show values."""
    make: Callable[[], StudioClient] = Server(_ok({})).client
    assert TOKEN not in repr(make())
