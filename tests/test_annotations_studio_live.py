"""Push and pull against a real Label Studio: no loss and no twin, whatever is killed, edited or deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotations.codebook import Codebook, parse_codebook
from annotations.errors import StudioError
from annotations.importing import import_file
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio import stored_annotations, studio_counts
from annotations.ledger.studio_tasks import ProjectRow, save_project, task_rows
from annotations.records import Annotation, Post, Span, text_digest
from annotations.studio.client import NotFoundError, StudioClient
from annotations.studio.predictions import push_predictions
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, PullReport, pull
from annotations.studio.push import PushOptions, PushReport, push
from annotations.studio.session import log_in, personal_token
from annotations.studio.tasks import ModelAnswers, Suggestion, result_of

pytestmark = pytest.mark.live

CODEBOOK_YAML = """
version: "1"
title: Live test
families:
  - id: claims
    title: Claims
    tags:
      - {id: multipolarity, title: Multipolar world, definition: Several centres of power.}
      - {id: un-role, title: Role of the UN, definition: The UN is central.}
"""
CODEBOOK = parse_codebook(CODEBOOK_YAML)
TEXT = "Post {} 🇷🇺 👨‍👩‍👧 e\u0301: a multipolar world, многополярный мир & <b>the UN</b>."


@dataclass
class Desk:
    """A ledger with posts and a project of its own in the live Label Studio."""

    ledger: Ledger
    client: StudioClient
    studio: Any
    project: ProjectRow
    folder: Path

    def push(self, client: StudioClient | None = None, **options: Any) -> PushReport:
        """Push with options."""
        chosen = PushOptions(**{"settle_seconds": 1.0} | options)
        return push(self.ledger, client or self.client, self.project, chosen)

    def pull(self, **options: Any) -> PullReport:
        """Pull with options, the accounts named A and B."""
        names = {"a@talkingpoints.example": "A", "b@talkingpoints.example": "B"}
        return pull(
            self.ledger, self.client, self.project, PullOptions(codebook=CODEBOOK, names=names, **options)
        )

    def add(self, *posts: Post) -> None:
        """Import posts."""
        path = self.folder / "posts.jsonl"
        rows = [
            {
                "channel": each.channel,
                "message_id": each.message_id,
                "text": each.text,
                "edited_at": each.edited_at and each.edited_at.isoformat(),
            }
            for each in posts
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        import_file(self.ledger, path)

    def task(self, post_id: str) -> int:
        """Return the number of the newest task of a post."""
        numbers = [
            row.task_id or 0
            for key, row in task_rows(self.ledger, self.project.key).items()
            if key[0] == post_id
        ]
        return max(numbers)

    def submit(self, *annotations: Annotation) -> list[int]:
        """Submit annotations as their annotators."""
        found = []
        for annotation in annotations:
            with self.studio.client(annotation.annotator) as client:
                body = {"result": result_of(annotation, CODEBOOK), "was_cancelled": annotation.skipped}
                found.append(client.annotate(self.task(annotation.post_id), body | {"lead_time": 2.5}))
        return found

    def tasks_there(self) -> Counter[tuple[str, str]]:
        """Return how many tasks Label Studio has of each post and revision."""
        pages = self.client.find_tasks(self.project.project_id, include="data")
        return Counter((task["data"]["post_id"], task["data"]["revision"]) for page in pages for task in page)


class Cut(httpx.BaseTransport):
    """A line to the server that breaks at the first import: before it has arrived, or before it is answered."""

    def __init__(self, *, arrives: bool) -> None:
        self._inner = httpx.HTTPTransport()
        self._arrives = arrives

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, or break."""
        if not request.url.path.endswith(("/import", "/import/predictions")):
            return self._inner.handle_request(request)
        if self._arrives:
            self._inner.handle_request(request).read()
        raise httpx.ReadError("the line broke")

    def close(self) -> None:
        """Close what is inside."""
        self._inner.close()


def _post(number: int, text: str | None = None) -> Post:
    return Post(channel="mfa", message_id=str(number), text=text or TEXT.format(number))


def _annotation(number: int, annotator: str, **changes: Any) -> Annotation:
    text = TEXT.format(number)
    start = text.index("multipolar")
    tags = {"multipolarity": (Span(start, start + 16), Span(0, 6)), "un-role": ()}
    values: dict[str, Any] = {"post_id": f"mfa/{number}", "annotator": annotator, "text": text, "tags": tags}
    return Annotation(**values | changes)


