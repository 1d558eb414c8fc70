"""The thread that follows Label Studio: events only wake it, what it then pulls is the truth.

An event may be lost, doubled, late or forged: none of that matters, for nothing of an event is believed but that
something may have happened. Many events in a row make one pull.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from annotations.errors import TalkingPointsError
from service.settings import Settings

_LOG = logging.getLogger("talkingpoints.studio")
_MAX_WAIT_FACTOR = 10
_FIRST_RETRY_SECONDS = 2.0
_MAX_RETRY_SECONDS = 60.0
_STOP_SECONDS = 10.0
_QUEUE_SECONDS = 5.0
"""How often it is looked for posts to send: another process, or this one before it ended, may have queued them."""


class Work(Protocol):
    """What is done in the background; see ``service.studio_work.StudioWork``."""

    def is_connected(self) -> bool:
        """Tell whether Label Studio calls this service."""

    def connect(self) -> None:
        """Have Label Studio call this service at its present address."""

    def pull(self) -> None:
        """Pull."""

    def has_queued(self) -> bool:
        """Tell whether posts that somebody asked to have annotated are to be sent to Label Studio."""

    def push_queued(self) -> None:
        """Send them."""

    def push_suggestions(self) -> None:
        """Give suggestions to tasks without any."""

    def is_training_due(self) -> bool:
        """Tell whether it is time to train."""

    def train(self) -> None:
        """Begin a training; it goes on by itself."""

    def stop(self) -> None:
        """End what goes on by itself."""


@dataclass(slots=True)
class _Wanted:
    pull: bool = False
    push: bool = False
    train: bool = False
    queue: bool = False

    @property
    def anything(self) -> bool:
        return self.pull or self.push or self.train or self.queue


class StudioSync:
    """Waits for events or for the time to look, and does the work; one thread, one thing at a time."""

    def __init__(self, settings: Settings, work: Work) -> None:
        self._quiet = settings.studio_debounce_seconds
        self._period = settings.studio_pull_seconds
        self._work = work
        self._changed = threading.Condition()
        self._wanted = _Wanted()
        self._first_wake = self._last_wake = 0.0
        self._stopping = False
        self._retry = 0.0
        self._retry_wait = _FIRST_RETRY_SECONDS
        self._moved = False  # whether our address must be compared with the one that Label Studio calls
        self._reported = ""
        self._next_queue_look = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Where Label Studio calls this service, what was missed is pulled first."""
        self._thread = threading.Thread(target=self._run, name="studio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a pull under way is finished, or left to the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._work.stop()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def wake(self, *, push: bool = False, train: bool = False, queue: bool = False) -> None:
        """Note that something may have happened (with ``queue`` alone: posts are to be sent), and return at once."""
        moment = time.monotonic()
        with self._changed:
            if not self._wanted.anything:
                self._first_wake = moment
            self._last_wake = moment
            self._wanted.pull |= not queue or push or train
            self._wanted.push |= push
            self._wanted.train |= train
            self._wanted.queue |= queue
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._moved = self._work.is_connected()
            if self._period or self._moved:
                self.wake(push=True)
        except TalkingPointsError as error:
            self._report(error)
        self._next_queue_look = time.monotonic()
        while (wanted := self._next()) is not None:
            try:
                self._do(wanted)
                self._retry, self._reported = 0.0, ""
            except Exception as error:
                self._report(error)
                self._want_again(wanted)

    def _do(self, wanted: _Wanted) -> None:
        if self._moved:
            self._work.connect()
            self._moved = False
        if wanted.queue and self._work.has_queued():
            self._work.push_queued()
            wanted.push = True
        if wanted.pull:
            self._work.pull()
        if wanted.push:
            self._work.push_suggestions()
        if wanted.train or (wanted.pull and self._work.is_training_due()):
            self._work.train()

    def _next(self) -> _Wanted | None:
        """Wait for something to do; None: stop."""
        next_look = time.monotonic() + self._period
        with self._changed:
            while not self._stopping:
                moment = time.monotonic()
                if self._wanted.anything:
                    settled = self._last_wake + self._quiet
                    longest = self._first_wake + self._quiet * _MAX_WAIT_FACTOR
                    due = max(min(settled, longest), self._retry)
                    if moment >= due:
                        wanted, self._wanted = self._wanted, _Wanted()
                        return wanted
                    self._changed.wait(due - moment)
                elif self._period and moment >= next_look:
                    return _Wanted(pull=True)
                elif moment >= self._next_queue_look:
                    self._next_queue_look = moment + _QUEUE_SECONDS
                    return _Wanted(queue=True)
                else:
                    soon = min(next_look, self._next_queue_look) if self._period else self._next_queue_look
                    self._changed.wait(soon - moment)
        return None

    def _want_again(self, wanted: _Wanted) -> None:
        with self._changed:
            waited = self._retry_wait * 2 if self._retry else _FIRST_RETRY_SECONDS
            self._retry_wait = min(waited, _MAX_RETRY_SECONDS)
            self._retry = time.monotonic() + self._retry_wait
            self._wanted.pull |= wanted.pull
            self._wanted.push |= wanted.push
            self._wanted.train |= wanted.train
            self._wanted.queue |= wanted.queue

    def _report(self, error: Exception) -> None:
        # It is tried again and again; one report is enough.
        reason = str(error) if isinstance(error, TalkingPointsError) else type(error).__qualname__
        if reason != self._reported:
            self._reported = reason
            _LOG.warning(
                "Label Studio cannot be followed; trying again", extra={"fields": {"reason": reason}}
            )
