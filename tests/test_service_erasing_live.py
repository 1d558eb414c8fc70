"""Backup and erasing with a real Label Studio: its data come back, an erased post does not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from annotations.backup.restoring import restore_backup
from annotations.backup.taking import take_backup
from annotations.codebook import parse_codebook
from annotations.errors import StudioError
from annotations.importing import import_file
from annotations.ledger.erasure_plan import plan_erasure
from annotations.ledger.erasures import read_erasures
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.ledger.studio_tasks import ProjectRow, task_rows
from annotations.records import Annotation, Span, text_digest
from annotations.studio.client import StudioClient
from annotations.studio.leftovers import EXPORTS, remove_leftover_exports
from annotations.studio.predictions import push_predictions
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import push
from annotations.studio.server import LocalStudio
from annotations.studio.tasks import ModelAnswers, Suggestion, result_of
from annotations.workspace import Workspace
from service.erasing import carry_out, erase, finish
from service.settings import Settings, load_settings

pytestmark = pytest.mark.live

CODEBOOK = parse_codebook(
    """
version: "1"
title: Live test
families:
  - id: claims
    title: Claims
    tags:
      - {id: multipolarity, title: Multipolar world, definition: Several centres of power.}
"""
)
SECRETS = ("Kaverin bought the harbour of Маравент,", "Kaverin sold the lighthouse at Port Ersa,")


@dataclass
class Desk:
    """A workspace beside the live Label Studio, with posts that are pushed, tagged and pulled."""

    settings: Settings
    ledger: Ledger
    client: StudioClient
    studio: Any
    project: ProjectRow
    secrets: Sequence[str]

    def pull(self, **options: Any) -> Any:
        """Pull."""
        return pull(self.ledger, self.client, self.project, PullOptions(codebook=CODEBOOK, **options))

    def annotate(self, number: int, text: str) -> None:
        """Submit an annotation as A, and leave a draft."""
        row = task_rows(self.ledger, self.project.key)[f"C/{number}", text_digest(text)]
        tags = {"multipolarity": (Span(0, len(text)),)}
        annotation = Annotation(post_id=f"C/{number}", annotator="A", text=text, tags=tags)
        with self.studio.client("A") as client:
            client.annotate(row.task_id, {"result": result_of(annotation, CODEBOOK), "lead_time": 1.0})
            client._post(f"api/tasks/{row.task_id}/drafts", {"result": result_of(annotation, CODEBOOK)})

    def texts_there(self) -> set[str]:
        """Return the texts of all tasks in Label Studio."""
        pages = self.client.find_tasks(self.project.project_id, include="data")
        return {task["data"]["text"] for page in pages for task in page}

    def files_with(self, text: str) -> list[Path]:
        """Return the files of the local Label Studio that hold a text, plain or escaped."""
        forms = (text.encode(), json.dumps(text)[1:-1].encode())
        folder = self.studio.local.path
        return [
            path
            for path in folder.rglob("*")
            if path.is_file() and any(form in path.read_bytes() for form in forms)
        ]


@pytest.fixture
def desk(live_studio: Any, tmp_path: Path) -> Iterator[Desk]:
    """Return a desk with four posts: two of them are to be erased."""
    home = live_studio.local.path.parent
    settings = load_settings(home=home, studio_env=live_studio.local.environment, database_url=None)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = open_ledger(url)
    posts = tmp_path / "posts.jsonl"
    # Other tests have posts in the same Label Studio.
    secrets = [f"{words} said {uuid.uuid4().hex}." for words in SECRETS]
    texts = (*secrets, "Another post entirely.", "And one more.")
    rows = [{"channel": "C", "message_id": str(n), "text": each} for n, each in enumerate(texts)]
    posts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(ledger, posts)
    with live_studio.client() as client:
        project = ensure_project(ledger, client, CODEBOOK, ProjectOptions(new_project=True))
        desk = Desk(settings, ledger, client, live_studio, project, secrets)
        push(ledger, client, project)
        for number, each in enumerate(texts):
            desk.annotate(number, each)
        suggestions = [
            Suggestion(
                post_id=f"C/{number}",
                revision=text_digest(each),
                text=each,
                tags={"multipolarity": (Span(0, len(each)),)},
                confidence=0.5,
            )
            for number, each in enumerate(texts)
        ]
        push_predictions(ledger, client, project, ModelAnswers("v1", CODEBOOK, suggestions))
        desk.pull(full=True)
        yield desk
    ledger.close()


def test_an_erased_post_is_gone_from_label_studio(desk: Desk) -> None:
    """Task, annotation, draft, prediction and exports, and the bytes in its database; nothing comes back."""
    assert len(desk.files_with(desk.secrets[0])) >= 1
    outcome = erase(desk.settings, desk.ledger, plan_erasure(desk.ledger, ["C/0", "C/1"]), "asked for")
    assert (outcome.n_tasks, outcome.problems) == (2, ())
    assert desk.texts_there() == {"Another post entirely.", "And one more."}
    assert [desk.files_with(text) for text in desk.secrets] == [[], []]
    assert all(each.is_complete for each in read_erasures(desk.ledger))
    desk.pull(full=True)
    assert {each.post_id for each in stored_annotations(desk.ledger)} == {"C/2", "C/3"}
    assert push(desk.ledger, desk.client, desk.project).pushed == 0


def test_the_files_of_deleted_exports_go(desk: Desk) -> None:
    """Every full pull makes an export and deletes it again; Label Studio keeps its file."""
    folder = desk.studio.local.path / EXPORTS
    assert list(folder.rglob("*.json"))
    assert remove_leftover_exports(desk.studio.local.path, fresh_seconds=3600) == 0  # too fresh to be sure
    assert remove_leftover_exports(desk.studio.local.path, fresh_seconds=0) > 0
    assert not list(folder.rglob("*.json"))
    desk.pull(full=True)


def test_a_label_studio_that_does_not_run_is_caught_up_with(desk: Desk, tmp_path: Path) -> None:
    """The ledger's part is done at once; what is pending is not pulled back, and goes at the next sync."""
    elsewhere = load_settings(home=tmp_path / "elsewhere", database_url=None)
    outcome = erase(elsewhere, desk.ledger, plan_erasure(desk.ledger, ["C/0"]), "asked for")
    assert outcome.n_tasks == 0
    assert "does not run" in outcome.problems[0]
    assert read_erasures(desk.ledger)[0].pending == (desk.project.key,)
    assert desk.secrets[0] in desk.texts_there()
    report = desk.pull(full=True)
    assert (report.new, report.deleted) == (0, 0)
    assert {each.post_id for each in stored_annotations(desk.ledger)} == {"C/1", "C/2", "C/3"}
    assert carry_out(desk.settings, desk.ledger, desk.client).n_tasks == 1
    assert desk.secrets[0] not in desk.texts_there()
    assert desk.files_with(desk.secrets[0]) == []
    assert read_erasures(desk.ledger)[0].is_complete
    assert finish(desk.settings, desk.ledger).problems == ()


