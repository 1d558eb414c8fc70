"""Tests of /v1/queue, service.queueing, service.idempotency and their tables, with what Label Studio is sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from annotations.ledger import idempotency
from annotations.ledger.erasing import erase_posts
from annotations.ledger.erasure_plan import plan_erasure
from annotations.ledger.posts import chosen_posts, post_counts
from annotations.ledger.queued import has_unsent, queued_post_ids
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_tasks import ProjectRow, save_project
from annotations.ledger.tables import idempotency_keys, imports, queued_posts, studio_tasks
from annotations.studio.client import StudioClient
from annotations.studio.push import PushOptions, push
from service.app import build_app
from service.settings import Settings, load_settings
from service.studio_sync import StudioSync
from service.tagger import FixedModel
from service.testing import FakeTagger, InProcessClient, in_process

POST = {
    "text": "The valley is ours.\r\n",
    "channel": "Calverra MFA",
    "message_id": "7",
    "date": "2026-01-31T09:30:00Z",
}
KEY = {"Idempotency-Key": "k-1"}
PROJECT = ProjectRow("local#1", "T", "c", "2026-01-01T00:00:00+00:00", None, 0, 0)


class Listener(StudioSync):
    """Counts what it was woken for."""

    def __init__(self) -> None:
        self.heard = 0

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def wake(self, *, push: bool = False, train: bool = False, queue: bool = False) -> None:
        """Count it."""
        self.heard += queue and not push and not train


@pytest.fixture
def settings(ledger_url: str, tmp_path: Path) -> Settings:
    """Return settings of a workspace with small limits."""
    return load_settings(home=tmp_path, database_url=ledger_url, max_batch_posts=5, max_text_length=100)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """Yield the workspace's ledger."""
    opened = open_ledger(settings.workspace.ledger_url)
    yield opened
    opened.close()


@pytest.fixture
def listener() -> Listener:
    """Return a listener."""
    return Listener()


@pytest.fixture
def client(settings: Settings, listener: Listener) -> Iterator[InProcessClient]:
    """Yield a client of the service."""
    with in_process(build_app(settings, FixedModel(FakeTagger()), listener)) as started:
        yield started


def _queue(client: InProcessClient, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return client.post("/v1/queue", json=body, headers=headers or {})


def test_posts_are_in_the_ledger_before_they_are_answered(
    client: InProcessClient, ledger: Ledger, listener: Listener
) -> None:
    """New posts are recorded like imported ones; the answer names them, and Label Studio is told of them."""
    answer = _queue(client, posts=[POST, {"text": "No number."}, {"text": "No number.", "channel": "other"}])
    assert answer.status_code == 202
    told = [(each["post_id"], each["outcome"], each["state"]) for each in answer.json()["posts"]]
    assert told[0] == ("Calverra-MFA/7", "new", "stored")
    assert [each[0].partition("/")[0] for each in told[1:]] == ["api", "other"]
    assert [each[1] for each in told[1:]] == ["new", "duplicate"]
    (stored,) = chosen_posts(ledger, ["Calverra-MFA/7"])
    assert (stored.post.text, stored.post.raw) == ("The valley is ours.", POST["text"])
    assert stored.post.date is not None
    assert stored.post.date.isoformat() == "2026-01-31T09:30:00+00:00"
    assert queued_post_ids(ledger) == [each[0] for each in told]
    assert listener.heard == 1
    assert client.get(f"/v1/queue/{answer.json()['ticket']}").json() == answer.json()
    with ledger.begin() as connection:
        row = connection.execute(select(imports)).one()
    assert (row.file, row.counts) == ("POST /v1/queue", {"new": 2, "duplicate": 1})


def test_a_post_of_the_ledger_is_queued_by_its_id_and_a_changed_one_is_an_edit(
    client: InProcessClient, ledger: Ledger
) -> None:
    """Nothing is recorded twice."""
    _queue(client, posts=[POST])
    edited = _queue(
        client, posts=[POST | {"text": "The valley is yours."}], post_ids=["Calverra-MFA/7"]
    ).json()
    assert [each["outcome"] for each in edited["posts"]] == ["edited", "known"]
    assert (
        _queue(client, posts=[POST | {"text": "The valley is yours."}]).json()["posts"][0]["outcome"]
        == "unchanged"
    )
    counts = post_counts(ledger)
    assert (counts["posts"], counts["revisions"], queued_post_ids(ledger)) == (1, 2, ["Calverra-MFA/7"])


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "", "missing"),
        ({"posts": []}, "/posts", "too_short"),
        ({"posts": [{"text": " \n"}]}, "/posts/0/text", "string_pattern_mismatch"),
        ({"posts": [{"text": "VIEW IN TELEGRAM"}]}, "/posts/0/text", "blank"),
        ({"posts": [{"text": "a"}, {"text": "b" * 101}]}, "/posts/1/text", "string_too_long"),
        ({"posts": [{"text": "a"}] * 6}, "/posts", "too_long"),
        ({"post_ids": ["a/1"] * 6}, "/post_ids", "too_long"),
        ({"posts": [{"text": "a", "message_id": "1/2"}]}, "/posts/0/message_id", "string_pattern_mismatch"),
        ({"posts": [{"text": "a", "date": "0001-01-01T00:00:00+05:00"}]}, "/posts/0/date", "date_time"),
    ],
)
def test_what_cannot_be_queued_is_named_and_nothing_is_stored(
    client: InProcessClient, ledger: Ledger, body: dict[str, Any], pointer: str, code: str
) -> None:
    """All of a request or none of it."""
    answer = _queue(client, **body)
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, code)]
    assert (post_counts(ledger)["posts"], queued_post_ids(ledger)) == (0, [])


