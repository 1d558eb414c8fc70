"""Posts become tasks and model answers become predictions: each exactly once, whatever is killed when.

Label Studio has no idempotent import.  So every batch is announced in the ledger first and confirmed after;
what a killed run leaves announced is looked up in Label Studio by the next run, before anything else is sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from annotations.ledger.posts import StoredPost
from annotations.ledger.store import Ledger
from annotations.ledger.studio_lock import StudioLock, studio_lock
from annotations.ledger.studio_tasks import (
    Key,
    ProjectRow,
    TaskRow,
    announce,
    chunks,
    confirm,
    forget,
    n_unpushed,
    superseded,
    task_rows,
)
from annotations.progress import Progress, silent
from annotations.studio.client import StudioClient, condition
from annotations.studio.project import known_project
from annotations.studio.queue import SEQUENTIAL, Queue, clear_idle

BATCH_SIZE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """What is pushed, and how.

    Parameters
    ----------
    limit
        At most so many posts.
    dry_run
        Only count; nothing is sent or written.
    include_duplicates
        Push posts that have the same text as an earlier one too.
    resurrect
        Make the tasks again that somebody deleted in Label Studio.
    everything
        Push the posts that are in no sample too, after those that are. Without a sample, all are pushed anyway.
    requeue
        First delete the tasks that nobody has worked on, so that what is served follows the samples even
        where tasks were made before. Who has such a task open cannot submit it.
    asked_only
        Push only the posts that somebody asked to have annotated (``ledger/queued.py``).
    settle_seconds
        How long an import of a killed run may still be under way in Label Studio.
    """

    limit: int | None = None
    dry_run: bool = False
    include_duplicates: bool = False
    resurrect: bool = False
    everything: bool = False
    requeue: bool = False
    asked_only: bool = False
    settle_seconds: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push did; with ``dry_run``, what it would do (without a look into Label Studio)."""

    pushed: int
    already_there: int
    duplicates: int
    deleted_there: int
    recovered: int
    replaced: int
    kept_old: int
    cleared: int
    dry_run: bool


@dataclass(slots=True)
class _Tally:
    pushed: int = 0
    already_there: int = 0
    duplicates: int = 0
    deleted_there: int = 0
    recovered: int = 0
    replaced: int = 0
    kept_old: int = 0
    cleared: int = 0

    def report(self, *, dry_run: bool) -> PushReport:
        return PushReport(**asdict(self), dry_run=dry_run)


def push(
    ledger: Ledger,
    client: StudioClient,
    project: ProjectRow,
    options: PushOptions | None = None,
    progress: Progress = silent,
) -> PushReport:
    """Make a task of every post of the queue that has none in the project, in the order of the queue.

    The queue is what was asked for and what the samples of the ledger hold; without a sample, every current post
    by date.

    An edited post gets another task; the one with its old text goes if nobody has worked on it.

    Raises
    ------
    StudioError
        Label Studio does not answer, the project is gone, or another push is running. What was sent stays
        known; the next run goes on from there.
    """
    options = options or PushOptions()
    tally = _Tally()
    queue = Queue(ledger, client, everything=options.everything, asked_only=options.asked_only)
    if options.dry_run:
        tally.pushed = sum(1 for _ in _pending(ledger, project, queue, options, tally))
        tally.kept_old = len(superseded(ledger, project.key))
        return tally.report(dry_run=True)
    with studio_lock(ledger, f"{project.key}#push") as lock:
        known_project(client, project)
        tally.recovered = _recover(ledger, client, project, queue, options)
        if queue.is_sampled:
            client.update_project(project.project_id, {"sampling": SEQUENTIAL})
        if options.requeue:
            tally.cleared = clear_idle(ledger, client, project)
        total = n_unpushed(ledger, project.key, include_duplicates=options.include_duplicates)
        total = total if options.limit is None else min(total, options.limit)
        for batch in chunks(_pending(ledger, project, queue, options, tally), BATCH_SIZE):
            _push_batch(ledger, project, queue, batch, lock)
            tally.pushed += len(batch)
            progress(tally.pushed, max(total, tally.pushed))
        tally.replaced, tally.kept_old = _replace_old(ledger, client, project)
    return tally.report(dry_run=False)