def test_a_running_label_studio_is_saved_and_starts_again_elsewhere(desk: Desk, tmp_path: Path) -> None:
    """With its tasks, annotations and logins; a restore over one that runs is refused."""
    workspace = Workspace(desk.settings.workspace.home, str(desk.ledger.engine.url))
    report = take_backup(workspace)
    with pytest.raises(StudioError, match="running"):
        restore_backup(workspace, report.path, force=True)
    again = Workspace(tmp_path / "again")
    assert restore_backup(again, report.path).studio
    local = LocalStudio(again.studio_path, desk.studio.local.environment)
    running = local.up()
    try:
        with running.client() as client:
            assert client.whoami().email == desk.client.whoami().email
            pages = client.find_tasks(desk.project.project_id)
            tasks = [task for page in pages for task in page]
            assert {task["data"]["text"] for task in tasks} == desk.texts_there()
            assert all(len(task["annotations"]) == 1 for task in tasks)
            ledger = open_ledger(again.ledger_url)
            pulled = pull(ledger, client, desk.project, PullOptions(codebook=CODEBOOK, full=True))
            assert (pulled.new, pulled.deleted, pulled.unchanged) == (0, 0, 4)
            assert push(ledger, client, desk.project).pushed == 0
            ledger.close()
    finally:
        local.down()