def test_a_post_that_is_unknown_is_a_conflict_and_nothing_is_stored(
    client: InProcessClient, ledger: Ledger
) -> None:
    """The request may be right tomorrow: nothing is wrong with its form."""
    answer = _queue(client, posts=[POST], post_ids=["no/1"])
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs#problem-conflict")
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
        ("/post_ids/0", "unknown_post")
    ]
    assert (post_counts(ledger)["posts"], queued_post_ids(ledger)) == (0, [])


def test_a_post_that_was_erased_on_request_is_not_stored_again(
    client: InProcessClient, ledger: Ledger
) -> None:
    """Its mark goes with it, and a ticket says so."""
    ticket = _queue(client, posts=[POST, {"text": "Another."}]).json()["ticket"]
    erase_posts(ledger, plan_erasure(ledger, ["Calverra-MFA/7"]), "asked for")
    answer = _queue(client, posts=[POST])
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "erased")
    assert len(client.get(f"/v1/queue/{ticket}").json()["posts"]) == 1
    assert len(queued_post_ids(ledger)) == 1


def test_a_ticket_is_answered_while_an_import_writes(client: InProcessClient, ledger: Ledger) -> None:
    """Whoever only looks does not wait for a writer."""
    ticket = _queue(client, posts=[POST]).json()["ticket"]
    with ledger.begin() as connection:
        connection.execute(imports.update().values(file="elsewhere"))
        assert client.get(f"/v1/queue/{ticket}").status_code == 200
        assert queued_post_ids(ledger) == ["Calverra-MFA/7"]


def test_an_unknown_ticket_is_not_found(client: InProcessClient) -> None:
    """A ticket of the right form that was never given, and one of another form."""
    assert client.get(f"/v1/queue/{'0' * 32}").status_code == 404
    assert client.get("/v1/queue/abc").status_code == 422


def test_the_same_key_and_body_is_one_write(client: InProcessClient, ledger: Ledger) -> None:
    """The answer is that of the first, and says so; another body, or another address, is refused."""
    first = _queue(client, KEY, posts=[POST])
    again = _queue(client, KEY, posts=[POST])
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    other = _queue(client, KEY, posts=[{"text": "other"}])
    rollback = client.post("/v1/models/rollback", headers=KEY)
    for refused in (other, rollback):
        assert (refused.status_code, refused.json()["errors"]) == (
            409,
            [
                {
                    "location": "header",
                    "pointer": "/Idempotency-Key",
                    "detail": "It was used for another request",
                    "code": "idempotency_key_reused",
                }
            ],
        )
    assert post_counts(ledger)["posts"] == 1


def test_a_key_must_look_like_one(client: InProcessClient) -> None:
    """Empty, long or odd keys are refused, and two of them."""
    for key in ("", "a" * 129, "a b", "ключ".encode()):
        assert _queue(client, {"Idempotency-Key": key}, posts=[POST]).status_code == 422  # type: ignore[dict-item]
    twice = client.request(
        "POST", "/v1/queue", json={"posts": [POST]}, headers=[("Idempotency-Key", "a")] * 2
    )
    assert twice.status_code == 422


