"""Tests of service.app and service.logs: how the service is built, started and logged."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from annotations.codebook import Codebook
from annotations.records import Annotation, Span
from classifiers.bundle import write_bundle
from classifiers.dataset import Dataset
from classifiers.registry import Registry
from classifiers.training import TrainingOptions, train
from service.app import FACTORY, app_from_environment, build_app, create_app, uvicorn_options
from service.errors import SettingsError
from service.logs import configure_logging
from service.settings import load_settings
from service.tagger import FixedModel
from service.testing import FakeTagger, in_process, small_codebook


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Yield what the service logs from level info up, and put the loggers back."""
    loggers = [logging.getLogger(name) for name in ("talkingpoints", "uvicorn")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    stream = io.StringIO()
    configure_logging("info", stream)
    yield stream
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_importing_builds_nothing() -> None:
    """The module holds no app: it is built by calling."""
    assert FACTORY == "service.app:app_from_environment"
    code = (
        "import service.app as a; from fastapi import FastAPI as F; "
        "print([n for n, v in vars(a).items() if isinstance(v, F)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_start_on_all_addresses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the factory nor the options for uvicorn can be had for an address that others reach."""
    monkeypatch.setenv("TALKINGPOINTS_HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match="TALKINGPOINTS_HOST"):
        app_from_environment()
    with pytest.raises(SettingsError, match="TALKINGPOINTS_HOST"):
        uvicorn_options(load_settings())


def test_logs_are_json_lines_without_text(log: io.StringIO) -> None:
    """A request is one line with its route, status, time and id; no text, query or address is in it."""
    secret = "the words of the post"
    with in_process(create_app(load_settings(), FakeTagger())) as client:
        client.post(
            f"/v1/predict?q={secret}", json={"text": secret, "id": secret}, headers={"X-Request-ID": "r1"}
        )
        client.get(f"/{secret}")
        client.post("/", data={"text": secret})
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    lines = [line for line in lines if line["message"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/v1/predict", 200),
        ("GET", "unmatched", 404),
        ("POST", "/", 200),
    ]
    assert lines[0]["request_id"] == "r1"
    assert lines[0]["milliseconds"] >= 0
    assert "words" not in log.getvalue()


def test_exceptions_are_logged_without_their_message(log: io.StringIO) -> None:
    """The kind of an exception and its place are logged; its message may quote a post."""
    try:
        raise ValueError("quotes a post")
    except ValueError:
        logging.getLogger("talkingpoints.x").exception("failed")
    entry = json.loads(log.getvalue())
    assert (entry["level"], entry["message"], entry["error"]) == ("error", "failed", "builtins.ValueError")
    assert "quotes" not in log.getvalue()


def _annotations(codebook: Codebook) -> list[Annotation]:
    texts = {
        "multipolarity": "A multipolar world of many centres is taking shape",
        "un-role": "The UN Charter must be respected by everyone",
        "": "The minister met his colleague for talks",
    }
    made = []
    for number in range(60):
        tag, text = list(texts.items())[number % 3]
        place = f" in {_PLACES[number % 7]} on day {number} of {_PLACES[number % 5]}."
        tags = {tag: (Span(0, len(text)),)} if tag else {}
        annotation = Annotation(
            post_id=f"c/{number}", annotator="A", text=text + place, tags=tags, codebook=codebook.digest
        )
        made.append(annotation)
    return made


_PLACES = ("Veldoria", "Kastria", "Ormeny", "the capital", "the port", "the east", "the old town")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with a trained model that is active."""
    home = tmp_path_factory.mktemp("workspace")
    codebook = small_codebook()
    dataset = Dataset.from_annotations(_annotations(codebook), codebook)
    write_bundle(train(dataset, codebook, TrainingOptions(n_folds=2)), home / "bundle")
    registry = Registry(home / "models")
    registry.activate(registry.add(home / "bundle"))
    return home


def test_the_workspaces_active_model_serves(home: Path) -> None:
    """Without a tagger the service loads the active model, whose evidence quotes the text as it was sent."""
    text = "🌍 A multipolar world of many centres is near. It rains. The UN Charter must be respected."
    with in_process(create_app(load_settings(home=home))) as client:
        version = client.get("/readyz").json()["model_version"]
        answer = client.post("/v1/predict", json={"text": text, "explain": True}).json()
        listed = client.get("/v1/models").json()
        page = client.post("/", data={"text": text}).text
    assert (answer["model_version"], listed["active"], len(version)) == (version, version, 12)
    tags = {tag["id"]: tag for tag in answer["tags"]}
    assert [tags[tag]["decision"] for tag in ("multipolarity", "un-role")] == ["yes", "yes"]
    assert (tags["name-calling"]["decision"], tags["name-calling"]["score"]) == ("abstain", None)
    assert tags["name-calling"]["reason"]
    evidence = [item for tag in tags.values() for item in tag["evidence"]]
    assert evidence
    assert [text[item["start"] : item["end"]] for item in evidence] == [item["text"] for item in evidence]
    assert "<mark" in page


@pytest.mark.parametrize(
    "text", [" ", "\n\t", "\u200b", "\u202e" * 50, "a" + "\u0301" * 5000, "\x00", "9" * 5000, "\ufffe"]
)
def test_the_real_model_takes_any_text(home: Path, text: str) -> None:
    """Texts that are no prose (blanks, bidi marks, piles of accents, controls) are answered too."""
    with in_process(create_app(load_settings(home=home))) as client:
        answer = client.post("/v1/predict", json={"text": text, "explain": True})
    assert (answer.status_code, len(answer.json()["tags"])) == (200, 3)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(client: httpx.Client, server: subprocess.Popen[str]) -> None:
    while server.poll() is None:
        try:
            assert client.get("/healthz").json() == {"status": "ok"}
            return
        except httpx.ConnectError:
            time.sleep(0.1)


def test_uvicorn_with_the_factory(tmp_path: Path) -> None:
    """Started as a command on an empty workspace, the service is up, not ready, and ends on SIGTERM."""
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", FACTORY, "--port", str(port), "--no-access-log"]
    environment = {**os.environ, "TALKINGPOINTS_HOME": str(tmp_path), "TALKINGPOINTS_PROT": "1"}
    with (
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        try:
            _wait_for(client, server)
            assert client.get("/readyz").status_code == 503
        finally:
            server.send_signal(signal.SIGTERM)
        _, stderr = server.communicate(timeout=30)
    ours = [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]
    assert any(line.get("variable") == "TALKINGPOINTS_PROT" for line in ours)
    assert any(line.get("route") == "/readyz" and line["status"] == 503 for line in ours)


def test_a_defect_does_not_end_the_look_for_other_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that breaks the look is logged; one that comes later is still taken up."""
    models = FixedModel(FakeTagger())
    looks: list[int] = []

    def refresh() -> None:
        looks.append(len(looks))
        if len(looks) == 2:  # the first one is at the start
            raise KeyError("a defect")

    monkeypatch.setattr(models, "refresh", refresh)
    with in_process(build_app(load_settings(model_check_seconds=0.01), models)):
        deadline = time.monotonic() + 30
        while len(looks) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(looks) >= 4
