"""Tests of /studio/*: this service as Label Studio's ML backend, called as Label Studio calls it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from annotations.codebook import dump_codebook, load_codebook
from annotations.labeling_config import labeling_config
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_tasks import ProjectRow, save_project
from annotations.ledger.suggestions import falls_blind, suggestions_on
from annotations.records import text_digest
from annotations.studio.connecting import SECRET_HEADER
from annotations.studio.credentials import new_credentials, write_credentials
from service.app import build_app, create_app
from service.logs import configure_logging
from service.settings import Settings, load_settings
from service.studio_sync import StudioSync
from service.tagger import ActiveModel, FixedModel
from service.testing import FakeTagger, InProcessClient, in_process, small_codebook

TEXT = "🇷🇺 A multipolar world under the Charter."
PROJECT = "11.1795487672"


class Listener(StudioSync):
    """Keeps what it was woken for, and does nothing."""

    def __init__(self) -> None:
        self.heard: list[dict[str, bool]] = []

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def wake(self, *, push: bool = False, train: bool = False, queue: bool = False) -> None:
        """Keep it."""
        self.heard.append({"push": push, "train": train})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings of an empty workspace with the small codebook."""
    path = tmp_path / "codebook.yaml"
    path.write_text(dump_codebook(small_codebook()), encoding="utf-8")
    return load_settings(home=tmp_path / "workspace", codebook=path, studio_url=None, max_text_length=1000)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """Return the workspace's ledger, with project 11 of a local Label Studio."""
    credentials = new_credentials()
    write_credentials(settings.workspace.studio_path, credentials)
    opened = open_ledger(settings.workspace.ledger_url)
    key = f"local-{credentials.instance}#11"
    save_project(opened, ProjectRow(key, "Title", small_codebook().digest, "2026-01-01", None, 0, 0))
    yield opened
    opened.close()


@pytest.fixture
def listener() -> Listener:
    """Return a listener."""
    return Listener()


@pytest.fixture
def client(settings: Settings, listener: Listener) -> Iterator[InProcessClient]:
    """Return a client of a service with a model."""
    with in_process(build_app(settings, FixedModel(FakeTagger()), listener)) as started:
        yield started


def _task(number: int, post_id: str | None, text: object = TEXT) -> dict[str, Any]:
    data = {"text": text, "meta_html": "<b>mfa</b>"} | ({"post_id": post_id} if post_id else {})
    rest = {
        "meta": {},
        "is_labeled": False,
        "overlap": 1,
        "project": 11,
        "annotations": [],
        "predictions": [],
    }
    return {"id": number, "data": data, **rest}


def _asked(*tasks: object, **changes: object) -> dict[str, Any]:
    body = {
        "tasks": list(tasks),
        "project": PROJECT,
        "label_config": labeling_config(small_codebook()),
        "params": {"login": None, "password": None, "context": None},
    }
    return body | changes


def _event(action: object) -> dict[str, Any]:
    return {
        "action": action,
        "annotation": {"id": 5, "result": []},
        "project": {"id": 11},
        "task": _task(3, None),
    }


def test_health_setup_and_versions_name_the_same_version(client: InProcessClient) -> None:
    """The version of the suggestions; the token in the body of /setup changes nothing."""
    body = {
        "project": PROJECT,
        "schema": "<View/>",
        "hostname": "http://127.0.0.1:8080",
        "access_token": "t0ken",
    }
    assert client.get("/studio/health").json()["model_version"] == "fake-1"
    assert client.post("/studio/setup", json=body).json() == {"model_version": "fake-1"}
    assert client.get("/studio/versions").json() == {"versions": ["fake-1"]}


def test_predictions_keep_length_and_order(client: InProcessClient, ledger: Ledger) -> None:
    """Each task gets its tags with evidence; what has no text gets an empty result, and none is left out."""
    posts = [f"mfa/{number}" for number in range(100)]
    seen = next(post for post in posts if not falls_blind(post, 0.2, 0))
    tasks = [_task(1, seen), _task(2, seen, None), "no task", {"id": 3}, _task(4, None, "x" * 2000)]
    results = client.post("/studio/predict", json=_asked(*tasks)).json()["results"]
    assert [bool(each["result"]) for each in results] == [True, False, False, False, False]
    choices, *spans = results[0]["result"]
    assert choices["value"] == {"choices": ["Multipolar order", 'Role of the "UN"']}
    assert [(item["type"], item["value"]["text"]) for item in spans] == [
        ("labels", "multipolar"),
        ("labels", "Charter"),
    ]
    assert all(TEXT[s["value"]["start"] : s["value"]["end"]] == s["value"]["text"] for s in spans)
    assert {each["model_version"] for each in results} == {"fake-1"}