def _pending(
    ledger: Ledger, project: ProjectRow, queue: Queue, options: PushOptions, tally: _Tally
) -> Iterator[StoredPost]:
    known = task_rows(ledger, project.key)
    n_taken = 0
    for stored in queue.posts():
        row = known.get((stored.post.post_id, stored.post.revision))
        if row is not None and not (options.resurrect and row.deleted_at):
            tally.already_there += row.deleted_at is None
            tally.deleted_there += row.deleted_at is not None
        elif stored.duplicate_of and not options.include_duplicates and stored.post.post_id not in queue:
            tally.duplicates += 1
        elif options.limit is None or n_taken < options.limit:
            n_taken += 1
            if row is not None and not options.dry_run:
                forget(ledger, project.key, [row.key])
            yield stored


def _push_batch(
    ledger: Ledger, project: ProjectRow, queue: Queue, batch: Sequence[StoredPost], lock: StudioLock
) -> None:
    keys = [(stored.post.post_id, stored.post.revision) for stored in batch]
    announce(ledger, project.key, keys, lock)
    confirm(ledger, project.key, queue.send(project.project_id, batch))


def _recover(
    ledger: Ledger, client: StudioClient, project: ProjectRow, queue: Queue, options: PushOptions
) -> int:
    """Find out what became of the tasks that an earlier run announced and did not confirm."""
    open_rows = [row for row in task_rows(ledger, project.key).values() if row.task_id is None]
    if not open_rows:
        return 0
    newest = max(datetime.fromisoformat(row.pushed_at) for row in open_rows)
    found: dict[Key, int] = {}
    while True:
        missing = [row.key for row in open_rows if row.key not in found]
        found |= _look_up(client, project, missing)
        age = (datetime.now(UTC) - newest).total_seconds()
        if len(found) == len(open_rows) or age >= options.settle_seconds:
            break
        # The run was killed, its request perhaps not: Label Studio may be at work on it.
        time.sleep(min(1.0, max(options.settle_seconds - age, 0.1)))
    queue.set_overlaps(found)
    confirm(ledger, project.key, found)
    forget(ledger, project.key, [row.key for row in open_rows if row.key not in found])
    return len(found)


def _look_up(client: StudioClient, project: ProjectRow, keys: Sequence[Key]) -> Mapping[Key, int]:
    wanted = set(keys)
    found: dict[Key, int] = {}
    for chunk in chunks(sorted({post_id for post_id, _ in wanted})):
        here = [condition("data.post_id", "in_list", chunk)]
        for page in client.find_tasks(project.project_id, here, include="data"):
            for task in page:
                data = task.get("data")
                key = (data.get("post_id"), data.get("revision")) if isinstance(data, dict) else None
                if key in wanted:
                    found.setdefault(key, task["id"])
    return found


def _replace_old(ledger: Ledger, client: StudioClient, project: ProjectRow) -> tuple[int, int]:
    """Delete the tasks with an old text that nobody has worked on; return how many, and how many stay."""
    rows = {row.task_id: row for row in superseded(ledger, project.key) if row.task_id is not None}
    idle: list[Key] = []
    gone = set(rows)
    for chunk in chunks(sorted(rows)):
        here = [condition("id", "in_list", chunk)]
        for page in client.find_tasks(project.project_id, here):
            for task in page:
                gone.discard(task["id"])
                if task["id"] in rows and not task.get("annotations") and not task.get("drafts"):
                    client.delete_task(task["id"])
                    idle.append(rows[task["id"]].key)
    n_deleted = len(idle)
    # Deleted by a run that was killed before it could note it, or by somebody: no task is left either way.
    forget(ledger, project.key, [*idle, *(rows[task_id].key for task_id in gone if _bare(rows[task_id]))])
    return n_deleted, len(rows) - n_deleted - len(gone)


def _bare(row: TaskRow) -> bool:
    """Tell whether the ledger never saw anything happen to a task."""
    return row.updated_at is None
