"""Tests of service.settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from annotations.codebook import default_codebook_path
from service.errors import SettingsError
from service.settings import (
    Settings,
    is_loopback,
    load_settings,
    setting_rows,
    settings_markdown,
    unknown_variables,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TALKINGPOINTS_"):
            monkeypatch.delenv(name)


def test_defaults() -> None:
    """Without any variable the service is on 127.0.0.1:8000 with the folder `workspace`."""
    settings = load_settings()
    assert (settings.host, settings.port, settings.home) == ("127.0.0.1", 8000, Path("workspace"))
    assert settings.workspace.ledger_url == f"sqlite:///{Path.cwd() / 'workspace' / 'ledger.db'}"
    assert settings.codebook_path == default_codebook_path()


def test_environment_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are read, an empty one counts as not set, and an override comes before them."""
    monkeypatch.setenv("TALKINGPOINTS_PORT", "9000")
    monkeypatch.setenv("TALKINGPOINTS_HOME", "elsewhere")
    monkeypatch.setenv("TALKINGPOINTS_STUDIO_URL", "")
    settings = load_settings(home=Path("here"))
    assert (settings.port, settings.home, settings.studio_url) == (9000, Path("here"), None)


def test_own_codebook_of_the_workspace(tmp_path: Path) -> None:
    """The workspace's codebook.yaml comes before the packaged one, a codebook that is set before both."""
    (tmp_path / "codebook.yaml").touch()
    assert load_settings(home=tmp_path).codebook_path == tmp_path / "codebook.yaml"
    assert load_settings(home=tmp_path, codebook=Path("other.yaml")).codebook_path == Path("other.yaml")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("MAX_BODY_BYTES", "0"),
        ("MAX_TEXT_LENGTH", "-1"),
        ("STUDIO_URL", "ftp://studio"),
        ("STUDIO_URL", "https://user:hidden-word@studio"),
        ("LOG_LEVEL", "loud"),
        ("MODEL_CHECK_SECONDS", "nan"),
        ("API_DOCS", "perhaps"),
    ],
)
def test_refused_values_are_named_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A value that cannot be used is refused by the variable's name, and the value is not in the message."""
    monkeypatch.setenv(f"TALKINGPOINTS_{variable}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"TALKINGPOINTS_{variable}" in str(caught.value)
    assert "hidden-word" not in str(caught.value)


def test_every_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bad values are reported together."""
    monkeypatch.setenv("TALKINGPOINTS_PORT", "x")
    monkeypatch.setenv("TALKINGPOINTS_MAX_BATCH_POSTS", "x")
    with pytest.raises(SettingsError, match=r"TALKINGPOINTS_MAX_BATCH_POSTS.*TALKINGPOINTS_PORT"):
        load_settings()


def test_secrets_are_never_shown() -> None:
    """Neither the representation nor the table has the token or the database's password."""
    settings = load_settings(studio_token="s3cret", database_url="postgresql://me:s3cret@db/name")
    shown = (
        repr(settings)
        + str(settings)
        + "".join(f"{row.value}{row.default}" for row in setting_rows(settings))
    )
    assert "s3cret" not in shown
    assert settings.workspace.ledger_url == "postgresql://me:s3cret@db/name"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.4", False),
        ("localhost.example.org", False),
        ("example.org", False),
    ],
)
def test_only_loopback_is_safe(host: str, expected: bool) -> None:
    """An address that others can reach is told from one they cannot."""
    assert is_loopback(host) is expected


def test_misspelt_variables_are_found() -> None:
    """A variable with our prefix that is no setting is named; others are not our business."""
    environ = {"TALKINGPOINTS_PROT": "1", "TALKINGPOINTS_PORT": "1", "PATH": "/"}
    assert unknown_variables(environ) == ("TALKINGPOINTS_PROT",)


def test_every_setting_is_documented() -> None:
    """Each field has a description, and docs/settings.md is what settings_markdown() writes."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert DOCUMENT.read_text(encoding="utf-8") == settings_markdown()
