"""Tests of POST /v1/predict/stream, service.streaming and service.routes.stream, over a socket where it matters."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from classifiers.predictions import Prediction
from service.app import build_app, create_app
from service.settings import load_settings
from service.stream_schemas import STREAM_LINES, STREAM_POSTS, StreamLine
from service.streaming import Lines
from service.tagger import FixedModel
from service.testing import FakeTagger, InProcessClient, in_process, on_a_socket

NDJSON = {"Content-Type": "application/x-ndjson"}
PATH = "/v1/predict/stream"


@pytest.fixture(scope="module")
def client() -> Iterator[InProcessClient]:
    """Yield a client of a service with small limits."""
    with in_process(
        create_app(load_settings(max_text_length=200, max_body_bytes=2_000), FakeTagger())
    ) as client:
        yield client


def _lines(content: bytes) -> list[dict[str, Any]]:
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def _stream(client: InProcessClient, body: bytes, query: str = "") -> list[dict[str, Any]]:
    answer = client.post(PATH + query, content=body, headers=NDJSON)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return _lines(answer.content)


def test_every_line_is_answered_in_order_and_a_bad_one_alone_is_refused(client: InProcessClient) -> None:
    """Blank lines are counted and passed over; the last line says that nothing is missing."""
    body = (
        b'\xef\xbb\xbf{"text": "a multipolar world", "id": "1"}\r\n\n  \n{"text": 5}\nno json\n\xff\xfe\n'
        + b'{"text": "%s"}\n' % (b"a" * 3_000)
        + b"[" * 1_900
        + b'\n{"text": "Charter", "tags": ["un-role"], "explain": true}\n'
        + b'{"text": "%s"}\n{"text": "b", "tags": ["x"]}\n{"text": "last"}' % (b"a" * 201)
    )
    found = _stream(client, body)
    said = [(each.get("line"), each.get("problem", {}).get("type", "")[14:]) for each in found]
    assert said == [
        (1, ""),
        (4, "invalid-request"),
        (5, "malformed-body"),
        (6, "malformed-body"),
        (7, "too-large"),
        (8, "malformed-body"),
        (9, ""),
        (10, "invalid-request"),
        (11, "invalid-request"),
        (12, ""),
        (None, ""),
    ]
    assert found[0]["prediction"]["id"] == "1"
    assert found[1]["problem"]["errors"][0]["pointer"] == "/text"
    assert [tag["id"] for tag in found[6]["prediction"]["tags"]] == ["un-role"]
    assert found[6]["prediction"]["tags"][0]["evidence"]
    assert found[8]["problem"]["errors"][0]["code"] == "unknown_tag"
    assert found[-1]["end"] == {
        "lines": 10,
        "predicted": 3,
        "failed": 7,
        "model_version": "fake-1",
        "codebook_version": "7",
    }


def test_an_answer_to_a_line_is_that_of_the_single_call(client: InProcessClient) -> None:
    """The same post gets the same prediction, and the same problem, either way."""
    for post in ({"text": "multipolar", "explain": True}, {"text": ""}, {"text": "a", "date": 5}, [], 5):
        single = client.post("/v1/predict", json=post)
        line = _stream(client, json.dumps(post).encode())[0]
        if single.status_code == 200:
            assert line["prediction"] == single.json()
        else:
            assert line["problem"]["type"] == single.json()["type"]
            assert line["problem"]["errors"] == single.json()["errors"]


def test_an_empty_stream_is_only_its_end(client: InProcessClient) -> None:
    """No lines, no answers."""
    for body in (b"", b"\n\n"):
        assert [list(each) for each in _stream(client, body)] == [["end"]]


def test_the_querys_wishes_hold_for_lines_without_their_own(client: InProcessClient) -> None:
    """As `explain` and `tags` of a batch do; an unknown tag refuses the stream before it begins."""
    body = b'{"text": "Charter"}\n{"text": "Charter", "explain": false, "tags": null}\n'
    first, second, _ = _stream(client, body, "?explain=true&tags=un-role")
    assert [len(each["prediction"]["tags"]) for each in (first, second)] == [1, 3]
    assert first["prediction"]["tags"][0]["evidence"]
    answer = client.post(f"{PATH}?tags=x", content=body, headers=NDJSON)
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, "query")


def test_the_documented_example_is_what_is_answered(client: InProcessClient) -> None:
    """The example of the OpenAPI document, and the schema of its lines."""
    found = _stream(client, STREAM_POSTS.encode())
    lines = TypeAdapter(StreamLine)
    assert [type(lines.validate_python(each)) for each in found] == [
        type(lines.validate_json(each)) for each in STREAM_LINES.splitlines()
    ]


def test_the_media_type_must_be_lines(client: InProcessClient) -> None:
    """What is not said to be lines of JSON, or is compressed, is refused."""
    for headers in ({"Content-Type": "application/json"}, {}, NDJSON | {"Content-Encoding": "gzip"}):
        assert client.post(PATH, content=b"{}", headers=headers).status_code == 415


class Faulty(FakeTagger):
    """Fails at one text."""

    def predict(
        self, texts: Sequence[str], *, explain: bool = False, tags: Collection[str] | None = None
    ) -> list[Prediction]:
        """Predict, or not."""
        if "fault" in texts:
            raise RuntimeError("a secret of the post")
        return super().predict(texts, explain=explain, tags=tags)


def test_a_defect_costs_only_the_line_it_is_met_with(caplog: pytest.LogCaptureFixture) -> None:
    """The others of its batch are tagged; the log has the place, and no text."""
    with in_process(create_app(load_settings(), Faulty())) as client, caplog.at_level(logging.INFO):
        found = _stream(client, b'{"text": "a"}\n{"text": "fault"}\n{"text": "c"}\n')
    assert [each.get("problem", {}).get("status") for each in found] == [None, 500, None, None]
    assert (found[-1]["end"]["predicted"], found[-1]["end"]["failed"]) == (2, 1)
    assert "secret" not in caplog.text


@example(parts=[b"\xef\xbb\xbf"])
@given(parts=st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"x", b"\n")), max_size=20))
@settings(max_examples=100, deadline=None)
def test_lines_do_not_depend_on_how_they_are_cut_into_chunks(parts: list[bytes]) -> None:
    """Any cut of the same bytes makes the same lines, and at most the longest line is kept."""
    whole = b"".join(parts)
    cut, once = Lines(10), Lines(10)
    found = [line for part in parts for line in cut.feed(part)] + list(cut.end())
    assert found == [*once.feed(whole), *once.end()]
    lines = whole.split(b"\n")
    if len(lines[0]) <= 10:
        lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")  # a byte order mark is no part of the first line
    expected = [
        (number, line if len(line) <= 10 else None)
        for number, line in enumerate(lines, 1)
        if line.strip() or len(line) > 10
    ]
    assert [(line.number, line.content) for line in found] == expected


@pytest.fixture
def tagger() -> FakeTagger:
    """Return the model behind the port."""
    return FakeTagger()


@pytest.fixture
def port(tagger: FakeTagger) -> Iterator[int]:
    """Yield the port of a service."""
    with on_a_socket(build_app(load_settings(), FixedModel(tagger))) as port:
        yield port


HEAD = (
    b"POST /v1/predict/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _until(connection: socket.socket, mark: bytes) -> bytes:
    found = b""
    while mark not in found:
        received = connection.recv(65536)
        assert received, found
        found += received
    return found


def test_an_answer_comes_before_the_next_line_is_sent(port: int) -> None:
    """The two directions go on at once: a line can depend on the answer to the one before."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"\r\n")
        _until(connection, b"200 OK")
        for number in range(1, 4):
            connection.sendall(_chunk(b'{"text": "a"}\n'))
            _until(connection, b'"line":%d,' % number)
        connection.sendall(_chunk(b""))
        _until(connection, b'"end"')


