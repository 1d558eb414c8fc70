"""The service and a real Label Studio: suggestions on open, blind posts, events, a storm of them."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotations.codebook import load_codebook, parse_codebook
from annotations.importing import import_file
from annotations.ledger.readings import readings
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.ledger.studio_annotations import known_annotations
from annotations.ledger.studio_tasks import ProjectRow, task_rows
from annotations.ledger.suggestions import Switch, blind_posts, suggestions_on, switch
from annotations.records import Annotation
from annotations.studio.client import StudioClient
from annotations.studio.connecting import SECRET_HEADER, connect
from annotations.studio.predictions import push_predictions
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import push
from annotations.studio.switching import turn
from annotations.studio.tasks import result_of
from service.settings import Settings, child_environment, load_settings
from service.studio_connecting import backend_options
from service.suggesting import CueSuggestions, model_answers

pytestmark = pytest.mark.live

CODEBOOK_YAML = """
version: "1"
title: Live test
families:
  - id: claims
    title: Claims
    tags:
      - {id: poles, title: Multipolar world, definition: Several centres of power., cues: [multipolar*]}
      - {id: un-role, title: Role of the UN, definition: The UN is central., cues: [the Charter]}
"""
TEXT = "Post {} 🇷🇺 e\u0301: a multipolar world, многополярный мир, and the Charter."
SECRET = "a secret of the test"


@dataclass
class Office:
    """A workspace, its project in the live Label Studio, and the service as a process of its own."""

    settings: Settings
    ledger: Ledger
    client: StudioClient
    studio: Any
    project: ProjectRow

    @property
    def http(self) -> httpx.Client:
        """Return a client of Label Studio that acts as its administrator's browser would."""
        token = self.studio.running.credentials.admin.token
        return httpx.Client(
            base_url=self.client.url, headers={"Authorization": f"Token {token}"}, timeout=60, trust_env=False
        )

    def connect(self) -> None:
        """Connect the running service."""
        connect(self.ledger, self.client, self.project, backend_options(self.settings))

    def tasks(self) -> dict[str, int]:
        """Return the numbers of the tasks by post."""
        return {key[0]: row.task_id or 0 for key, row in task_rows(self.ledger, self.project.key).items()}

    def in_studio(self) -> dict[int, tuple[int, str]]:
        """Return the annotations there are in Label Studio: task and content by number."""
        pages = self.client.find_tasks(self.project.project_id)
        return {
            each["id"]: (task["id"], json.dumps(each["result"], sort_keys=True))
            for page in pages
            for task in page
            for each in task["annotations"]
        }

    def in_ledger(self) -> dict[int, tuple[int, str]]:
        """Return the same of the ledger."""
        with self.ledger.begin() as connection:
            rows = connection.exec_driver_sql(
                "SELECT annotation_id, task_id, received FROM studio_annotations "
                "WHERE project = ? AND deleted_at IS NULL",
                (self.project.key,),
            ).all()
        return {row[0]: (row[1], json.dumps(json.loads(row[2])["result"], sort_keys=True)) for row in rows}

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the service until the end of the block, unless it is killed before."""
        with (self.settings.home / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", "serve"],
                env=child_environment(self.settings),
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            _until(lambda: self._answers() or process.poll() is not None)
            yield process
        finally:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.settings.port}/healthz", trust_env=False).is_success
        except httpx.HTTPError:
            return False


def _until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def office(live_studio: Any, tmp_path: Path) -> Iterator[Office]:
    """Return an office with forty posts that have tasks, suggestions switched on, the service not running."""
    home = tmp_path / "workspace"
    home.mkdir()
    (home / "codebook.yaml").write_text(CODEBOOK_YAML, encoding="utf-8")
    # The workspace's own Label Studio is the one of the session: same folder, same logins.
    (home / "studio").symlink_to(live_studio.local.path, target_is_directory=True)
    settings = load_settings(
        home=home,
        port=_free_port(),
        studio_env=live_studio.local.environment,
        studio_webhook_secret=SECRET,
        studio_backend_user="studio",
        studio_backend_password="a password",
        studio_debounce_seconds=0.5,
        studio_train_after=0,
    )
    ledger = open_ledger(settings.workspace.ledger_url)
    with live_studio.client() as client:
        codebook = parse_codebook(CODEBOOK_YAML)
        options = ProjectOptions(new_project=True, show_predictions=True, overlap=2)
        project = ensure_project(ledger, client, codebook, options)
        path = tmp_path / "posts.jsonl"
        rows = [
            {"channel": "mfa", "message_id": str(number), "text": TEXT.format(number)} for number in range(40)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        import_file(ledger, path)
        push(ledger, client, project)
        yield Office(settings, ledger, client, live_studio, project)
    ledger.close()


def _annotation(post_id: str, tags: tuple[str, ...]) -> Annotation:
    text = TEXT.format(post_id.partition("/")[2])
    return Annotation(post_id=post_id, annotator="A", text=text, tags=dict.fromkeys(tags, ()))


def test_a_fresh_task_has_a_suggestion_when_it_is_opened(office: Office) -> None:
    """In the Data Manager and in the labelling stream; blind posts show nothing; all of it is in the ledger."""
    codebook = parse_codebook(CODEBOOK_YAML)
    with office.serving(), office.http as http:
        office.connect()
        blind = blind_posts(office.ledger, office.project.key, office.tasks())
        shown = sorted(set(office.tasks()) - blind)
        opened = http.get(f"/api/tasks/{office.tasks()[shown[0]]}/").json()
        (prediction,) = opened["predictions"]
        assert prediction["model_version"] == f"cues-{codebook.digest[:8]}"
        text = opened["data"]["text"]
        values = [item["value"] for item in prediction["result"]]
        assert values[0]["choices"] == ["Multipolar world", "Role of the UN"]
        assert [value["text"] for value in values[1:]] == ["multipolar", "the Charter"]
        assert all(text[value["start"] : value["end"]] == value["text"] for value in values[1:])
        assert blind
        (nothing,) = http.get(f"/api/tasks/{office.tasks()[min(blind)]}/").json()["predictions"]
        assert nothing["result"] == []
        stream = http.get(f"/api/projects/{office.project.project_id}/next").json()
        assert len(stream["predictions"]) == 1
    task_ids = [office.tasks()[shown[0]], office.tasks()[min(blind)]]
    kept = suggestions_on(office.ledger, office.project.key, task_ids)
    assert [kept[task_id][0].withheld for task_id in task_ids] == [False, True]


def test_a_push_leaves_blind_posts_out_and_what_was_opened_is_not_doubled(office: Office) -> None:
    """One suggestion a task and version, whichever way it came."""
    with office.serving(), office.http as http:
        office.connect()
        blind = blind_posts(office.ledger, office.project.key, office.tasks())
        shown = sorted(set(office.tasks()) - blind)
        http.get(f"/api/tasks/{office.tasks()[shown[0]]}/")
    answers = model_answers(office.ledger, CueSuggestions(parse_codebook(CODEBOOK_YAML)))
    n_pushed = push_predictions(office.ledger, office.client, office.project, answers)
    assert n_pushed == len(shown) - 1
    pages = office.client.find_tasks(office.project.project_id)
    counts = {task["data"]["post_id"]: len(task["predictions"]) for page in pages for task in page}
    assert counts == {post_id: int(post_id not in blind) for post_id in office.tasks()}


def test_connecting_again_changes_nothing_and_hides_the_webhook_without_a_secret(office: Office) -> None:
    """One backend, one webhook with the secret header; the one that Label Studio makes itself is gone."""
    with office.serving(), office.http as http:
        for _ in range(2):
            office.connect()
        number = office.project.project_id
        (backend,) = http.get("/api/ml/", params={"project": number}).json()
        (webhook,) = http.get("/api/webhooks/", params={"project": number}).json()
    assert (backend["state"], backend["auth_method"]) == ("CO", "BASIC_AUTH")
    assert webhook["headers"] == {SECRET_HEADER: SECRET}
    assert webhook["send_for_all_actions"] is False


def test_origins_and_arms_of_annotations_are_known_after_the_pull(office: Office) -> None:
    """Tags of the suggestion on the task count as taken over while the switch was on; blind ones never."""
    codebook = parse_codebook(CODEBOOK_YAML)
    answers = model_answers(office.ledger, CueSuggestions(codebook))
    push_predictions(office.ledger, office.client, office.project, answers)
    blind = sorted(blind_posts(office.ledger, office.project.key, office.tasks()))
    shown = sorted(set(office.tasks()) - set(blind))

    def submit(post_id: str) -> None:
        with office.studio.client("A") as client:
            body = {"result": result_of(_annotation(post_id, ("poles",)), codebook), "lead_time": 3.0}
            client.annotate(office.tasks()[post_id], body)

    submit(shown[0])
    submit(blind[0])
    state = turn(office.ledger, office.client, office.project, Switch(shown=False))
    assert state.shown is False
    time.sleep(0.1)
    submit(shown[1])
    pull(office.ledger, office.client, office.project, PullOptions(codebook=codebook))
    origins = {each.post_id: each.origin["poles"] for each in stored_annotations(office.ledger)}
    assert origins == {shown[0]: "prediction", blind[0]: "manual", shown[1]: "manual"}
    found, n_other = readings(office.ledger)
    assert {each.post.partition("@")[0]: each.withheld for each in found} == {shown[0]: False, blind[0]: True}
    assert n_other == 1


def test_a_switch_turned_in_label_studio_is_noticed(office: Office) -> None:
    """Anybody can turn it on the settings page there; the next pull takes it over."""
    codebook = parse_codebook(CODEBOOK_YAML)
    office.client.update_project(office.project.project_id, {"show_collab_predictions": False})
    pull(office.ledger, office.client, office.project, PullOptions(codebook=codebook))
    assert switch(office.ledger, office.project.key).shown is False


def test_an_annotation_is_in_the_ledger_seconds_later(office: Office) -> None:
    """By the webhook of Label Studio itself; a deletion too."""
    codebook = load_codebook(office.settings.codebook_path)
    with office.serving(), office.studio.client("A") as annotator:
        office.connect()
        result = result_of(_annotation("mfa/1", ("poles",)), codebook)
        number = annotator.annotate(office.tasks()["mfa/1"], {"result": result})
        _until(lambda: number in office.in_ledger())
        annotator.delete_annotation(number)
        _until(lambda: number not in office.in_ledger())
    assert known_annotations(office.ledger, office.project.key)[number].deleted_at is not None


def test_a_storm_of_events_leaves_the_ledger_equal_to_label_studio(office: Office) -> None:
    """1,000 events in 10 s: doubled, out of order, malformed, the service killed and started again meanwhile.

    Annotations are really made, changed and deleted in the same time. What the service hears is not the truth.
    """
    storm = Storm(office)
    with office.serving() as first:
        office.connect()
        storm.start()
        time.sleep(4)
        first.kill()
        first.wait()
    with office.serving():
        storm.join()
        assert storm.n_sent == 1000
        # Nobody says anything more: what was lost while it was down must come without another event.
        _until(lambda: office.in_ledger() == office.in_studio(), 120)
    assert len(office.in_studio()) > 10
    assert storm.n_answered > 300


class Storm:
    """Sends events to the service at a steady pace while an annotator works."""

    def __init__(self, office: Office) -> None:
        self.n_sent = self.n_answered = 0
        self._office = office
        self._chance = random.Random(0)
        self._guard = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(part,)) for part in range(4)]
        self._threads.append(threading.Thread(target=self._annotate))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the end."""
        for thread in self._threads:
            thread.join()

    def _send(self, part: int) -> None:
        address = f"{self._office.settings.backend_url}/webhook"
        headers = {SECRET_HEADER: SECRET, "Content-Type": "application/json"}
        begin = time.monotonic()
        with httpx.Client(timeout=5, headers=headers, trust_env=False) as client:
            for number in range(250):
                time.sleep(max(0.0, begin + number * 0.04 - time.monotonic()))
                try:
                    answer = client.post(address, content=self._event(part * 250 + number))
                except httpx.HTTPError:
                    answer = None
                with self._guard:
                    self.n_sent += 1
                    if answer is not None:
                        assert answer.status_code in (200, 400)
                        self.n_answered += 1

    def _event(self, number: int) -> bytes:
        kind = number % 10
        if kind == 0:
            return self._chance.choice([b"", b"{", b"null", b"[1, 2", b"\xff\xff", b'{"action": 5}'])
        action = self._chance.choice(
            ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "NEW"]
        )
        # The same numbers come again, later ones before earlier ones.
        annotation = {"id": self._chance.randrange(1, 40), "result": [], "updated_at": "2026-01-01T00:00:00Z"}
        body = {"action": action, "annotation": annotation, "project": {"id": 1}, "task": {"id": 1}}
        return json.dumps(body).encode()

    def _annotate(self) -> None:
        codebook = parse_codebook(CODEBOOK_YAML)
        tasks = self._office.tasks()
        with self._office.studio.client("A") as client:
            for number, (post_id, task_id) in enumerate(sorted(tasks.items())[:24]):
                result = result_of(_annotation(post_id, ("poles",)), codebook)
                made = client.annotate(task_id, {"result": result, "lead_time": 1.0})
                if number % 3 == 1:
                    other = result_of(_annotation(post_id, ("un-role",)), codebook)
                    client.update_annotation(made, {"result": other})
                if number % 12 == 2:
                    client.delete_annotation(made)


