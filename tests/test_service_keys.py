"""Tests of API keys: made, kept as digests, seen and refused by running services, and their commands."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text, update

from annotations.errors import LedgerError
from annotations.ledger.api_keys import add_key, read_keys, revoke_keys
from annotations.ledger.audit import read_audit
from annotations.ledger.store import Ledger, open_ledger, timestamp
from annotations.ledger.tables import api_keys
from service.app import create_app
from service.cli.root import talkingpoints
from service.errors import SettingsError
from service.keys import KeyRing, check_safe_to_serve, new_key
from service.settings import Settings, load_settings
from service.testing import FakeTagger, in_process


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the settings of an empty workspace, which commands use too."""
    monkeypatch.setenv("TALKINGPOINTS_HOME", str(tmp_path))
    return load_settings()


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """Yield the workspace's ledger."""
    opened = open_ledger(settings.workspace.ledger_url)
    yield opened
    opened.close()


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(talkingpoints, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_key_is_shown_once_and_kept_as_a_digest(settings: Settings, ledger: Ledger) -> None:
    """The key has 256 random bits; neither it nor its secret part is anywhere in the ledger's files."""
    made = json.loads(_run("keys", "create", "crawler", "--scope", "predict", "--json"))
    assert re.fullmatch(r"tp_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", made["key"])
    secret = made["key"].rsplit("_", 1)[1].encode()
    assert len({new_key("x", ["predict"])[0] for _ in range(100)}) == 100
    ledger.close()
    assert not any(secret in path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    assert made["key"] not in _run("keys", "list") + _run("keys", "list", "--json") + _run("audit", "--json")


def test_keys_are_known_until_they_are_revoked(settings: Settings) -> None:
    """A key opens, any change of it does not; revoked by a command, it opens nothing within two seconds."""
    key = _run("keys", "create", "crawler", "--scope", "predict").strip()
    with in_process(create_app(settings, FakeTagger()), caller="192.0.2.1") as client:

        def status(sent: str) -> int:
            headers = {"Authorization": f"Bearer {sent}"}
            return client.post("/v1/predict", json={"text": "a"}, headers=headers).status_code

        assert status(key) == 200
        changed = key[:-1] + ("A" if key[-1] != "A" else "B")
        assert [status(each) for each in (changed, key[:-1], key + "x", "tp_", "", "x" * 5000)] == [401] * 6
        _run("keys", "revoke", "crawler")
        time.sleep(1.05)  # what a worker knows may be a second old
        assert status(key) == 401


def test_revocation_reaches_every_worker_in_two_seconds(ledger: Ledger, settings: Settings) -> None:
    """Two workers that know a key both refuse it when their knowledge is as old as it may get."""
    token, row = new_key("a", ["predict"])
    add_key(ledger, row)
    rings = [KeyRing(settings) for _ in range(2)]
    for ring in rings:
        ring.refresh()
        assert ring.caller(token) is not None
    revoke_keys(ledger, "a")
    for ring in rings:
        ring._read_at -= 1.01
        assert not ring.is_fresh
        ring.refresh()
        assert ring.caller(token) is None
        ring.close()


def test_expired_keys_open_nothing(ledger: Ledger, settings: Settings) -> None:
    """A key past its time is refused without being revoked, and its name is free again."""
    token, row = new_key("a", ["admin"], days=1)
    add_key(ledger, row)
    ring = KeyRing(settings)
    ring.refresh()
    assert ring.caller(token) is not None
    with ledger.begin() as connection:
        past = timestamp(datetime.now(UTC) - timedelta(seconds=1))
        connection.execute(update(api_keys).values(expires_at=past))
    ring._read_at -= 1.01
    ring.refresh()
    assert (ring.caller(token), ring.has_keys()) == (None, False)
    ring.close()
    add_key(ledger, new_key("a", ["admin"])[1])
    with pytest.raises(LedgerError, match="valid key of the name"):
        add_key(ledger, new_key("a", ["admin"])[1])


def test_keys_that_cannot_be_read_open_nothing(ledger: Ledger, settings: Settings) -> None:
    """When the ledger is gone, keys are good for two seconds more, and then nobody is let in."""
    token, row = new_key("a", ["predict"])
    add_key(ledger, row)
    ring = KeyRing(settings)
    ring.refresh()
    with ledger.begin() as connection:
        connection.execute(text("ALTER TABLE api_keys RENAME TO gone"))
    ring._read_at -= 1.5
    ring.refresh()
    assert ring.caller(token) is not None
    ring._read_at -= 1.5
    with pytest.raises(LedgerError):
        ring.refresh()
    ring.close()


def test_a_running_service_knows_the_keys_of_a_restored_ledger(settings: Settings, tmp_path: Path) -> None:
    """Not those of the file that was in its place before."""
    token, row = new_key("a", ["predict"])
    with closing(open_ledger(settings.workspace.ledger_url)) as ledger:
        add_key(ledger, row)
    ring = KeyRing(settings)
    ring.refresh()
    assert ring.caller(token) is not None
    open_ledger(f"sqlite:///{tmp_path / 'other.db'}").close()
    (tmp_path / "other.db").replace(tmp_path / "ledger.db")
    ring._read_at -= 1.01
    ring.refresh()
    assert (ring.caller(token), ring.has_keys()) == (None, False)
    ring.close()


def test_reading_keys_does_not_wait_for_a_writer(ledger: Ledger, settings: Settings) -> None:
    """An import that holds the ledger for long keeps nobody out."""
    token, row = new_key("a", ["predict"])
    add_key(ledger, row)
    with ledger.begin() as connection:
        connection.execute(update(api_keys).values(name="b"))
        ring = KeyRing(settings)
        ring.refresh()
        caller = ring.caller(token)
        ring.close()
    assert caller is not None
    assert caller.name == "a"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "header", "basic"])