def test_a_client_that_waits_for_a_word_is_given_it(port: int) -> None:
    """With `Expect: 100-continue` the body is asked for before the answer begins."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\n\r\n")
        assert b"100 Continue" in _until(connection, b"\r\n\r\n")
        connection.sendall(_chunk(b'{"text": "a"}\n') + _chunk(b""))
        assert b"200 OK" in _until(connection, b'"end"')


def test_a_client_that_takes_nothing_is_not_read_on(port: int, tagger: FakeTagger) -> None:
    """Memory is bounded on both ways: what is not taken stops what is read, and it goes on once it is taken."""
    line = b'{"text": "%s", "explain": true}\n' % (b"multipolar " * 200)
    n_lines = 12_000  # 27 MB in and 8 MB out: more than the buffers of the system
    with socket.socket() as connection:
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            connection.setsockopt(socket.SOL_SOCKET, buffer, 65536)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", port))
        connection.sendall(HEAD + b"\r\n")
        sent = threading.Event()

        def send() -> None:
            for _ in range(n_lines // 100):
                connection.sendall(_chunk(line * 100))
            connection.sendall(_chunk(b""))
            sent.set()

        sender = threading.Thread(target=send)
        sender.start()
        before = -1
        while before != (before := len(tagger.calls)):
            time.sleep(0.5)
        assert not sent.is_set()
        answered = b""
        while b'{"end"' not in answered[-2_000:]:
            received = connection.recv(1 << 20)
            assert received
            answered = answered[-2_000:] + received
        sender.join()
    assert b'"predicted":%d' % n_lines in answered
    assert max(len(call["texts"]) for call in tagger.calls) <= 32


def test_no_work_goes_on_for_a_client_that_has_left(port: int, tagger: FakeTagger) -> None:
    """What was sent in one piece by a client that then hangs up is not tagged to its end."""
    body = b'{"text": "a"}\n' * 10_000
    tagger.words = Slow(tagger.words)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"\r\n" + _chunk(body) + _chunk(b""))
        _until(connection, b'"line":1,')
    before = -1
    while before != (before := len(tagger.calls)):
        time.sleep(0.5)
    assert sum(len(call["texts"]) for call in tagger.calls) < 5_000


class Slow(dict[str, str]):
    """Words that take their time."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a word, late."""
        time.sleep(0.0005)
        return super().get(key, default)
