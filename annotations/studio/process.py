"""A server process that outlives the command that started it, told apart from every other program.

The process inherits a locked file: as long as it lives, and no longer, the lock is held.  So a number in a
file that meanwhile belongs to another program is never taken for ours, and never killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The shell notes the number of the group before the program is in it (no moment without a note, whoever is
# killed), leaves the program in the background and ends, so that nobody has a child to wait for.
_START = 'echo $$ > "$0.new" && mv "$0.new" "$0" || exit 1; "$@" & exit 0'
_LOCK_SECONDS = 1.0
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process in a group of its own, known by ``NAME.pid`` (the group) and ``NAME.lock`` in ``folder``."""

    folder: Path
    name: str

    @property
    def pid_path(self) -> Path:
        """The file with the number of the process."""
        return self.folder / f"{self.name}.pid"

    @property
    def log_path(self) -> Path:
        """What the process prints."""
        return self.folder / f"{self.name}.log"

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Start the process; return False where one runs already (or is just being started)."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not self._locked(lock):
                return False
            self.pid_path.unlink(missing_ok=True)
            if self.log_path.exists():
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
            self._spawn(command, environment, lock)
            return True
        finally:
            os.close(lock)

    def is_running(self) -> bool:
        """Tell whether the process that we started lives."""
        try:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(lock, fcntl.LOCK_SH)
        finally:
            os.close(lock)

    def pid(self) -> int | None:
        """Return the number of the running process; None where there is none."""
        if not self.is_running():
            return None
        with contextlib.suppress(OSError, ValueError):
            return int(self.pid_path.read_text(encoding="ascii"))
        return None

    def stop(self) -> bool:
        """End the process and its children; return False where none was running."""
        pid = self.pid()
        if pid is None:
            return False
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal_number)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if not self.is_running():
                    self.pid_path.unlink(missing_ok=True)
                    return True
                time.sleep(0.05)
        return True

    def log_tail(self, n_lines: int = 12) -> str:
        """Return the last lines that the process printed."""
        try:
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-n_lines:])

    @property
    def _lock_path(self) -> Path:
        return self.folder / f"{self.name}.lock"

    def _locked(self, lock: int) -> bool:
        # Another command may be looking whether the process runs: that holds the lock for a moment.
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _spawn(self, command: Sequence[str], environment: Mapping[str, str], lock: int) -> None:
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            subprocess.run(  # noqa: S603 - the command is ours
                ["/bin/sh", "-c", _START, str(self.pid_path), *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                pass_fds=(lock,),
                start_new_session=True,
                check=True,
            )
        finally:
            os.close(log)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
