"""Tests of service.audit: what commands leave in the record of administrators' acts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from classifiers.errors import ModelNotFoundError
from service.audit import audited
from service.cli.root import talkingpoints
from service.settings import Settings, load_settings

TEXT = "A very particular sentence of the minister."


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an empty workspace, which commands use too."""
    monkeypatch.setenv("TALKINGPOINTS_HOME", str(tmp_path / "home"))
    return load_settings()


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(talkingpoints, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def _audit() -> list[tuple[str, str, str]]:
    found: list[dict[str, Any]] = json.loads(_run("audit", "--json"))
    assert all(entry["actor"].startswith("user:") for entry in found)
    return [(entry["act"], entry["subject"], entry["outcome"]) for entry in reversed(found)]


class _Registry:
    def activate(self, version: str) -> None:
        if version == "gone":
            raise ModelNotFoundError("there is no such model")

    def rollback(self) -> str:
        return "abc"


def test_models_made_active(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Activations and rollbacks are recorded with the version, also those that fail."""
    monkeypatch.setattr("service.cli.versions.workspace_registry", _Registry)
    _run("activate", "def")
    _run("rollback")
    assert isinstance(CliRunner().invoke(talkingpoints, ["activate", "gone"]).exception, ModelNotFoundError)
    assert _audit() == [
        ("activate", "def", "done"),
        ("rollback", "abc", "done"),
        ("activate", "gone", "failed: ModelNotFoundError"),
    ]


def test_erasures(settings: Settings, tmp_path: Path) -> None:
    """An erasure is recorded by its number of posts: neither their ids nor their texts."""
    posts = tmp_path / "posts.jsonl"
    posts.write_text(json.dumps({"post_id": "c/4711", "text": TEXT}) + "\n", encoding="utf-8")
    _run("import", str(posts))
    _run("erase", "c/4711", "--yes")
    assert _audit() == [("erase", "1 posts", "done")]
    assert "4711" not in _run("audit")


def test_a_failed_act_makes_no_ledger(settings: Settings, tmp_path: Path) -> None:
    """A restore that is refused leaves the empty workspace empty, so that the next one goes through."""
    (tmp_path / "broken.tar").write_bytes(b"no archive")
    assert CliRunner().invoke(talkingpoints, ["restore", str(tmp_path / "broken.tar")]).exit_code != 0
    assert not settings.workspace.has_ledger


def test_how_an_act_ended_is_recorded_whatever_ends_it(settings: Settings) -> None:
    """Ctrl-C is an end, too."""
    with audited(settings, "first"):
        pass
    with pytest.raises(KeyboardInterrupt), audited(settings, "second", "x"):
        raise KeyboardInterrupt
    assert _audit() == [("first", "", "done"), ("second", "x", "failed: KeyboardInterrupt")]
