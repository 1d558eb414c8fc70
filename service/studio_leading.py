"""Of all the processes that serve a workspace, one follows Label Studio: the one that holds a lock in it.

The kernel gives the lock back when a process ends, however it ends; another one takes it within seconds.  Events
arrive at any process: one that does not lead leaves a mark in the workspace, which the leading one finds.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from pathlib import Path

from service.studio_sync import StudioSync

_LOG = logging.getLogger("talkingpoints.studio")

_LOCK = "studio.lock"
_MARK = "wake."
_LOOK_SECONDS = 0.5
_TRY_SECONDS = 2.0
_STOP_SECONDS = 10.0


class LeadingSync:
    """A :class:`StudioSync` that runs in one process of a workspace.

    Parameters
    ----------
    home
        The workspace's folder; lock and marks are in ``run`` in it.
    sync
        What follows Label Studio where this process leads.
    """

    def __init__(self, home: Path, sync: StudioSync) -> None:
        self._folder = home / "run"
        self._sync = sync
        self._lock: int | None = None
        self._is_leading = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_leading(self) -> bool:
        """Tell whether this process follows Label Studio."""
        return self._is_leading

    def start(self) -> None:
        """Follow Label Studio if no other process does so, else wait for that one to end."""
        self._try_to_lead()
        self._thread = threading.Thread(target=self._run, name="studio-lead", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follow it no longer, and let another process do so."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        if self._is_leading:
            self._sync.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wake(self, **wanted: bool) -> None:
        """Note that something may have happened; ``wanted`` is what :meth:`StudioSync.wake` takes."""
        if self._is_leading:
            self._sync.wake(**wanted)
            return
        flags = "+".join(sorted(name for name, is_wanted in wanted.items() if is_wanted))
        try:
            (self._folder / f"{_MARK}{flags}").touch()
        except OSError as error:
            _LOG.warning("the leading process cannot be told", extra={"fields": {"reason": error.strerror}})

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS if self._is_leading else _TRY_SECONDS):
            if self._is_leading:
                self._take_marks()
            else:
                self._try_to_lead()

    def _try_to_lead(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:  # nowhere to write to: then there is no ledger to be written by two, either
            _LOG.warning("no lock can be made", extra={"fields": {"reason": error.strerror}})
            self._lead()
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return
        self._lock = lock
        self._lead()

    def _lead(self) -> None:
        self._is_leading = True
        self._sync.start()

    def _take_marks(self) -> None:
        for mark in self._folder.glob(f"{_MARK}*"):
            # First away with it: what happens from now on makes a new one.
            mark.unlink(missing_ok=True)
            flags = [flag for flag in mark.name.removeprefix(_MARK).split("+") if flag]
            try:
                self._sync.wake(**dict.fromkeys(flags, True))
            except TypeError:  # no mark of ours
                _LOG.warning("an unknown mark was passed over")
