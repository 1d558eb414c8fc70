"""The order and the overlap of a sample, as a real Label Studio serves them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from annotations.codebook import parse_codebook
from annotations.importing import import_file
from annotations.ledger.samples import SampledPost, SampleRecord, record_sample
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_tasks import ProjectRow, task_rows
from annotations.records import Annotation, text_digest
from annotations.studio.client import StudioClient
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.push import PushOptions, push
from annotations.studio.tasks import result_of

pytestmark = pytest.mark.live

CODEBOOK = parse_codebook(
    """
version: "1"
title: Queue test
families:
  - id: claims
    title: Claims
    tags: [{id: multipolarity, title: Multipolar world, definition: Several centres of power.}]
"""
)


class Room:
    """A ledger with ten posts, a project of its own, and two annotators who take what they are served."""

    def __init__(self, ledger: Ledger, client: StudioClient, studio: Any) -> None:
        self.ledger, self.client, self.studio = ledger, client, studio
        self.project: ProjectRow = ensure_project(ledger, client, CODEBOOK, ProjectOptions(new_project=True))

    def sample(self, *numbers: int, overlap: tuple[int, ...] = ()) -> None:
        """Record a sample of posts in this order, those of ``overlap`` for two annotators."""
        posts = [
            SampledPost(f"c/{n}", text_digest(f"Post {n}"), "random", place, 0.5, 1, 2 if n in overlap else 1)
            for place, n in enumerate(numbers, start=1)
        ]
        what = SampleRecord(seed=0, codebook=CODEBOOK.digest, model_version=None, n_pool=10, n_pool_posts=10)
        record_sample(self.ledger, what, posts)

    def push(self, **options: Any) -> Any:
        """Push with options."""
        return push(self.ledger, self.client, self.project, PushOptions(settle_seconds=1.0, **options))

    def served(self, annotator: str, n: int) -> list[int]:
        """Let an annotator submit the next ``n`` tasks; return the numbers of their posts, fewer at the end."""
        posts = {
            row.task_id: post_id for (post_id, _), row in task_rows(self.ledger, self.project.key).items()
        }
        found = []
        with self.studio.client(annotator) as client:
            for _ in range(n):
                response = client._http.get(f"api/projects/{self.project.project_id}/next")
                if response.status_code == 404:
                    break
                task = response.raise_for_status().json()
                post_id = posts[task["id"]]
                empty = Annotation(post_id=post_id, annotator=annotator, text=task["data"]["text"], tags={})
                client.annotate(task["id"], {"result": result_of(empty, CODEBOOK), "lead_time": 1.0})
                found.append(int(post_id.removeprefix("c/")))
        return found


@pytest.fixture
def room(tmp_path: Path, live_studio: Any) -> Iterator[Room]:
    """Yield the room; what it made is deleted at the end."""
    path = tmp_path / "posts.jsonl"
    rows = [{"channel": "c", "message_id": str(n), "text": f"Post {n}"} for n in range(10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (
        closing(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")) as ledger,
        live_studio.client() as client,
    ):
        import_file(ledger, path)
        found = Room(ledger, client, live_studio)
        yield found
        client.delete_project(found.project.project_id)


def test_tasks_are_served_in_the_order_of_the_samples(room: Room) -> None:
    """What is not sampled is not pushed; a second sample comes after the first, the rest last."""
    room.sample(7, 2, 9)
    assert room.push().pushed == 3
    room.sample(0, 5)
    assert room.push().pushed == 2
    assert room.served("A", 4) == [7, 2, 9, 0]
    assert room.push(everything=True).pushed == 5
    assert room.served("A", 10) == [5, 1, 3, 4, 6, 8]


def test_posts_with_overlap_are_served_to_two_annotators_and_others_to_one(room: Room) -> None:
    """Each annotator has the shared posts, once, in order; no other post is read twice."""
    room.sample(4, 8, 1, 6, overlap=(8, 6))
    room.push()
    assert room.served("A", 3) == [4, 8, 1]
    assert room.served("B", 10) == [8, 6]
    assert room.served("A", 10) == [6]
    assert room.served("B", 10) == []


def test_requeue_puts_earlier_tasks_into_the_order_and_leaves_annotated_ones(room: Room) -> None:
    """Tasks from before the sample do not stand in its way, work done stays, and a second run changes nothing."""
    room.push()
    assert room.served("A", 2) == [0, 1]
    room.sample(9, 3, 1)
    report = room.push(requeue=True)
    assert (report.cleared, report.pushed) == (8, 2)
    assert room.served("B", 10) == [9, 3]
    assert room.push().pushed == 0
