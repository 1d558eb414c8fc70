"""Tests of service.problems and service.exchange: every error is a problem, no answer gives anything away."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from annotations.errors import (
    CodebookError,
    FileError,
    LabelsError,
    LedgerError,
    StudioError,
    TalkingPointsError,
)
from classifiers.errors import BundleError, DatasetError, ModelNotFoundError
from service.app import build_app, create_app
from service.errors import InvalidRequestError, NotReadyError, SettingsError
from service.exchange import SECURITY_HEADERS
from service.problems import MEDIA_TYPE, kind_of
from service.settings import load_settings
from service.tagger import FixedModel
from service.testing import FakeTagger, InProcessClient, in_process

SECRET = "the minister's secret words"
JSON = {"Content-Type": "application/json"}
SET_BY_ROUTES = ("Content-Security-Policy", "Cache-Control")


class BrokenTagger(FakeTagger):
    """Fails on every text with an error that quotes it."""

    def __init__(self, error: type[Exception] = ValueError) -> None:
        super().__init__()
        self.error = error

    def predict(self, texts, *, explain=False, tags=None):  # type: ignore[no-untyped-def]
        """Fail."""
        raise self.error(f"cannot score {texts[0]}")


class BrokenModels(FixedModel):
    """A source whose list of versions cannot be read."""

    def versions(self) -> list[str]:
        """Fail as a registry with an unreadable file does."""
        raise FileError("cannot be read", where="/srv/private/models")


@pytest.fixture(scope="module")
def client() -> Iterator[InProcessClient]:
    """Yield a client of a service with a fake model."""
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/nowhere", {}, 404),
        ("GET", "/v1/predict/", {}, 404),
        ("GET", "/v1/predict", {}, 405),
        ("DELETE", "/v1/codebook", {}, 405),
        ("OPTIONS", "/v1/predict", {}, 405),
        ("BREW", "/", {}, 405),
        ("POST", "/v1/predict", {"content": b"x" * (2 * 1024 * 1024 + 1), "headers": JSON}, 413),
        ("POST", "/v1/predict", {"content": b'{"text":"a"}'}, 415),
        ("POST", "/v1/predict", {"data": {"text": "a"}}, 415),
        ("POST", "/v1/predict", {"content": b"{}", "headers": JSON | {"Content-Encoding": "gzip"}}, 415),
        ("POST", "/v1/predict", {"content": b"{", "headers": JSON}, 400),
        ("POST", "/v1/predict", {"content": b"", "headers": JSON}, 422),
        ("POST", "/v1/predict", {"json": {}}, 422),
    ],
)
def test_every_error_is_a_problem(
    client: InProcessClient, method: str, path: str, options: dict[str, object], status: int
) -> None:
    """An error has the media type, the status, a title, a detail and the request id of RFC 9457."""
    answer = client.request(method, path, **options)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert all(problem[name] for name in ("type", "title", "detail"))


def test_method_not_allowed_names_the_methods(client: InProcessClient) -> None:
    """405 comes with Allow, HEAD among what GET allows."""
    assert client.request("PUT", "/v1/codebook").headers["allow"] == "GET, HEAD"
    assert client.get("/v1/predict/batch").headers["allow"] == "POST"
    assert client.request("PUT", "/").headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b'{"text": "a" "b"}', 400, "The body is not valid JSON at character 13: Expecting ',' delimiter."),
        (b'{"text": "\xff"}', 400, "The body is not UTF-8 text."),
        (b"[" * 100_000, 400, "The body is nested deeper than 64 levels."),
        (b"9" * 5_000, 400, "The body cannot be read as JSON."),
    ],
)
def test_unreadable_bodies(client: InProcessClient, body: bytes, status: int, detail: str) -> None:
    """A body that is not JSON is refused with the place or the reason."""
    problem = client.post("/v1/predict", content=body, headers=JSON).json()
    assert (problem["status"], problem["detail"]) == (status, detail)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"text": 5}', "/text", "string_type"),
        (b'{"text": ""}', "/text", "string_too_short"),
        (b'{"text": NaN}', "/text", "string_type"),
        (b'{"text": "\\ud800"}', "/text", "string_unicode"),
        (b'{"text": "a", "id": "\\udfff"}', "/id", "string_surrogate"),
        (b'{"text": "a", "tags": ["\\ud83d"]}', "/tags/0", "string_surrogate"),
        (b'{"\\ud800": 1, "text": "a"}', "", "string_unicode"),
        (b'{"text": "a", "explian": true}', "/explian", "extra_forbidden"),
        (b'{"text": "a", "explain": 1}', "/explain", "bool_type"),
        (b'{"text": "a", "date": 1700000000}', "/date", "date_time"),
        (b'{"text": "a", "date": "2026-02-30T00:00:00Z"}', "/date", "date_time"),
        (b'{"text": "a", "tags": []}', "/tags", "too_short"),
        (b"null", "", "model_attributes_type"),
        (b"[]", "", "model_attributes_type"),
    ],
)
def test_faults_are_located(client: InProcessClient, body: bytes, pointer: str, code: str) -> None:
    """A value of the wrong kind is named by a JSON pointer and a stable code."""
    answer = client.post("/v1/predict", content=body, headers=JSON)
    assert answer.status_code == 422
    assert [(fault["location"], fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("body", pointer, code)
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"text": SECRET, "explain": SECRET},
        {"text": [SECRET]},
        {"text": SECRET, SECRET: 1},
        {"text": "a", "tags": [SECRET]},
        {"text": "a", "date": SECRET},
        {"posts": [{"text": SECRET, "id": 5}]},
        SECRET,
    ],
)
def test_problems_never_repeat_what_was_sent(client: InProcessClient, body: object) -> None:
    """Whatever is wrong, neither the post's text nor any other value comes back."""
    for path in ("/v1/predict", "/v1/predict/batch"):
        answer = client.post(path, json=body)
        assert answer.status_code == 422
        assert SECRET not in answer.text


