"""Tests of docs/api.md: its examples are run, its tables are true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from annotations.codebook import default_codebook_path, load_codebook
from service.app import create_app
from service.problems import KINDS
from service.schemas import PredictRequest
from service.settings import load_settings
from service.testing import FakeTagger, in_process

DOCUMENT = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n.*?```json\n(.*?)```", DOCUMENT, re.DOTALL)
BASE = "http://127.0.0.1:8000"


def _sent(command: str) -> tuple[str, str, dict[str, Any]]:
    """Return method, path and options of a curl command that uses -H and -d alone."""
    _, url, *rest = shlex.split(command.replace("\\\n", " "))
    headers: dict[str, str] = {}
    options: dict[str, Any] = {"headers": headers}
    for flag, value in zip(rest[::2], rest[1::2], strict=True):
        if flag == "-H":
            name, _, content = value.partition(": ")
            headers[name] = content
        else:
            assert flag == "-d"
            options["content"] = value
    assert url.startswith(BASE)
    return ("POST" if "content" in options else "GET"), url.removeprefix(BASE), options


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


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_examples(command: str, shown: str) -> None:
    """Each curl example gives an answer like the one shown."""
    words = {"multipolarity": "multipolar", "un-role": "Charter"}
    tagger = FakeTagger(codebook=load_codebook(default_codebook_path()), words=words)
    method, path, options = _sent(command)
    with in_process(create_app(load_settings(), tagger)) as client:
        answer = client.request(method, path, **options)
    expected = json.loads(shown)
    assert answer.status_code == (expected["status"] if "request_id" in expected else 200)
    _assert_like(answer.json(), expected)


def test_every_call_has_an_example() -> None:
    """Each operation of the OpenAPI document is called by an example."""
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        paths = client.get("/openapi.json").json()["paths"]
    documented = {(_sent(command)[0].lower(), _sent(command)[1]) for command, _ in EXAMPLES}
    assert documented == {(method, path) for path, operations in paths.items() for method in operations}


def test_tables() -> None:
    """The tables name each field of the request and each kind of problem with its status."""
    for name in PredictRequest.model_fields:
        assert f"\n| `{name}` |" in DOCUMENT
    for kind in KINDS:
        assert f"\n| {kind.status} | `{kind.slug}` |" in DOCUMENT


def test_limits() -> None:
    """The limits in the text are the defaults of the settings."""
    settings = load_settings()
    assert f"1 to {settings.max_text_length:,} code points" in DOCUMENT
    assert f"Up to {settings.max_batch_posts:,} posts" in DOCUMENT
    sizes = (settings.max_body_bytes // 2**20, settings.max_batch_body_bytes // 2**20)
    assert "{} MiB a post, {} MiB a batch".format(*sizes) in DOCUMENT
