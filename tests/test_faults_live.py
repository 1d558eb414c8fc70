"""Label Studio going away in the middle, and a ledger without room: a clear message, and the next run goes on."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from annotations.codebook import parse_codebook
from annotations.errors import LedgerError, StudioError
from annotations.importing import import_file
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.ledger.studio_tasks import ProjectRow, task_rows
from annotations.records import Annotation, Span
from annotations.studio.client import StudioClient
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, PullReport, pull
from annotations.studio.push import PushOptions, PushReport, push
from annotations.studio.tasks import result_of

pytestmark = pytest.mark.live

CODEBOOK = parse_codebook("""
version: "1"
title: Faults
families:
  - id: claims
    title: Claims
    tags:
      - {id: water, title: Water, definition: The river belongs to all.}
""")
N_POSTS = 600


class Restarting(httpx.BaseTransport):
    """A server that goes away at its nth answer, refuses for some calls, and is there again.

    With ``breaks`` the nth request still arrives, and its answer is lost.
    """

    def __init__(self, after: int, refusals: int, *, breaks: bool = True) -> None:
        self._inner = httpx.HTTPTransport()
        self._after = after
        self._refusals = refusals
        self._breaks = breaks
        self.n_refused = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, break in the middle of an answer, or refuse."""
        self._after -= 1
        if self._after == 0 and self._breaks:
            self._inner.handle_request(request).read()  # it arrived, and nobody hears of it
            raise httpx.ReadError("the line broke")
        if self._after <= 0 and self.n_refused < self._refusals:
            self.n_refused += 1
            raise httpx.ConnectError("connection refused")
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close what is inside."""
        self._inner.close()


class Desk:
    """A project of its own with a ledger full of posts."""

    def __init__(self, studio: Any, folder: Path) -> None:
        self.studio = studio
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.ledger: Ledger = open_ledger(self.url)
        source = folder / "posts.jsonl"
        rows = [{"channel": "mfa", "message_id": i, "text": f"River {i}: water."} for i in range(N_POSTS)]
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        import_file(self.ledger, source)
        self.client: StudioClient = studio.client()
        self.project: ProjectRow = ensure_project(
            self.ledger, self.client, CODEBOOK, ProjectOptions(new_project=True)
        )

    def push(self, client: StudioClient | None = None) -> PushReport:
        """Push."""
        return push(self.ledger, client or self.client, self.project, PushOptions(settle_seconds=1.0))

    def pull(self, client: StudioClient | None = None, ledger: Ledger | None = None) -> PullReport:
        """Pull."""
        return pull(
            ledger or self.ledger, client or self.client, self.project, PullOptions(codebook=CODEBOOK)
        )

    def annotate(self, count: int) -> dict[str, Span]:
        """Annotate the first tasks; return what was marked in which post."""
        made = {}
        for row in list(task_rows(self.ledger, self.project.key).values())[:count]:
            text = f"River {row.post_id.partition('/')[2]}: water."
            span = made[row.post_id] = Span(0, 5 + len(made) % 3)
            tags = {"water": (span,)}
            annotation = Annotation(post_id=row.post_id, annotator="", text=text, tags=tags)
            self.client.annotate(row.task_id or 0, {"result": result_of(annotation, CODEBOOK)})
        return made

    def there(self) -> Counter[str]:
        """Return how often each post is in Label Studio."""
        pages = self.client.find_tasks(self.project.project_id, include="data")
        return Counter(task["data"]["post_id"] for page in pages for task in page)

    def pulled(self, ledger: Ledger | None = None) -> dict[str, Span]:
        """Return what was marked, by the ledger."""
        return {each.post_id: each.tags["water"][0] for each in stored_annotations(ledger or self.ledger)}


@pytest.fixture
def desk(live_studio: Any, tmp_path: Path) -> Iterator[Desk]:
    """Return a desk whose posts are not pushed yet."""
    made = Desk(live_studio, tmp_path)
    with contextlib.closing(made.ledger), made.client:
        yield made


@pytest.mark.parametrize("after", [2, 3])
def test_a_label_studio_that_restarts_during_a_push_makes_no_twin(desk: Desk, after: int) -> None:
    """The push ends with a message that names the address; the next one leaves every post there once."""
    away = Restarting(after, 100)
    with (
        desk.studio.client(transport=away, sleep=lambda _: None) as client,
        pytest.raises(StudioError) as caught,
    ):
        desk.push(client)
    assert caught.value.where == desk.client.url
    assert caught.value.hint
    desk.push()
    there = desk.there()
    assert (len(there), set(there.values())) == (N_POSTS, {1})


@pytest.mark.parametrize("after", [2, 4])
def test_a_label_studio_that_restarts_during_a_pull_loses_no_annotation(desk: Desk, after: int) -> None:
    """A short absence is waited for; after a long one the next pull brings every annotation."""
    desk.push()
    made = desk.annotate(10)
    with desk.studio.client(transport=Restarting(after, 2, breaks=False), sleep=lambda _: None) as client:
        desk.pull(client)
    assert desk.pulled() == made
    made |= desk.annotate(15)
    away = Restarting(after, 100)
    with (
        desk.studio.client(transport=away, sleep=lambda _: None) as client,
        pytest.raises(StudioError) as caught,
    ):
        desk.pull(client)
    assert caught.value.where == desk.client.url
    assert caught.value.hint
    desk.pull()
    assert desk.pulled() == made


def test_a_pull_into_a_full_ledger_goes_on_when_there_is_room(desk: Desk) -> None:
    """Nothing is half there: each page is recorded whole or not at all."""
    desk.push()
    made = desk.annotate(20)

    def full(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")

    small = open_ledger(desk.url)
    small.engine.dispose()
    event.listen(small.engine, "connect", full)
    with contextlib.closing(small), pytest.raises(LedgerError, match="disk is full") as caught:
        desk.pull(ledger=small)
    assert "Free some space" in caught.value.hint
    assert set(desk.pulled()) <= set(made)
    desk.pull()
    assert desk.pulled() == made
