"""Tests of service.studio_sync: many events, few pulls; failures are tried again; nothing ends the thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from annotations.errors import StudioError
from service.settings import load_settings
from service.studio_sync import StudioSync


@dataclass
class FakeWork:
    """Notes what is done; ``failures`` are raised by the first pulls."""

    connected: bool = False
    due: bool = False
    queued: bool = False
    failures: list[Exception] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    seen: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def is_connected(self) -> bool:
        """Tell what it was told."""
        return self.connected

    def connect(self) -> None:
        """Note it."""
        self.done.append("connect")

    def pull(self) -> None:
        """Fail as often as it should, then note it."""
        if self.failures:
            raise self.failures.pop(0)
        self.done.append("pull")
        self.seen.release()

    def has_queued(self) -> bool:
        """Tell what it was told."""
        return self.queued

    def push_queued(self) -> None:
        """Fail as often as it should, then note it."""
        if self.failures:
            raise self.failures.pop(0)
        self.queued = False
        self.done.append("queued")

    def push_suggestions(self) -> None:
        """Note it."""
        self.done.append("push")

    def is_training_due(self) -> bool:
        """Tell it once."""
        due, self.due = self.due, False
        return due

    def train(self) -> None:
        """Note it."""
        self.done.append("train")

    def stop(self) -> None:
        """Note it."""
        self.done.append("stop")


@contextmanager
def _running(work: FakeWork, **options: Any) -> Iterator[StudioSync]:
    chosen = {"studio_debounce_seconds": 0.05, "studio_pull_seconds": 0.0} | options
    sync = StudioSync(load_settings(**chosen), work)
    sync.start()
    try:
        yield sync
    finally:
        sync.stop()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_thousand_events_make_few_pulls_and_the_last_comes_after_them() -> None:
    """However many threads wake it at once."""
    work = FakeWork()
    with _running(work) as sync:
        threads = [threading.Thread(target=lambda: [sync.wake() for _ in range(250)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert work.seen.acquire(timeout=20)
        time.sleep(0.3)
    assert 1 <= work.done.count("pull") <= 5


def test_steady_events_do_not_put_the_pull_off_for_ever() -> None:
    """After ten times the quiet time one is made."""
    work = FakeWork()
    with _running(work, studio_debounce_seconds=0.2) as sync:
        deadline = time.monotonic() + 20
        while not work.done and time.monotonic() < deadline:
            sync.wake()
            time.sleep(0.02)
    assert "pull" in work.done


def test_without_events_and_connection_nothing_is_done() -> None:
    """A service that Label Studio does not know leaves it alone."""
    work = FakeWork()
    with _running(work):
        time.sleep(0.2)
    assert work.done == ["stop"]


def test_what_was_missed_while_it_was_down_is_pulled_at_the_start() -> None:
    """Events are not sent again; the connection tells that there may have been some."""
    work = FakeWork(connected=True)
    with _running(work):
        _until(lambda: "push" in work.done)
    assert work.done[:3] == ["connect", "pull", "push"]


def test_polling_needs_no_event() -> None:
    """With a period set, it looks by itself."""
    work = FakeWork()
    with _running(work, studio_pull_seconds=0.05):
        _until(lambda: work.done.count("pull") >= 3)


def test_enough_new_annotations_or_a_word_begin_a_training() -> None:
    """After the pull, so that it learns from what was just made."""
    work = FakeWork(due=True)
    with _running(work) as sync:
        sync.wake()
        _until(lambda: "train" in work.done)
        sync.wake(train=True)
        _until(lambda: work.done.count("train") == 2)
    assert work.done[:2] == ["pull", "train"]


def test_a_failed_pull_is_made_again_with_what_was_wanted(monkeypatch: Any) -> None:
    """Label Studio may be down, and a defect must not end the thread either."""
    monkeypatch.setattr("service.studio_sync._FIRST_RETRY_SECONDS", 0.05)
    work = FakeWork(failures=[StudioError("down"), RuntimeError("defect"), StudioError("down")])
    with _running(work) as sync:
        sync.wake(push=True, train=True)
        _until(lambda: "train" in work.done)
    assert work.done[:3] == ["pull", "push", "train"]


def test_queued_posts_are_sent_and_nothing_else_is_done() -> None:
    """A word of them is enough; they get suggestions, and nothing is pulled for them."""
    work = FakeWork()
    with _running(work) as sync:
        time.sleep(0.1)
        work.queued = True
        sync.wake(queue=True)
        _until(lambda: "push" in work.done)
    assert work.done == ["queued", "push", "stop"]


def test_queued_posts_wait_for_label_studio(monkeypatch: Any) -> None:
    """What was queued before the service started, or by another process, is found; failures are tried again."""
    monkeypatch.setattr("service.studio_sync._FIRST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr("service.studio_sync._QUEUE_SECONDS", 0.05)
    work = FakeWork(queued=True, failures=[StudioError("down"), StudioError("down")])
    with _running(work):
        _until(lambda: work.done == ["queued", "push"])
        work.queued = True
        _until(lambda: work.done == ["queued", "push"] * 2)
