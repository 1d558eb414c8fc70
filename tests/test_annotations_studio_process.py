"""Processes of our own, accounts' file, and the lock of pushers; no Label Studio is needed."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotations.errors import StudioError
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio import remember_annotators
from annotations.ledger.studio_lock import studio_lock
from annotations.studio.credentials import Account, new_credentials, read_credentials, write_credentials
from annotations.studio.process import Daemon
from annotations.studio.server import LocalStudio

FOREVER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def _until(condition: object) -> None:
    assert callable(condition)
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen in ten seconds")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return an empty ledger."""
    return open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_a_process_is_started_once_and_stopped(tmp_path: Path) -> None:
    """A second start finds it running; stop ends it and says so once."""
    daemon = Daemon(tmp_path / "studio", "server")
    assert daemon.start(FOREVER, os.environ) is True
    _until(daemon.pid)
    assert daemon.start(FOREVER, os.environ) is False
    assert daemon.stop() is True
    assert daemon.is_running() is False
    assert daemon.stop() is False


def test_a_number_of_another_program_is_never_taken_for_ours(tmp_path: Path) -> None:
    """A stale file that names a living stranger leads to nothing."""
    daemon = Daemon(tmp_path, "server")
    with subprocess.Popen(FOREVER, stdout=subprocess.DEVNULL) as stranger:
        daemon.pid_path.write_text(f"{stranger.pid}\n")
        (tmp_path / "server.lock").touch()
        assert daemon.pid() is None
        assert daemon.stop() is False
        assert stranger.poll() is None
        stranger.kill()


def test_a_killed_process_is_not_running(tmp_path: Path) -> None:
    """Whoever kills it, the next start works."""
    daemon = Daemon(tmp_path, "server")
    daemon.start(FOREVER, os.environ)
    _until(daemon.pid)
    os.killpg(daemon.pid() or 0, signal.SIGKILL)
    _until(lambda: not daemon.is_running())
    assert daemon.start(FOREVER, os.environ) is True
    _until(daemon.pid)
    daemon.stop()


def test_the_log_of_a_process_is_kept_for_its_owner(tmp_path: Path) -> None:
    """It may hold addresses with secrets that Label Studio writes there."""
    daemon = Daemon(tmp_path, "server")
    daemon.start([sys.executable, "-c", "print('boom')"], os.environ)
    _until(lambda: "boom" in daemon.log_tail())
    assert stat.S_IMODE(daemon.log_path.stat().st_mode) == 0o600


def test_a_missing_label_studio_says_how_to_get_it(tmp_path: Path) -> None:
    """The message names the place and the command."""
    with pytest.raises(StudioError, match="not installed") as caught:
        LocalStudio(tmp_path / "studio", tmp_path / "nowhere").up()
    assert "make studio" in caught.value.hint
    assert not (tmp_path / "studio").exists()


def _fake_environment(path: Path, script: str) -> Path:
    program = path / "bin" / "label-studio"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return path


def test_a_server_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """What went wrong stands in the message, not only in a file; nothing secret does."""
    environment = _fake_environment(tmp_path / "env", "echo disk is full; exit 3")
    with pytest.raises(StudioError, match="disk is full") as caught:
        LocalStudio(tmp_path / "studio", environment).up()
    credentials = read_credentials(tmp_path / "studio")
    assert credentials is not None
    assert credentials.admin.token not in str(caught.value)
    assert credentials.admin.password not in str(caught.value)


def test_a_taken_port_is_passed_over_and_the_choice_remembered(tmp_path: Path) -> None:
    """A port in use is not ours; the next free one is taken, and kept for the next start."""
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        (tmp_path / "studio").mkdir()
        (tmp_path / "studio" / "port").write_text(f"{taken}\n")
        environment = _fake_environment(tmp_path / "env", "exit 1")
        with pytest.raises(StudioError):
            LocalStudio(tmp_path / "studio", environment).up()
    assert int((tmp_path / "studio" / "port").read_text()) != taken


def test_credentials_are_private_and_not_shown(tmp_path: Path) -> None:
    """Mode 0600; a printed record holds neither password nor token."""
    account = Account(email="a@x.example", name="a", password="pass-word", token="tok-en")
    credentials = new_credentials().with_annotator(account)
    write_credentials(tmp_path, credentials)
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    assert read_credentials(tmp_path) == credentials
    assert "pass-word" not in repr(credentials)
    assert "tok-en" not in repr(credentials)
    assert credentials.admin.token not in repr(credentials)


def test_a_damaged_credentials_file_is_an_error(tmp_path: Path) -> None:
    """It is not silently replaced: the passwords in it may be the only ones."""
    (tmp_path / "credentials.json").write_text("{")
    with pytest.raises(StudioError, match="cannot be read"):
        read_credentials(tmp_path)


def test_a_second_pusher_waits_and_gives_up(ledger: Ledger) -> None:
    """Two pushes at once would make every task twice."""
    with (
        studio_lock(ledger, "x"),
        pytest.raises(StudioError, match="another command"),
        studio_lock(ledger, "x", wait_seconds=0.0),
    ):
        pass
    with studio_lock(ledger, "x", wait_seconds=0.0):
        pass


def test_a_killed_pusher_does_not_block(ledger: Ledger) -> None:
    """The lock of a process that is gone is free at once."""
    script = (
        "import sys, os\n"
        "from annotations.ledger.store import open_ledger\n"
        "from annotations.ledger.studio_lock import studio_lock\n"
        "with studio_lock(open_ledger(sys.argv[1]), 'x'):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(ledger.engine.url)], check=False)
    with studio_lock(ledger, "x", wait_seconds=0.0) as lock, ledger.begin() as connection:
        lock.renew(connection)


def test_a_lock_that_was_taken_over_stops_its_former_holder(ledger: Ledger) -> None:
    """A run that slept too long must not go on beside the one that replaced it."""
    with studio_lock(ledger, "x") as lock:
        with ledger.begin() as connection:
            connection.exec_driver_sql("DELETE FROM studio_locks")
        with pytest.raises(StudioError, match="taken over"), ledger.begin() as connection:
            lock.renew(connection)


def test_annotators_get_a_name_once_and_a_stable_pseudonym(ledger: Ledger) -> None:
    """The part before the @, the whole address where that is taken, a chosen name above all."""
    remember_annotators(ledger, "s#1", {5: "anna@a.example"}, {})
    names = remember_annotators(
        ledger, "s#1", {5: "anna@a.example", 6: "anna@b.example", 7: "x@a.example"}, {"x@a.example": "Xenia"}
    )
    assert names == {5: "anna", 6: "anna@b.example", 7: "Xenia"}
    assert remember_annotators(ledger, "s#1", {7: "x@a.example"}, {"x@a.example": "Xe"})[7] == "Xe"
    with ledger.begin() as connection:
        rows = connection.exec_driver_sql("SELECT user_id, pseudonym FROM annotators ORDER BY user_id").all()
    assert [tuple(row) for row in rows] == [(5, "annotator-1"), (6, "annotator-2"), (7, "annotator-3")]