def test_a_write_that_failed_is_carried_out_again(client: InProcessClient, ledger: Ledger) -> None:
    """Its key is free: what was wrong may have been put right in the meantime."""
    assert _queue(client, KEY, post_ids=["Calverra-MFA/7"]).status_code == 409
    _queue(client, posts=[POST])
    assert _queue(client, KEY, post_ids=["Calverra-MFA/7"]).status_code == 202


def test_the_same_key_at_the_same_time_is_refused_but_once(client: InProcessClient, ledger: Ledger) -> None:
    """Of many at once one is carried out; the others get its answer, or are told to wait."""
    barrier = threading.Barrier(8)

    def send(_: int) -> httpx.Response:
        barrier.wait()
        return _queue(client, KEY, posts=[POST])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {each.status_code for each in answers} <= {202, 409}
    assert len({each.json()["ticket"] for each in answers if each.status_code == 202}) == 1
    for each in answers:
        if each.status_code == 409:
            assert each.headers["retry-after"] == "5"
            assert each.json()["type"] == "/docs#problem-request-in-progress"
    with ledger.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(queued_posts)) == 1


def test_keys_are_reserved_given_up_and_forgotten(ledger: Ledger) -> None:
    """A request whose process was killed is open again after a minute, an answer is forgotten after a day."""
    first = idempotency.reserve(ledger, "k", "d")
    assert isinstance(first, idempotency.Reservation)
    assert idempotency.reserve(ledger, "k", "d") == idempotency.InProgress()
    assert idempotency.reserve(ledger, "k", "e") == idempotency.Different()
    _age(ledger, "2000-01-01T00:00:00.000000+00:00")
    second = idempotency.reserve(ledger, "k", "e")
    assert isinstance(second, idempotency.Reservation)
    with ledger.begin() as connection:
        idempotency.finish(connection, first, idempotency.Answered(200, "late"))
        idempotency.finish(connection, second, idempotency.Answered(200, "right"))
    assert idempotency.reserve(ledger, "k", "e") == idempotency.Answered(200, "right")
    idempotency.release(ledger, second)
    assert idempotency.reserve(ledger, "k", "e") == idempotency.Answered(200, "right")
    _age(ledger, "2000-01-01T00:00:00.000000+00:00")
    assert isinstance(idempotency.reserve(ledger, "k", "e"), idempotency.Reservation)


def _age(ledger: Ledger, moment: str) -> None:
    with ledger.begin() as connection:
        connection.execute(update(idempotency_keys).values(created_at=moment))


class Studio:
    """Answers like Label Studio as far as a push needs it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Make tasks, and know the project."""
        if request.url.path.endswith("/import"):
            tasks = json.loads(request.content)
            first = len(self.texts) + 1
            self.texts += [task["data"]["text"] for task in tasks]
            return httpx.Response(201, json={"task_ids": list(range(first, first + len(tasks)))})
        project = {
            "id": 1,
            "title": "T",
            "description": None,
            "created_at": "2026-01-01T00:00:00Z",
            "label_config": "<View/>",
            "task_number": 0,
            "total_annotations_number": 0,
            "skipped_annotations_number": 0,
            "model_version": "",
        }
        return httpx.Response(200, json=project)


def test_a_push_of_what_was_asked_sends_nothing_else(client: InProcessClient, ledger: Ledger) -> None:
    """Once each, copies too; the ticket then says that they were sent, and a full push sends the rest after them."""
    save_project(ledger, PROJECT)
    assert not has_unsent(ledger, PROJECT.key)
    _queue(client, posts=[{"text": "before"}])
    with ledger.begin() as connection:
        connection.execute(queued_posts.delete())  # an imported post that nobody asked for
    ticket = _queue(client, posts=[POST, {"text": "before", "channel": "copy"}]).json()["ticket"]
    assert has_unsent(ledger, PROJECT.key)
    studio = Studio()
    transport = httpx.MockTransport(studio)
    with StudioClient("http://studio.example", "secret-" + "0" * 33, transport=transport) as there:
        for _ in range(2):
            push(ledger, there, PROJECT, PushOptions(asked_only=True))
        assert studio.texts == ["The valley is ours.", "before"]
        assert not has_unsent(ledger, PROJECT.key)
        states = [each["state"] for each in client.get(f"/v1/queue/{ticket}").json()["posts"]]
        assert states == ["sent", "sent"]
        assert push(ledger, there, PROJECT).pushed == 1
    assert studio.texts[2:] == ["before"]
    with ledger.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(studio_tasks)) == 3
