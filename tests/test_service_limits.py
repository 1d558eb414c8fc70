"""Tests of service.limits, in this process and over a socket."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from service.app import create_app
from service.settings import load_settings
from service.testing import FakeTagger, InProcessClient, in_process, on_a_socket

JSON = {"Content-Type": "application/json"}
LIMIT = 10_000


@pytest.fixture(scope="module")
def client() -> Iterator[InProcessClient]:
    """Yield a client of a service with small limits on bodies."""
    settings = load_settings(max_body_bytes=LIMIT, max_batch_body_bytes=3 * LIMIT)
    with in_process(create_app(settings, FakeTagger())) as client:
        yield client


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Yield the port of a service with small limits on bodies."""
    settings = load_settings(max_body_bytes=LIMIT, max_batch_body_bytes=3 * LIMIT)
    with on_a_socket(create_app(settings, FakeTagger())) as port:
        yield port


def _body(size: int, wrap: str = '{"text":"%s"}') -> bytes:
    return (wrap % ("a" * (size - len(wrap) + 2))).encode()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1000):
        yield body[start : start + 1000]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_the_limit_is_exact(client: InProcessClient, is_chunked: bool) -> None:
    """A body of the limit is read, one byte more is refused, announced or not."""
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413), (10 * LIMIT, 413)):
        body = _body(size)
        answer = client.post("/v1/predict", content=_pieces(body) if is_chunked else body, headers=JSON)
        assert (len(body), answer.status_code) == (size, status)


def test_the_batch_has_a_limit_of_its_own(client: InProcessClient) -> None:
    """A batch may be larger than a single post, up to its own limit."""
    wrap = '{"posts":[{"text":"%s"}]}'
    assert client.post("/v1/predict/batch", content=_body(3 * LIMIT, wrap), headers=JSON).status_code == 200
    assert (
        client.post("/v1/predict/batch", content=_body(3 * LIMIT + 1, wrap), headers=JSON).status_code == 413
    )


def test_calls_that_read_no_body_are_not_concerned(client: InProcessClient) -> None:
    """A large body on a GET, or where nothing is, changes nothing."""
    assert client.request("GET", "/healthz", content=b"x" * 5 * LIMIT).status_code == 200
    assert client.post("/nowhere", content=b"x" * 5 * LIMIT).status_code == 404


def test_the_page_is_limited_too(client: InProcessClient) -> None:
    """The form's body has the same limit."""
    assert client.post("/", data={"text": "a" * 2 * LIMIT}).status_code == 413


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_upload_that_is_refused_gets_its_answer(port: int, is_chunked: bool) -> None:
    """A client that sends 20 MB over a socket without asking reads the 413, and is disconnected."""
    pieces = (b"x" * 100_000 for _ in range(200))
    headers = JSON if is_chunked else JSON | {"Content-Length": "20000000"}
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/predict", content=pieces, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["status"], answer.headers["connection"]) == (413, 413, "close")


def test_a_client_that_waits_is_told_before_it_sends(port: int) -> None:
    """With `Expect: 100-continue` the 413 comes without a byte of the body being asked for."""
    head = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: 99999999\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_clients_that_hang_up_do_no_harm(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves in the middle of its body is no defect, and the next one is served."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with caplog.at_level(logging.INFO):
        for sent in (b"Content-Length: 5000\r\n\r\n{", b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"tex\r\n'):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(head + sent)
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/predict", json={"text": "multipolar"}, timeout=10)
    assert answer.status_code == 200
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_pipelined_and_torn_requests_over_a_socket(port: int) -> None:
    """A body that arrives byte by byte is read as one."""
    body = json.dumps({"text": "multipolar"}).encode()
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode())
        for byte in body:
            connection.sendall(bytes([byte]))
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