def _content(annotations: Sequence[Annotation]) -> list[tuple[Any, ...]]:
    return sorted(
        (
            each.post_id,
            each.annotator,
            each.text,
            sorted((tag, tuple(sorted(spans))) for tag, spans in each.tags.items()),
            each.skipped,
            each.flags,
            each.comment,
        )
        for each in annotations
    )


@pytest.fixture
def desk(live_studio: Any, tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with twelve posts, none of them pushed."""
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with live_studio.client() as client:
        options = ProjectOptions(new_project=True, overlap=2, blind_share=0)
        project = ensure_project(ledger, client, CODEBOOK, options)
        desk = Desk(ledger, client, live_studio, project, tmp_path)
        desk.add(*(_post(number) for number in range(12)))
        yield desk
    ledger.close()


def test_a_first_start_that_was_killed_is_recovered(live_studio: Any) -> None:
    """The half-made data were set aside, and the server runs; a second `up` finds it running."""
    assert (live_studio.local.path / "data.unfinished").is_dir()
    again = live_studio.local.up()
    assert (again.was_running, again.pid) == (True, live_studio.running.pid)


def test_no_secret_is_in_logs_or_process_arguments(live_studio: Any) -> None:
    """Tokens and passwords are in one private file and nowhere else."""
    credentials = live_studio.running.credentials
    log = live_studio.local.log_path.read_text(errors="replace")
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=False).stdout
    for secret in (credentials.admin.token, credentials.admin.password):
        assert secret not in log + arguments


def test_a_second_push_makes_no_twin(desk: Desk) -> None:
    """What is there stays as it is; a dry run sends nothing; a limit is kept."""
    assert desk.push(dry_run=True).pushed == 12
    assert desk.tasks_there() == Counter()
    assert desk.push(limit=5).pushed == 5
    assert desk.push().pushed == 7
    report = desk.push()
    assert (report.pushed, report.already_there) == (0, 12)
    assert set(desk.tasks_there().values()) == {1}


@pytest.mark.parametrize("arrives", [True, False])
def test_a_push_cut_between_announcement_and_confirmation_is_mended(desk: Desk, arrives: bool) -> None:
    """Whether or not Label Studio has taken the batch: no loss, no twin."""
    with desk.studio.client(transport=Cut(arrives=arrives)) as broken, pytest.raises(StudioError):
        desk.push(broken)
    report = desk.push()
    assert (report.recovered, report.pushed) == ((12, 0) if arrives else (0, 12))
    assert (len(desk.tasks_there()), set(desk.tasks_there().values())) == (12, {1})


def test_a_push_killed_by_the_system_goes_on(desk: Desk) -> None:
    """SIGKILL in the middle of many batches; the next run does the rest, exactly once."""
    desk.add(*(_post(number, f"One of many, number {number}") for number in range(100, 3100)))
    script = (
        "import sys; from pathlib import Path\n"
        "from annotations.ledger.store import open_ledger\n"
        "from annotations.ledger.studio_tasks import project_row\n"
        "from annotations.studio.server import LocalStudio\n"
        "from annotations.studio.push import push\n"
        "ledger = open_ledger(sys.argv[1])\n"
        "running = LocalStudio(Path(sys.argv[2]), Path('/nowhere')).running()\n"
        "push(ledger, running.client(), project_row(ledger, sys.argv[3]),\n"
        "     progress=lambda done, total: print(done, flush=True))\n"
    )
    arguments = [str(desk.ledger.engine.url), str(desk.studio.local.path), desk.project.key]
    with subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"500\n"
        os.kill(process.pid, signal.SIGKILL)
    report = desk.push(settle_seconds=5.0)
    assert report.pushed + report.recovered + report.already_there >= 3012
    assert (len(desk.tasks_there()), set(desk.tasks_there().values())) == (3012, {1})


def test_two_pushes_at_once_make_no_twin(desk: Desk) -> None:
    """The second one waits for the first, and finds nothing to do."""
    script = (
        "import sys; from pathlib import Path\n"
        "from annotations.ledger.store import open_ledger\n"
        "from annotations.ledger.studio_tasks import project_row\n"
        "from annotations.studio.server import LocalStudio\n"
        "from annotations.studio.push import push\n"
        "ledger = open_ledger(sys.argv[1])\n"
        "client = LocalStudio(Path(sys.argv[2]), Path('/nowhere')).running().client()\n"
        "print(push(ledger, client, project_row(ledger, sys.argv[3])).pushed)\n"
    )
    arguments = [str(desk.ledger.engine.url), str(desk.studio.local.path), desk.project.key]
    command = [sys.executable, "-c", script, *arguments]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as one,
        subprocess.Popen(command, stdout=subprocess.PIPE) as other,
    ):
        counts = [int(process.communicate()[0]) for process in (one, other)]
    assert sorted(counts) == [0, 12]
    assert set(desk.tasks_there().values()) == {1}


def test_what_two_annotators_submit_is_what_is_pulled(desk: Desk) -> None:
    """Span for span, with skips, 'None of these', flags and comments; then nothing new."""
    desk.push()
    submitted = [
        _annotation(0, "A"),
        _annotation(0, "B", tags={"un-role": ()}),
        _annotation(1, "A", tags={}),
        _annotation(1, "B", tags={}, skipped=True),
        _annotation(2, "A", tags={}, flags=("unclear",), comment="Was it him? 🤔"),
    ]
    desk.submit(*submitted)
    report = desk.pull()
    assert (report.new, report.deleted, report.problems) == (5, 0, ())
    pulled = stored_annotations(desk.ledger)
    assert _content(pulled) == _content(submitted)
    assert {(each.codebook, each.lead_time) for each in pulled} == {(CODEBOOK.digest, 2.5)}
    again = desk.pull()
    assert (again.new, again.updated, again.deleted, again.is_full) == (0, 0, 0, False)
    counts = studio_counts(desk.ledger, desk.project.key)
    assert (counts.n_tasks, counts.n_annotations, dict(counts.by_annotator)) == (12, 5, {"A": 3, "B": 2})
    pseudonyms = {each.annotator for each in stored_annotations(desk.ledger, pseudonyms=True)}
    assert pseudonyms == {"annotator-1", "annotator-2"}


def test_edits_and_deletions_of_annotations_are_found(desk: Desk) -> None:
    """An edit updates, a deletion leaves a tombstone, and other annotations stay."""
    desk.push()
    numbers = desk.submit(*(_annotation(number, "A") for number in range(4)))
    desk.pull()
    edited = _annotation(0, "A", tags={"un-role": (Span(0, 4),)})
    desk.client.update_annotation(numbers[0], {"result": result_of(edited, CODEBOOK)})
    desk.client.delete_annotation(numbers[1])
    desk.submit(_annotation(5, "B"))
    report = desk.pull()
    assert (report.new, report.updated, report.deleted) == (1, 1, 1)
    found = {each.post_id: each for each in stored_annotations(desk.ledger)}
    assert sorted(found) == ["mfa/0", "mfa/2", "mfa/3", "mfa/5"]
    assert found["mfa/0"].tags == edited.tags
    assert studio_counts(desk.ledger).n_deleted == 1


def test_the_latest_of_several_annotations_counts(desk: Desk) -> None:
    """One annotator may submit twice on a task; the later one is meant."""
    desk.push()
    desk.submit(_annotation(0, "A"))
    desk.submit(_annotation(0, "A", tags={}))
    desk.pull()
    assert [dict(each.tags) for each in stored_annotations(desk.ledger)] == [{}]


def test_a_deleted_task_is_marked_and_not_made_again(desk: Desk) -> None:
    """It does not show among what has changed: counts differ. Only a word of the user brings it back."""
    desk.push()
    desk.submit(_annotation(0, "A"), _annotation(1, "A"))
    desk.pull()
    desk.client.delete_task(desk.task("mfa/0"))
    report = desk.pull()
    assert (report.tasks_deleted, report.deleted, report.is_full) == (1, 1, True)
    assert (desk.push().pushed, desk.push().deleted_there) == (0, 1)
    assert desk.push(resurrect=True).pushed == 1
    assert set(desk.tasks_there().values()) == {1}


def test_many_annotations_vanishing_at_once_need_a_word(desk: Desk) -> None:
    """More than a tenth gone: nothing is marked until the user says that it was meant."""
    desk.push()
    numbers = desk.submit(*(_annotation(number, "A") for number in range(5)))
    desk.pull()
    for number in numbers[:3]:
        desk.client.delete_annotation(number)
    for _ in range(2):
        with pytest.raises(StudioError, match="3 of 5") as caught:
            desk.pull()
        assert "--accept-deletions" in caught.value.hint
        assert len(stored_annotations(desk.ledger)) == 5
    assert desk.pull(accept_deletions=True).deleted == 3
    assert len(stored_annotations(desk.ledger)) == 2


def test_a_deleted_project_loses_nothing(desk: Desk) -> None:
    """Any annotator can delete a project; the ledger keeps what was pulled, and there is a way on."""
    desk.push()
    desk.submit(_annotation(0, "A"), _annotation(1, "A"))
    desk.pull()
    with desk.studio.client("B") as client:
        client.delete_project(desk.project.project_id)
    with pytest.raises(StudioError, match="with 2 annotations"):
        desk.pull()
    with pytest.raises(NotFoundError, match="has been deleted") as caught:
        ensure_project(desk.ledger, desk.client, CODEBOOK)
    assert "--new-project" in caught.value.hint
    with pytest.raises(NotFoundError):
        desk.push()
    assert len(stored_annotations(desk.ledger)) == 2
    desk.project = ensure_project(desk.ledger, desk.client, CODEBOOK, ProjectOptions(new_project=True))
    assert desk.push().pushed == 12
    assert len(stored_annotations(desk.ledger)) == 2


def test_labels_on_an_old_text_are_stale_and_its_unused_task_goes(desk: Desk) -> None:
    """An edited post gets another task; the old one stays only where somebody has worked on it."""
    desk.push()
    desk.submit(_annotation(0, "A"))
    desk.pull()
    desk.add(_post(0, "Edited zero."), _post(1, "Edited one."))
    report = desk.push()
    assert (report.pushed, report.replaced, report.kept_old) == (2, 1, 1)
    assert desk.tasks_there()["mfa/1", text_digest(TEXT.format(1))] == 0
    desk.pull()
    assert stored_annotations(desk.ledger) == []
    assert [each.post_id for each in stored_annotations(desk.ledger, stale=True)] == ["mfa/0"]
    assert studio_counts(desk.ledger).n_stale == 1
    desk.add(replace(_post(1), edited_at=datetime(2026, 2, 1, tzinfo=UTC)))
    assert (desk.push().pushed, set(desk.tasks_there().values())) == (1, {1})


def test_tasks_of_somebody_else_are_left_alone(desk: Desk) -> None:
    """They are counted, not touched, and do not make every pull a full one."""
    desk.push()
    task_ids = desk.client.import_tasks(
        desk.project.project_id, [{"data": {"text": "Mine.", "meta_html": "", "other": 1}}]
    )
    with desk.studio.client("A") as client:
        client.annotate(task_ids[0], {"result": []})
    desk.submit(_annotation(0, "A"))
    report = desk.pull()
    assert (report.new, report.foreign_tasks, report.problems) == (1, 1, ())
    time.sleep(2)
    assert desk.pull().is_full is False


def test_a_text_changed_in_label_studio_is_noticed(desk: Desk) -> None:
    """Labels made on it do not count as labels of the post."""
    desk.push()
    changed = {"post_id": "mfa/0", "revision": text_digest(TEXT.format(0)), "text": "Other.", "meta_html": ""}
    token = desk.studio.running.credentials.admin.token
    address = f"{desk.client.url}/api/tasks/{desk.task('mfa/0')}/"
    httpx.patch(
        address, json={"data": changed}, headers={"Authorization": f"Token {token}"}
    ).raise_for_status()
    desk.submit(_annotation(0, "A", tags={"un-role": (Span(0, 5),)}, text="Other."))
    report = desk.pull()
    assert [each.problem for each in report.problems] == ["the text of the task was changed in Label Studio"]
    assert stored_annotations(desk.ledger) == []


def test_predictions_are_stored_once_and_served(desk: Desk) -> None:
    """Pushed twice, or cut in the middle: one a task and version, and the project serves that version."""
    desk.push()
    suggestions = [
        Suggestion(
            post_id=f"mfa/{number}",
            revision=text_digest(TEXT.format(number)),
            text=TEXT.format(number),
            tags={"multipolarity": (Span(0, 4),)} if number else {},
            confidence=number / 12,
        )
        for number in range(12)
    ]
    answers = ModelAnswers("v1", CODEBOOK, suggestions)
    with desk.studio.client(transport=Cut(arrives=True)) as broken, pytest.raises(StudioError):
        push_predictions(desk.ledger, broken, desk.project, answers)
    assert push_predictions(desk.ledger, desk.client, desk.project, answers) == 0
    assert (
        push_predictions(desk.ledger, desk.client, desk.project, replace(answers, model_version="v2")) == 12
    )
    tasks = [task for page in desk.client.find_tasks(desk.project.project_id) for task in page]
    versions = [sorted(each["model_version"] for each in task["predictions"]) for task in tasks]
    assert versions == [["v1", "v2"]] * 12
    assert desk.client.project(desk.project.project_id).model_version == "v2"


def test_a_tag_taken_over_from_a_prediction_is_known_as_such(desk: Desk) -> None:
    """Ticks that the model made and ticks that the annotator added are told apart."""
    desk.push()
    text = TEXT.format(0)
    suggestion = Suggestion(
        post_id="mfa/0", revision=text_digest(text), text=text, tags={"multipolarity": ()}, confidence=0.5
    )
    push_predictions(desk.ledger, desk.client, desk.project, ModelAnswers("v1", CODEBOOK, [suggestion]))
    task_id = desk.task("mfa/0")
    pages = desk.client.find_tasks(desk.project.project_id)
    parent = next(task["predictions"][0]["id"] for page in pages for task in page if task["id"] == task_id)
    body = {"result": result_of(_annotation(0, "A"), CODEBOOK), "parent_prediction": parent}
    with desk.studio.client("A") as client:
        client.annotate(task_id, body)
    for full in (False, True):
        desk.pull(full=full)
        assert [each.origin for each in stored_annotations(desk.ledger)] == [
            {"multipolarity": "prediction", "un-role": "manual"}
        ]


def test_a_personal_token_works_the_same(desk: Desk) -> None:
    """A Label Studio that somebody else runs may have that kind only."""
    account = desk.studio.running.credentials.admin
    with closing(log_in(desk.client.url, (account.email, account.password))) as session:
        token = personal_token(session, desk.client.url)
    with StudioClient(desk.client.url, token, name=desk.client.name) as client:
        assert client.whoami().email == account.email
        assert desk.push(client).pushed == 12


def test_a_wrong_token_is_an_error_without_the_token(desk: Desk) -> None:
    """The message says what to do."""
    with StudioClient(desk.client.url, "f" * 40) as client, pytest.raises(StudioError) as caught:
        client.whoami()
    assert "refuses the token" in str(caught.value)
    assert "f" * 40 not in str(caught.value)


def test_the_project_follows_the_codebook(desk: Desk) -> None:
    """A tag added there appears; a tag that labels need is not dropped silently."""
    desk.push()
    desk.submit(_annotation(0, "A"))
    extended = parse_codebook(CODEBOOK_YAML + "      - {id: third, title: Third, definition: Another one.}\n")
    row = ensure_project(desk.ledger, desk.client, extended)
    assert (row.key, row.codebook) == (desk.project.key, extended.digest)
    assert 'value="Third"' in desk.client.project(row.project_id).label_config
    smaller: Codebook = parse_codebook(CODEBOOK_YAML.replace("Role of the UN", "The UN"))
    with pytest.raises(StudioError, match="Role of the UN"):
        ensure_project(desk.ledger, desk.client, smaller)


def test_a_new_ledger_takes_over_the_tasks_of_a_lost_one(desk: Desk) -> None:
    """Tasks name their post and revision: after a pull, nothing is pushed twice."""
    desk.push()
    desk.submit(_annotation(0, "A"))
    other = open_ledger(f"sqlite:///{desk.folder / 'other.db'}")
    save_project(other, desk.project)
    desk.ledger.close()
    desk.ledger = other
    desk.add(*(_post(number) for number in range(10)))
    assert desk.pull().new == 1
    desk.add(*(_post(number) for number in range(12)))
    assert desk.push().pushed == 2
    desk.pull(full=True)
    assert studio_counts(desk.ledger).n_tasks == 12
    assert desk.client.project(desk.project.project_id).n_tasks == 14