def test_queued_posts_outlive_the_service_and_go_to_label_studio(office: Office) -> None:
    """Queued while there is no Label Studio, by a service that is then killed: the next one sends them, once."""
    hidden = office.settings.home / "hidden"
    link = office.settings.home / "studio"
    link.rename(hidden)
    address = f"http://127.0.0.1:{office.settings.port}"
    before = set(office.tasks())
    with office.serving() as process:
        posts = [
            {"text": f"A queued post, number {number}.", "message_id": str(number)} for number in range(3)
        ]
        answer = httpx.post(
            f"{address}/v1/queue", json={"posts": posts, "post_ids": ["mfa/1"]}, trust_env=False
        )
        assert answer.status_code == 202
        ticket = answer.json()["ticket"]
        assert [each["state"] for each in answer.json()["posts"]] == ["stored"] * 3 + ["sent"]
        process.kill()
    hidden.rename(link)
    with office.serving():

        def states() -> list[str]:
            found = httpx.get(f"{address}/v1/queue/{ticket}", trust_env=False).json()
            return [each["state"] for each in found["posts"]]

        _until(lambda: states() == ["sent"] * 4)
    new = {key: number for key, number in office.tasks().items() if key not in before}
    assert sorted(new) == ["api/0", "api/1", "api/2"]
    pages = office.client.find_tasks(office.project.project_id, include="data")
    there = [task["data"]["post_id"] for page in pages for task in page]
    assert len(there) == len(set(there)) == 43