def test_blind_posts_get_nothing_and_everything_is_noted(client: InProcessClient, ledger: Ledger) -> None:
    """A fifth of the posts has an empty result; what they would have got is kept, and withheld."""
    tasks = [_task(number, f"mfa/{number}") for number in range(1, 101)]
    results = client.post("/studio/predict", json=_asked(*tasks)).json()["results"]
    empty = {number for number, each in enumerate(results, 1) if not each["result"]}
    assert empty == {number for number in range(1, 101) if falls_blind(f"mfa/{number}", 0.2, 0)}
    with ledger.begin() as connection:
        (key,) = connection.exec_driver_sql("SELECT project FROM studio_projects").scalars()
    kept = suggestions_on(ledger, key, range(1, 101))
    assert {number for number, (each,) in kept.items() if each.withheld} == empty
    assert {frozenset(each.tags) for (each,) in kept.values()} == {frozenset({"multipolarity", "un-role"})}
    assert {each.revision for (each,) in kept.values()} == {text_digest(TEXT)}


def test_the_blind_share_holds_without_a_ledger_too(client: InProcessClient) -> None:
    """A project that the ledger does not know: the posts that are blind by default stay so."""
    tasks = [_task(number, f"mfa/{number}") for number in range(1, 101)]
    results = client.post("/studio/predict", json=_asked(*tasks)).json()["results"]
    empty = {number for number, each in enumerate(results, 1) if not each["result"]}
    assert empty == {number for number in range(1, 101) if falls_blind(f"mfa/{number}", 0.2, 0)}


def test_another_page_gets_nothing(client: InProcessClient) -> None:
    """A project whose page has other controls would refuse our results."""
    asked = _asked(_task(1, None), label_config='<View><Choices name="themes" toName="text"/></View>')
    assert client.post("/studio/predict", json=asked).json()["results"][0]["result"] == []


def test_before_there_is_a_model_the_cues_suggest(settings: Settings) -> None:
    """Version and tags come from the codebook; a text without a cue gets no suggestion."""

    class NoRegistry:
        def versions(self) -> list[str]:
            return []

        def active(self) -> str:
            from classifiers.errors import ModelNotFoundError  # noqa: PLC0415

            raise ModelNotFoundError("none")

        def path(self, version: str) -> Path:
            raise AssertionError(version)

    from dataclasses import replace  # noqa: PLC0415

    book = small_codebook()
    cued = replace(book, tags=(replace(book.tags[0], cues=("multipolar*",)), *book.tags[1:]))
    assert settings.codebook is not None
    settings.codebook.write_text(dump_codebook(cued), encoding="utf-8")
    digest = load_codebook(settings.codebook).digest
    app = build_app(settings, ActiveModel(NoRegistry(), lambda path: FakeTagger()))
    with in_process(app) as client:
        version = client.get("/studio/health").json()["model_version"]
        answer = client.post("/studio/predict", json=_asked(_task(1, None), _task(2, None, "Nothing.")))
    assert version == f"cues-{digest[:8]}"
    first, second = answer.json()["results"]
    assert [item["value"].get("text") for item in first["result"]] == [None, "multipolar"]
    assert second["result"] == []


@pytest.mark.parametrize(
    "body", [{}, {"tasks": None}, {"tasks": []}, {"tasks": {"id": 1}, "project": None}, {"project": 11}]
)
def test_an_empty_project_is_no_failure(client: InProcessClient, body: dict[str, Any]) -> None:
    """Missing keys are as good as none."""
    answer = client.post("/studio/predict", json=body)
    assert (answer.status_code, answer.json()) == (200, {"results": []})
    assert client.post("/studio/setup", json=body).status_code == 200


@pytest.mark.parametrize(
    ("action", "heard"),
    [
        ("ANNOTATION_CREATED", [{"push": False, "train": False}]),
        ("ANNOTATION_UPDATED", [{"push": False, "train": False}]),
        ("ANNOTATIONS_CREATED", [{"push": False, "train": False}]),
        ("ANNOTATIONS_DELETED", [{"push": False, "train": False}]),
        ("TASKS_DELETED", [{"push": False, "train": False}]),
        ("TASKS_CREATED", [{"push": True, "train": False}]),
        ("START_TRAINING", [{"push": False, "train": True}]),
        ("PROJECT_UPDATED", []),
        ("A_NEW_KIND", []),
        (None, []),
        ({"an": "object"}, []),
    ],
)
def test_events_wake_what_they_concern(
    client: InProcessClient, listener: Listener, action: object, heard: list[dict[str, bool]]
) -> None:
    """Unknown ones are answered the same and passed over."""
    answer = client.post("/studio/webhook", json=_event(action))
    assert (answer.status_code, listener.heard) == (200, heard)


