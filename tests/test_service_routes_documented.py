"""Tests of docs/api.md: its examples are run, its tables are true."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from annotations.codebook import default_codebook_path, load_codebook
from annotations.ledger.queued import queue_posts
from annotations.ledger.store import open_ledger
from annotations.records import Annotation, Post
from classifiers.thresholds import TagRule
from service.app import build_app
from service.model_summary import ModelSummary
from service.problems import KINDS
from service.schemas import PredictRequest
from service.settings import load_settings
from service.similar_schemas import SimilarRequest
from service.tagger import ActiveModel
from service.testing import FakeTagger, InProcessClient, in_process, store_annotations

DOCUMENT = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n.*?```(?:nd)?json\n(.*?)```", DOCUMENT, re.DOTALL)
BASE = "http://127.0.0.1:8000"


def _sent(command: str) -> tuple[str, str, dict[str, Any]]:
    """Return method, path and options of a curl command that uses -H, -d and -X POST alone."""
    _, url, *rest = shlex.split(command.replace("\\\n", " "))
    method = "GET"
    headers: dict[str, str] = {}
    options: dict[str, Any] = {"headers": headers}
    for flag, value in zip(rest[::2], rest[1::2], strict=True):
        if flag == "-H":
            name, _, content = value.partition(": ")
            headers[name] = content
        elif flag == "-X":
            method = value
        else:
            assert flag == "-d"
            options["content"], method = value, "POST"
    assert url.startswith(BASE)
    return method, url.removeprefix(BASE), options


def _assert_like(found: Any, shown: Any) -> None:
    """Check that all that is shown is found: names and kinds of values, lists by their first entry."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            _assert_like(found[name], value)
    elif isinstance(shown, list):
        if shown:
            _assert_like(found[0], shown[0])
    else:
        assert type(found) is type(shown)


class Shelf:
    """A registry of two models, the first of them the one of the examples."""

    def __init__(self) -> None:
        self.names = ["3f9c2a7d51be", "0c2b4f1d9e87"]
        self.chosen = self.names[0]

    def versions(self) -> list[str]:
        """Return both."""
        return self.names

    def active(self) -> str:
        """Return the one that was activated last."""
        return self.chosen

    def path(self, version: str) -> Path:
        """Return a path that ends in the version."""
        return Path("/models") / version

    def activate(self, version: str) -> None:
        """Keep it."""
        self.chosen = version

    def previous(self) -> str:
        """Return the other one."""
        return self.names[self.chosen == self.names[0]]

    def rollback(self) -> str:
        """Go over to the other one."""
        self.chosen = self.previous()
        return self.chosen


class Models(ActiveModel):
    """Fake models, and what the bundle of one could say of it."""

    def summary(self, version: str) -> ModelSummary:
        """Return what is made up."""
        found = ModelSummary.of_tagger(self.current())
        rules = (TagRule("multipolarity", 0.2, 49.0, 0.5),)
        made = {"created": "2026-02-01T12:00:00+00:00", "dataset_digest": "d", "documents": ("card.md",)}
        return replace(found, version=version, rules=rules, **made)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[InProcessClient]:
    """Yield a client of a service in which everything is there that the examples ask for."""
    codebook = load_codebook(default_codebook_path())
    words = {"multipolarity": "multipolar", "un-role": "Charter"}
    registry = Shelf()
    models = Models(registry, lambda path: FakeTagger(version=path.name, codebook=codebook, words=words))
    settings = load_settings(home=tmp_path)
    with closing(open_ledger(settings.workspace.ledger_url)) as ledger:
        text = "The Charter of the UN is the base of the order."
        annotation = Annotation(
            post_id="calverra/27749",
            annotator="A",
            text=text,
            tags={"un-role": ()},
            date=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
            codebook=codebook.digest,
        )
        store_annotations(ledger, [annotation])
        post = Post(channel="calverra", message_id="27750", text="A post.")
        with ledger.begin() as connection:
            queue_posts(connection, "0f8fad5bd9cb469fa16570867728950e", [post], "docs/api.md")
    with in_process(build_app(settings, models)) as client:
        yield client


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_examples(client: InProcessClient, command: str, shown: str) -> None:
    """Each curl example gives an answer like the one shown."""
    method, path, options = _sent(command)
    answer = client.request(method, path, **options)
    if "/stream" in path:
        found = [json.loads(line) for line in answer.text.splitlines()]
        expected = [json.loads(line) for line in shown.splitlines()]
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _assert_like(one, other)
        return
    expected = json.loads(shown)
    assert answer.status_code == expected["status"] if "request_id" in expected else answer.is_success
    _assert_like(answer.json(), expected)


def test_every_call_has_an_example(client: InProcessClient) -> None:
    """Each operation of the OpenAPI document is called by an example."""
    paths = client.get("/openapi.json").json()["paths"]
    sent = {(method.lower(), path.partition("?")[0]) for method, path, _ in (_sent(c) for c, _ in EXAMPLES)}
    for method, path in ((method, path) for path, found in paths.items() for method in found):
        pattern = re.sub(r"\\\{.*?\\\}", "[0-9a-f]+", re.escape(path))
        matching = {each for each in sent if each[0] == method and re.fullmatch(pattern, each[1])}
        assert matching, path
        sent -= matching
    assert not sent


def test_tables() -> None:
    """The tables name each field of the request and each kind of problem with its status."""
    for name in (*PredictRequest.model_fields, *SimilarRequest.model_fields):
        assert f"\n| `{name}` |" in DOCUMENT
    for kind in KINDS:
        assert f"\n| {kind.status} | `{kind.slug}` |" in DOCUMENT


def test_limits() -> None:
    """The limits in the text are the defaults of the settings."""
    settings = load_settings()
    assert f"1 to {settings.max_text_length:,} code points" in DOCUMENT
    assert f"Up to {settings.max_batch_posts:,} posts" in DOCUMENT
    sizes = (settings.max_body_bytes // 2**20, settings.max_batch_body_bytes // 2**20)
    assert "{} MiB a post (or line), {} MiB a batch".format(*sizes) in DOCUMENT
