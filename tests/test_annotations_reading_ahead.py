"""Work in a second process: what it makes arrives in order, and so do its errors and its end."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from annotations.errors import FileError
from annotations.reading_ahead import WorkerLostError, read_ahead

_MODULE = """
import os, time
from annotations.errors import FileError

def failing(path):
    yield 1
    raise FileError("cannot be read", where=str(path), hint="Name another.")

def pid_then_wait():
    yield os.getpid()
    time.sleep(60)

def pids():
    while True:
        yield os.getpid()
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module with functions to call in another process."""
    (tmp_path / "made_for_this_test.py").write_text(_MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("made_for_this_test")


def test_items_arrive_in_order() -> None:
    """Everything that the function yields comes, in its order."""
    assert list(read_ahead(range, 3, 2000)) == list(range(3, 2000))


def test_what_is_printed_there_does_not_get_between(capfd: pytest.CaptureFixture[str]) -> None:
    """A print in the other process goes to standard error."""
    assert list(read_ahead(map, print, [1, 2])) == [None, None]
    assert capfd.readouterr() == ("", "1\n2\n")


def test_its_error_is_raised_here(made: Any, tmp_path: Path) -> None:
    """An error that the other process raises on purpose is raised here, with where and hint."""
    with pytest.raises(FileError, match="cannot be read") as raised:
        list(read_ahead(made.failing, tmp_path / "missing"))
    assert raised.value.where == str(tmp_path / "missing")


def test_a_killed_process_is_told(made: Any) -> None:
    """A process that is killed is an error, never a short answer."""
    items = read_ahead(made.pid_then_wait)
    os.kill(next(items), signal.SIGKILL)
    with pytest.raises(WorkerLostError, match="ended from outside"):
        next(items)


def test_stopping_early_ends_the_process(made: Any) -> None:
    """Who wants no more leaves no process behind."""
    items = read_ahead(made.pids)
    pid = next(items)
    items.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.usefixtures("made")
def test_it_ends_with_its_reader() -> None:
    """When the process that reads is killed, the one that makes ends too."""
    code = (
        "import time; from made_for_this_test import pids; from annotations.reading_ahead import read_ahead\n"
        "for pid in read_ahead(pids): print(pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    reader = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert reader.stdout is not None
    pid = int(reader.stdout.readline())
    reader.kill()
    reader.wait()
    reader.stdout.close()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the other process goes on without a reader")
