"""For tests of the service and of what talks to it: a tagger without a model, a client, a server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import func, insert, select

from annotations.codebook import Codebook, Family, Tag
from annotations.labels import annotation_to_dict
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, now
from annotations.ledger.studio_tasks import ProjectRow, project_row, save_project
from annotations.ledger.tables import imports, studio_annotations
from annotations.records import Annotation, Post, text_digest
from classifiers.predictions import Decision, Evidence, Prediction, TagPrediction
from service.app import uvicorn_options


def small_codebook() -> Codebook:
    """Return a codebook of three tags in two families, with characters that HTML must escape."""
    return Codebook(
        version="7",
        title="Small <codebook>",
        families=(Family(id="claims", title="Claims"), Family(id="rhetoric", title="Rhetoric")),
        tags=(
            Tag(id="multipolarity", title="Multipolar order", family="claims", definition="Many poles."),
            Tag(id="un-role", title='Role of the "UN"', family="claims", definition="What the UN should be."),
            Tag(id="name-calling", title="Name <calling>", family="rhetoric", definition="Bad names."),
        ),
    )


@dataclass
class FakeTagger:
    """Says yes to a tag where its word stands in the text, and keeps what it was asked.

    ``words`` maps tag ids to words; a tag without a word is one that the model does not predict.  Where a word
    of ``doubts`` stands the tag is left open.
    """

    version: str = "fake-1"
    codebook: Codebook = field(default_factory=small_codebook)
    words: Mapping[str, str] = field(
        default_factory=lambda: {"multipolarity": "multipolar", "un-role": "Charter", "name-calling": "<b>"}
    )
    doubts: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=lambda: {"macro_f1": 0.5})
    calls: list[dict[str, Any]] = field(default_factory=list)

    def predict(
        self, texts: Sequence[str], *, explain: bool = False, tags: Collection[str] | None = None
    ) -> list[Prediction]:
        """Return one prediction a text."""
        self.calls.append({"texts": list(texts), "explain": explain, "tags": tags})
        wanted = [tag_id for tag_id in self.codebook.tag_ids if tags is None or tag_id in tags]
        return [
            Prediction(
                self.version,
                self.codebook.digest,
                tuple(self._tag(tag_id, text, explain) for tag_id in wanted),
                "en",
            )
            for text in texts
        ]

    def _tag(self, tag_id: str, text: str, explain: bool) -> TagPrediction:
        word = self.words.get(tag_id)
        if word is None:
            return TagPrediction(tag_id, None, None, Decision.ABSTAIN, reason="too few examples")
        doubt = self.doubts.get(tag_id, "")
        found, score = (doubt, 0.48) if doubt and doubt in text else (word, 0.9)
        start = text.find(found)
        if start < 0:
            return TagPrediction(tag_id, 0.1, 0.5, Decision.NO)
        end = start + len(found)
        evidence = (Evidence(start, end, text[start:end], 1.5),) if explain else ()
        decision = Decision.ABSTAIN if found == doubt else Decision.YES
        return TagPrediction(tag_id, score, 0.5, decision, evidence)


def store_posts(ledger: Ledger, posts: Sequence[Post]) -> None:
    """Put posts into a ledger as an import would have."""
    row = {"file": "testing", "format": "testing", "started_at": now(), "finished_at": now(), "counts": {}}
    with ledger.begin() as connection:
        number = connection.execute(insert(imports).values(row).returning(imports.c.import_id)).scalar_one()
        record_posts(connection, number, posts)


def store_annotations(ledger: Ledger, annotations: Sequence[Annotation]) -> None:
    """Put annotations into a ledger as a pull would have, with their posts."""
    project = "testing#1"
    texts = {each.post_id: each for each in annotations}
    posts = [
        Post(
            channel=post_id.rpartition("/")[0],
            message_id=post_id.rpartition("/")[2],
            text=each.text,
            date=each.date,
        )
        for post_id, each in texts.items()
    ]
    if project_row(ledger, project) is None:
        save_project(ledger, ProjectRow(project, "Testing", "", now(), None, 0, 0))
    store_posts(ledger, posts)
    with ledger.begin() as connection:
        known = connection.scalar(select(func.count()).select_from(studio_annotations)) or 0
        rows = [
            {
                "project": project,
                "annotation_id": known + place,
                "task_id": known + place,
                "post_id": each.post_id,
                "revision": each.revision or text_digest(each.text),
                "annotator": each.annotator,
                "codebook": each.codebook or "",
                "received": {},
                "parsed": annotation_to_dict(each),
                "problems": [],
                "updated_at": now(),
                "skipped": each.skipped,
            }
            for place, each in enumerate(annotations, 1)
        ]
        connection.execute(insert(studio_annotations), rows)


class InProcessClient:
    """Sends requests to an app in this process; answers are those of httpx, failures are status 500."""

    def __init__(self, portal: BlockingPortal, client: httpx.AsyncClient) -> None:
        self._portal = portal
        self._client = client

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; ``options`` are those of ``httpx.AsyncClient.request``."""
        return self._portal.call(partial(self._client.request, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET request."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send a POST request."""
        return self.request("POST", path, **options)


@contextmanager
def in_process(
    app: FastAPI, *, server: str = "127.0.0.1", caller: str = "127.0.0.1"
) -> Iterator[InProcessClient]:
    """Start ``app`` on an event loop of its own and yield a client of it; the app is shut down at the end.

    ``server`` and ``caller`` are the addresses of the two ends, as the app is told them.
    """
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(caller, 50_000))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
        portal.wrap_async_context_manager(
            httpx.AsyncClient(transport=transport, base_url=f"http://{server}:8000")
        ) as client,
    ):
        yield InProcessClient(portal, client)


@contextmanager
def on_a_socket(app: FastAPI) -> Iterator[int]:
    """Serve ``app`` with uvicorn on a free port of 127.0.0.1 and yield the port; stop at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = uvicorn_options(app.state.settings) | {"host": "127.0.0.1", "port": 0}
        server = uvicorn.Server(uvicorn.Config(app, **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=10)
