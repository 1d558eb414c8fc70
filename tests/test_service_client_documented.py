"""Tests of docs/client.md: its examples are run, its tables are true."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotations.codebook import default_codebook_path, load_codebook
from service.app import create_app
from service.client import AsyncClient, Client, ClientOptions
from service.settings import load_settings
from service.testing import FakeTagger, on_a_socket

DOCUMENT = (Path(__file__).parents[1] / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
SHOWN = (
    "multipolarity yes 0.9 ['multipolar']",
    "0 yes",
    "1 True",
    "fake-1",
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Yield the port of a service."""
    words = {"multipolarity": "multipolar", "un-role": "Charter"}
    tagger = FakeTagger(codebook=load_codebook(default_codebook_path()), words=words)
    with on_a_socket(create_app(load_settings(), tagger)) as port:
        yield port


@pytest.mark.parametrize(("code", "shown"), list(zip(EXAMPLES, SHOWN, strict=True)))
def test_examples(port: int, code: str, shown: str) -> None:
    """Each example runs, and prints what one would expect."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code.replace(":8000", f":{port}"), "docs/client.md", "exec"), {})
    assert shown in printed.getvalue().splitlines()


def test_every_call_is_listed_and_there_in_both_clients() -> None:
    """With the same parameters."""
    names = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    listed = {
        name
        for row in re.findall(r"^\| (`.*?) \|", DOCUMENT, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert listed == names - {"close"}
    for name in names - {"stream"}:
        one, other = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        assert one.parameters == other.parameters


def test_the_numbers() -> None:
    """Those in the text are the defaults."""
    options = ClientOptions()
    assert (options.retries, options.first_wait, options.first_wait * 2**options.retries) == (4, 0.5, 8.0)