def test_many_faults_are_cut(client: InProcessClient) -> None:
    """A thousand faults are counted, a hundred shown."""
    problem = client.post("/v1/predict/batch", json={"posts": [{"text": 1}] * 1000}).json()
    assert (problem["detail"], len(problem["errors"])) == ("1000 values are not valid.", 100)


def test_defects_tell_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is a 500 without its message, which may quote the post, also in the log."""
    with in_process(create_app(load_settings(), BrokenTagger())) as client, caplog.at_level(logging.INFO):
        answer = client.post("/v1/predict", json={"text": SECRET})
    assert (answer.status_code, answer.json()["title"]) == (500, "The service failed")
    assert answer.headers["x-content-type-options"] == "nosniff"
    (record,) = [record for record in caplog.records if record.name == "talkingpoints.access"]
    fields = record.fields  # type: ignore[attr-defined]
    assert (fields["error"], fields["status"], fields["route"]) == ("builtins.ValueError", 500, "/v1/predict")
    assert any("predict" in frame for frame in fields["trace"])
    assert SECRET not in json.dumps(fields) + caplog.text + answer.text


def test_errors_about_the_server_stay_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An expected error that names the server's files is logged whole, and answered without them."""
    app = build_app(load_settings(), BrokenModels(FakeTagger()))
    with in_process(app) as client, caplog.at_level(logging.INFO):
        answer = client.get("/v1/models")
    assert answer.status_code == 500
    assert "/srv/private" not in answer.text
    assert any("/srv/private" in str(getattr(record, "fields", "")) for record in caplog.records)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequestError("x", []), 422),
        (NotReadyError("x"), 503),
        (ModelNotFoundError("x"), 404),
        (BundleError("x"), 503),
        (LedgerError("x"), 503),
        (StudioError("x"), 502),
        (CodebookError("x"), 500),
        (LabelsError("x"), 500),
        (DatasetError("x"), 500),
        (SettingsError("x"), 500),
        (TalkingPointsError("x"), 500),
    ],
)
def test_the_table_of_statuses(error: TalkingPointsError, status: int) -> None:
    """Each of our errors has its status; one that is not listed has that of its nearest base."""
    assert kind_of(error).status == status


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/v1/codebook", "/healthz", "/nowhere", "/assets/page.css"]
)
def test_security_headers_are_on_every_answer(client: InProcessClient, path: str) -> None:
    """Each answer has each header, and a policy that lets nothing in from outside and runs no script."""
    headers = client.get(path).headers
    fixed = {name: value for name, value in SECURITY_HEADERS.items() if name not in SET_BY_ROUTES}
    assert {name: headers[name] for name in fixed} == fixed
    assert headers["cache-control"] in ("no-store", "no-cache")
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_request_ids(client: InProcessClient) -> None:
    """A plain request id comes back; any other is replaced by one of ours."""
    assert (
        client.get("/healthz", headers={"X-Request-ID": "abc-1.2:3_4"}).headers["x-request-id"]
        == "abc-1.2:3_4"
    )
    for bad in ("a b", "<x>", "x" * 129, ""):
        made = client.get("/healthz", headers={"X-Request-ID": bad}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_head_is_get_without_body(client: InProcessClient) -> None:
    """HEAD has the status and headers of GET, and no body, also on an error."""
    for path in ("/healthz", "/nowhere"):
        head, get = client.request("HEAD", path), client.get(path)
        assert (head.status_code, head.headers["content-length"]) == (
            get.status_code,
            get.headers["content-length"],
        )
        assert head.content == b""