def test_train_wakes_a_training(client: InProcessClient, listener: Listener) -> None:
    """Older releases of Label Studio call it, and so may a person."""
    assert client.post("/studio/train", json={}).status_code == 200
    assert listener.heard == [{"push": False, "train": True}]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"action": "ANNOTATION_CREATED"']
)
def test_a_malformed_event_is_a_problem_and_wakes_nobody(
    client: InProcessClient, listener: Listener, content: bytes
) -> None:
    """400 with a reason, and the service goes on."""
    answer = client.post("/studio/webhook", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert listener.heard == []
    assert client.post("/studio/webhook", json=_event("ANNOTATION_CREATED")).status_code == 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(["tasks", "project", "label_config", "action", "id", "data", "text", "post_id"])


@pytest.fixture(scope="module")
def any_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessClient]:
    """Return a client of one service for many examples."""
    settings = load_settings(home=tmp_path_factory.mktemp("none") / "workspace")
    with in_process(create_app(settings, FakeTagger())) as started:
        yield started


@examples(max_examples=60, deadline=None)
@given(
    body=st.dictionaries(
        _KEYS, _JSON | st.lists(st.dictionaries(_KEYS, _JSON | st.dictionaries(_KEYS, _JSON)))
    )
)
def test_no_body_crashes_it(any_client: InProcessClient, body: dict[str, Any]) -> None:
    """Whatever a body holds, there is an answer of the right shape."""
    answer = any_client.post("/studio/predict", json=body)
    assert answer.status_code == 200
    tasks = body.get("tasks")
    assert len(answer.json()["results"]) == (len(tasks) if isinstance(tasks, list) else 0)
    assert any_client.post("/studio/webhook", json=body).status_code == 200
    assert any_client.post("/studio/setup", json=body).status_code == 200


CALLS = [
    ("GET", "/studio/health"),
    ("GET", "/studio/versions"),
    ("POST", "/studio/setup"),
    ("POST", "/studio/predict"),
    ("POST", "/studio/webhook"),
    ("POST", "/studio/train"),
]


def _answers(client: InProcessClient, **options: Any) -> set[int]:
    return {
        client.request(method, path, **options | ({"json": {}} if method == "POST" else {})).status_code
        for method, path in CALLS
    }


def test_with_a_password_or_a_secret_set_nobody_else_is_answered(settings: Settings) -> None:
    """Either opens every call; wrong ones, half ones and other schemes open none."""
    secured = load_settings(
        **settings.model_dump()
        | {"studio_backend_user": "ls", "studio_backend_password": "pa:ss é", "studio_webhook_secret": "wörd"}
    )
    with in_process(create_app(secured, FakeTagger())) as client:
        assert _answers(client) == {401}
        assert _answers(client, auth=("ls", "wrong")) == {401}
        assert _answers(client, headers={"Authorization": "Bearer x"}) == {401}
        assert _answers(client, headers={"Authorization": "Basic !!!"}) == {401}
        assert _answers(client, headers={SECRET_HEADER: "word"}) == {401}
        assert _answers(client, auth=("ls", "pa:ss é")) == {200}
        assert _answers(client, headers={SECRET_HEADER: "wörd".encode()}) == {200}
        refused = client.get("/studio/health")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"].startswith("Basic ")


def test_without_secrets_only_this_machine_may_call(client: InProcessClient) -> None:
    """What a proxy passes on comes from somewhere else."""
    assert _answers(client) == {200}
    assert _answers(client, headers={"X-Forwarded-For": "192.0.2.7"}) == {401}


def test_secrets_and_tokens_are_never_logged(settings: Settings) -> None:
    """Neither ours nor the token that Label Studio sends along."""
    secured = load_settings(
        **settings.model_dump() | {"studio_backend_user": "ls", "studio_backend_password": "h1dden"}
    )
    loggers = [logging.getLogger(name) for name in ("talkingpoints", "uvicorn")]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    stream = io.StringIO()
    configure_logging("debug", stream)
    try:
        with in_process(create_app(secured, FakeTagger())) as client:
            client.post("/studio/setup", json={"access_token": "t0ken-of-admin"}, auth=("ls", "h1dden"))
            client.post("/studio/webhook", content=b"{h1dden t0ken-of-admin", auth=("ls", "h1dden"))
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
    assert "/studio/setup" in stream.getvalue()
    assert "h1dden" not in stream.getvalue()
    assert "t0ken" not in stream.getvalue()
