"""Tests of service.routes.predict, service.predicting and service.schemas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import create_app
from service.settings import load_settings
from service.testing import FakeTagger, InProcessClient, in_process

TEXT = "За «multipolar» мир 🌍 and the UN Charter"


@pytest.fixture(scope="module")
def tagger() -> FakeTagger:
    """Return the model behind the client."""
    return FakeTagger(words={"multipolarity": "multipolar", "un-role": "Charter"})


@pytest.fixture(scope="module")
def client(tagger: FakeTagger) -> Iterator[InProcessClient]:
    """Yield a client of a service with small limits."""
    with in_process(create_app(load_settings(max_text_length=200, max_batch_posts=5), tagger)) as client:
        yield client


def test_the_whole_answer(client: InProcessClient) -> None:
    """An answer names the post, the model, the codebook, and of every tag what the model says."""
    answer = client.post("/v1/predict", json={"text": TEXT, "id": "a/1", "date": "2026-01-31T09:30:00+03:00"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "id": "a/1",
        "lang": "en",
        "model_version": "fake-1",
        "codebook_version": "7",
        "tags": [
            {
                "id": "multipolarity",
                "title": "Multipolar order",
                "family": "claims",
                "score": 0.9,
                "threshold": 0.5,
                "decision": "yes",
                "reason": None,
                "evidence": [],
            },
            {
                "id": "un-role",
                "title": 'Role of the "UN"',
                "family": "claims",
                "score": 0.9,
                "threshold": 0.5,
                "decision": "yes",
                "reason": None,
                "evidence": [],
            },
            {
                "id": "name-calling",
                "title": "Name <calling>",
                "family": "rhetoric",
                "score": None,
                "threshold": None,
                "decision": "abstain",
                "reason": "too few examples",
                "evidence": [],
            },
        ],
    }


def test_evidence_is_in_code_points_of_the_text_sent(client: InProcessClient) -> None:
    """With `explain`, offsets count code points, so that text[start:end] is the quote."""
    tags = client.post("/v1/predict", json={"text": TEXT, "explain": True}).json()["tags"]
    found = [
        (item["start"], item["end"], item["text"], item["weight"]) for tag in tags for item in tag["evidence"]
    ]
    assert found == [(4, 14, "multipolar", 1.5), (33, 40, "Charter", 1.5)]
    assert [TEXT[start:end] for start, end, _, _ in found] == ["multipolar", "Charter"]


def test_tags_limit_the_answer(client: InProcessClient) -> None:
    """`tags` asks for some tags, in the codebook's order, once each."""
    answer = client.post("/v1/predict", json={"text": "a", "tags": ["un-role", "multipolarity", "un-role"]})
    assert [tag["id"] for tag in answer.json()["tags"]] == ["multipolarity", "un-role"]