def test_ways_to_show_a_key(ledger: Ledger, settings: Settings, scheme: str) -> None:
    """A key stands in Authorization, in X-API-Key, or where a browser puts a password."""
    token, row = new_key("a", ["predict"])
    add_key(ledger, row)
    options: dict[str, object] = {"headers": {"Authorization": f"{scheme} {token}"}}
    if scheme == "header":
        options = {"headers": {"X-API-Key": token}}
    elif scheme == "basic":
        options = {"auth": ("anybody", token)}
    with in_process(create_app(settings, FakeTagger()), caller="192.0.2.1") as client:
        assert client.post("/v1/predict", json={"text": "a"}, **options).status_code == 200


@pytest.mark.parametrize(
    ("name", "scopes", "days"), [("", ["predict"], 1), ("a b", ["predict"], 1), ("a", [], 1)]
)
def test_keys_that_cannot_be_made(name: str, scopes: list[str], days: float) -> None:
    """A name that is not plain and a key for nothing are refused."""
    with pytest.raises(SettingsError):
        new_key(name, scopes, days)
    with pytest.raises(SettingsError, match="scopes"):
        new_key("a", ["root"])
    with pytest.raises(SettingsError, match="days"):
        new_key("a", ["admin"], float("nan"))


def test_a_start_on_another_address_needs_a_key(settings: Settings, ledger: Ledger) -> None:
    """Without a valid key a start on all addresses is refused with the way out; loopback needs none."""
    outside = load_settings(host="0.0.0.0")
    check_safe_to_serve(settings)
    with pytest.raises(SettingsError, match=r"(?s)'0\.0\.0\.0' is refused.*talkingpoints keys create"):
        check_safe_to_serve(outside)
    add_key(ledger, new_key("a", ["predict"])[1])
    check_safe_to_serve(outside)
    revoke_keys(ledger, "a")
    with pytest.raises(SettingsError):
        check_safe_to_serve(outside)


def test_commands(settings: Settings) -> None:
    """Keys are listed with their state and revoked by name or id; each act is recorded."""
    made = json.loads(_run("keys", "create", "a", "--scope", "predict", "--scope", "admin", "--json"))
    _run("keys", "create", "b", "--scope", "studio", "--expires", "2")
    assert json.loads(_run("keys", "revoke", made["id"], "--json")) == {"revoked": [made["id"]]}
    listed = _run("keys", "list")
    assert re.search(r"^a .* revoked", listed, re.MULTILINE)
    assert re.search(r"^b .* valid until", listed, re.MULTILINE)
    failed = CliRunner().invoke(talkingpoints, ["keys", "revoke", "nobody"])
    assert isinstance(failed.exception, LedgerError)
    acts = [(each["act"], each["outcome"]) for each in json.loads(_run("audit", "--json"))]
    assert acts == [
        ("keys revoke", "failed: LedgerError"),
        ("keys revoke", "done"),
        ("keys create", "done"),
        ("keys create", "done"),
    ]


def test_a_restored_backup_brings_no_revoked_key_back(settings: Settings, tmp_path: Path) -> None:
    """A key that was revoked after the backup is revoked again; that is recorded too."""
    _run("keys", "create", "a", "--scope", "predict")
    backup = tmp_path.parent / f"{tmp_path.name}.tar"
    _run("backup", str(backup))
    _run("keys", "revoke", "a")
    found = json.loads(_run("restore", str(backup), "--force", "--json"))
    assert found["keys_revoked_again"] == ["a"]
    ledger = open_ledger(settings.workspace.ledger_url)
    assert [row.is_valid("2000") for row in read_keys(ledger)] == [False]
    assert [entry.act for entry in read_audit(ledger, 1)] == ["restore"]
    with ledger.begin() as connection:
        assert connection.scalar(select(api_keys.c.revoked_at))
    ledger.close()