def test_unknown_tags_are_refused_with_the_known_ones(client: InProcessClient) -> None:
    """A tag that the codebook lacks is named by its place, and the detail lists the tags there are."""
    problem = client.post("/v1/predict", json={"text": "a", "tags": ["un-role", "unrole"]}).json()
    assert (problem["status"], problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == (
        422,
        "/tags/1",
        "unknown_tag",
    )
    assert "The tags are multipolarity, un-role, name-calling." in problem["detail"]


def test_text_length_counts_code_points(client: InProcessClient) -> None:
    """A text at the limit is tagged whatever its characters, one above it is refused."""
    assert client.post("/v1/predict", json={"text": "🌍" * 200}).status_code == 200
    problem = client.post("/v1/predict", json={"text": "a" * 201}).json()
    assert (problem["status"], problem["errors"][0]["code"]) == (422, "string_too_long")


def test_batch_keeps_the_order(client: InProcessClient) -> None:
    """Posts that ask for different things are scored apart, and come back in the order of the request."""
    posts = [
        {"text": "multipolar", "id": "0"},
        {"text": "Charter", "id": "1", "explain": True, "tags": ["un-role"]},
        {"text": "nothing", "id": "2"},
        {"text": "multipolar", "id": "3", "explain": True, "tags": ["un-role"]},
    ]
    answer = client.post("/v1/predict/batch", json={"posts": posts}).json()
    assert (answer["model_version"], answer["codebook_version"]) == ("fake-1", "7")
    assert [(post["id"], [tag["decision"] for tag in post["tags"]]) for post in answer["predictions"]] == [
        ("0", ["yes", "no", "abstain"]),
        ("1", ["yes"]),
        ("2", ["no", "no", "abstain"]),
        ("3", ["no"]),
    ]


def test_batch_defaults_hold_unless_a_post_says_otherwise(
    client: InProcessClient, tagger: FakeTagger
) -> None:
    """The batch's `explain` and `tags` hold for posts without their own, and equal posts are one call."""
    tagger.calls.clear()
    posts = [{"text": "a"}, {"text": "b", "explain": False}, {"text": "c"}, {"text": "d", "tags": None}]
    answer = client.post("/v1/predict/batch", json={"posts": posts, "explain": True, "tags": ["un-role"]})
    assert answer.status_code == 200
    assert tagger.calls == [
        {"texts": ["a", "c"], "explain": True, "tags": ("un-role",)},
        {"texts": ["b"], "explain": False, "tags": ("un-role",)},
        {"texts": ["d"], "explain": True, "tags": None},
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"posts": []}, "/posts", "too_short"),
        ({"posts": [{"text": "a"}] * 6}, "/posts", "too_long"),
        ({"posts": [{"text": "a"}, {"text": "b" * 201}]}, "/posts/1/text", "string_too_long"),
        ({"posts": [{"text": "a"}, {"text": "b", "tags": ["x"]}]}, "/posts/1/tags/0", "unknown_tag"),
        ({"posts": [{"text": "a"}], "tags": ["x"]}, "/tags/0", "unknown_tag"),
        ({"posts": [{"id": "1"}]}, "/posts/0/text", "missing"),
        ({"posts": "a"}, "/posts", "list_type"),
    ],
)
def test_batch_faults_are_located(client: InProcessClient, body: object, pointer: str, code: str) -> None:
    """One bad post refuses the batch, and is named."""
    answer = client.post("/v1/predict/batch", json=body)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]


def test_a_full_batch_of_the_default_size() -> None:
    """A thousand posts are one request by default, one more is refused."""
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        answer = client.post(
            "/v1/predict/batch", json={"posts": [{"text": str(i), "id": str(i)} for i in range(1000)]}
        )
        assert [post["id"] for post in answer.json()["predictions"]] == [str(i) for i in range(1000)]
        assert client.post("/v1/predict/batch", json={"posts": [{"text": "a"}] * 1001}).status_code == 422


@given(text=st.text(min_size=1, max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_is_answered(client: InProcessClient, text: str) -> None:
    """Any Unicode text (controls, bidi marks, combining marks, noncharacters) is tagged."""
    answer = client.post("/v1/predict", json={"text": text, "explain": True, "id": text})
    assert (answer.status_code, answer.json()["id"]) == (200, text)


@pytest.mark.parametrize(
    "moment", ["2026-01-31T09:30:00Z", "2026-01-31t09:30:00.123456z", "2026-01-31 09:30:00-05:00", None]
)
def test_dates_of_rfc_3339(client: InProcessClient, moment: str | None) -> None:
    """Every usual form of an RFC 3339 time is accepted."""
    assert client.post("/v1/predict", json={"text": "a", "date": moment}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"]
)
def test_json_media_types(client: InProcessClient, kind: str) -> None:
    """JSON is JSON with a parameter, in capitals, or of a JSON-based kind."""
    assert (
        client.post("/v1/predict", content=b'{"text":"a"}', headers={"Content-Type": kind}).status_code == 200
    )
