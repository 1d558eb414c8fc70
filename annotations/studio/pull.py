"""Annotations back into the ledger: in full from one export, then only what has changed, reconciled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from annotations.codebook import Codebook
from annotations.errors import StudioError
from annotations.ledger.store import Ledger, timestamp
from annotations.ledger.studio_annotations import (
    PullEnd,
    bury_everything,
    finish_pull,
    has_other_codebook,
    live_counts,
    tasks_changed,
)
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import ProjectRow, chunks, project_row
from annotations.progress import Progress, silent
from annotations.studio.answers import ProjectInfo
from annotations.studio.client import NotFoundError, StudioClient, condition
from annotations.studio.project import known_project
from annotations.studio.receiving import Problem, Receiver
from annotations.studio.switching import note_switch

MAX_VANISHED = 0.1
"""The share of the annotations that may vanish at once without a word from the user."""

_MIN_VANISHED = 3
_PAGE = 2_000
# What Label Studio writes while it is read may bear a time from just before. So tasks of the last second are
# listed again; of the minutes before that only number and latest time are compared.
_OVERLAP = timedelta(seconds=1)
_LATE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """How annotations are pulled.

    Parameters
    ----------
    codebook
        What the titles of labels are looked up in.
    full
        Compare everything, not only what has changed since the last pull.
    accept_deletions
        Accept that more than a tenth of the annotations has vanished from Label Studio.
    names
        The names in files of accounts, by address; see ``remember_annotators``.
    """

    codebook: Codebook
    full: bool = False
    accept_deletions: bool = False
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """What a pull did. ``unchanged`` counts among the annotations that were looked at."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    tasks_deleted: int = 0
    foreign_tasks: int = 0
    is_full: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """What is missing in Label Studio, by a look at all tasks or at some."""

    vanished: Collection[int]
    deleted_tasks: Collection[int] = ()
    foreign: tuple[int, int] | None = None


def pull(
    ledger: Ledger,
    client: StudioClient,
    project: ProjectRow,
    options: PullOptions,
    progress: Progress = silent,
) -> PullReport:
    """Bring the ledger to the state of Label Studio; a killed run loses nothing and is simply repeated.

    An annotation that is gone gets a tombstone in the ledger, a task that is gone is marked.

    Raises
    ------
    StudioError
        Label Studio does not answer; or the project is gone, or more than a tenth of the annotations has
        vanished at once, and ``accept_deletions`` is not given: then nothing gets a tombstone.
    """
    with studio_lock(ledger, f"{project.key}#pull"):
        project = project_row(ledger, project.key) or project
        try:
            info = known_project(client, project)
            begun = client.answered_at
        except NotFoundError as error:
            return _project_gone(ledger, project, options, error)
        note_switch(ledger, project, info)
        return _Pull(ledger, client, project, info, options, progress).run(begun)


def _project_gone(
    ledger: Ledger, project: ProjectRow, options: PullOptions, error: StudioError
) -> PullReport:
    n_tasks, n_annotations = live_counts(ledger, project.key)
    if n_annotations and not options.accept_deletions:
        raise StudioError(
            f"{error.problem}, with {n_annotations} annotations; they stay in the ledger",
            where=error.where,
            hint=f"{error.hint} --accept-deletions marks them as deleted.",
        ) from error
    if not options.accept_deletions:
        raise error
    bury_everything(ledger, project.key)
    return PullReport(deleted=n_annotations, tasks_deleted=n_tasks, is_full=True)


@dataclass(frozen=True, slots=True)
class _Pull:
    ledger: Ledger
    client: StudioClient
    project: ProjectRow
    info: ProjectInfo  # at the begin
    options: PullOptions
    progress: Progress

    def run(self, begun: datetime) -> PullReport:
        since = self._since()
        if since is not None and self._is_unchanged(since):
            finish_pull(self.ledger, self.project.key, PullEnd(timestamp(begun), (), (), {}, None))
            return PullReport(foreign_tasks=self.project.foreign_tasks)
        receiver = Receiver(self.ledger, self.client, self.project, self.options.codebook)
        receiver.learn_names(self.options.names)
        found = None if since is None else self._changed(receiver, since)
        is_full = found is None or not self._agrees(
            self.client.project(self.project.project_id), found.vanished
        )
        if found is None or is_full:
            found = self._everything(receiver)
        vanished = [number for number in found.vanished if receiver.is_live(number)]
        self._guard(receiver, vanished)
        end = PullEnd(timestamp(begun), vanished, found.deleted_tasks, receiver.held_times(), found.foreign)
        finish_pull(self.ledger, self.project.key, end)
        tally = receiver.tally
        return PullReport(
            new=tally.new,
            updated=tally.updated,
            unchanged=tally.unchanged,
            deleted=len(vanished),
            tasks_deleted=len(found.deleted_tasks),
            foreign_tasks=found.foreign[0] if found.foreign else self.project.foreign_tasks,
            is_full=is_full,
            problems=tuple(tally.problems),
        )

    def _since(self) -> datetime | None:
        """Return up to when the ledger is known to be right; None where everything must be compared."""
        until = self.project.pulled_until
        if until is None or self.options.full:
            return None
        if has_other_codebook(self.ledger, self.project.key, self.options.codebook.digest):
            return None
        return datetime.fromisoformat(until)

    def _is_unchanged(self, since: datetime) -> bool:
        """Tell, from counts alone, that nothing has happened since; False where that is not certain."""
        edge = since - _OVERLAP
        late = edge - _LATE
        here = [condition("updated_at", "greater", late)]
        n_there, newest_there = self.client.count_tasks(self.project.project_id, here)
        n_known, newest_known = tasks_changed(self.ledger, self.project.key, timestamp(late))
        is_settled = newest_known is None or newest_known <= timestamp(edge)
        newest = timestamp(newest_there) if newest_there else None
        return is_settled and (n_there, newest) == (n_known, newest_known) and self._agrees(self.info, ())

    def _everything(self, receiver: Receiver) -> _Found:
        receiver.begin_full()
        done = 0
        for tasks in chunks(self.client.snapshot(self.project.project_id), _PAGE):
            receiver.receive(tasks)
            done += len(tasks)
            self.progress(done, max(self.info.n_tasks, done))
        return _Found(
            vanished=receiver.live_ids - receiver.seen,
            deleted_tasks=receiver.live_task_ids - receiver.seen_tasks,
            foreign=(receiver.n_foreign_tasks, receiver.n_foreign_annotations),
        )

    def _changed(self, receiver: Receiver, since: datetime) -> _Found:
        edge = since - _OVERLAP
        wanted = receiver.changed(self._listed(edge))
        late = edge - _LATE
        here = [
            condition("updated_at", "greater", late),
            condition("updated_at", "less_or_equal", edge),
        ]
        n_there, _newest = self.client.count_tasks(self.project.project_id, here)
        n_known, _newest_known = tasks_changed(
            self.ledger, self.project.key, timestamp(late), timestamp(edge)
        )
        if n_there != n_known:
            wanted |= receiver.changed(self._listed(late))
        done = 0
        for chunk in chunks(sorted(wanted)):
            for tasks in self.client.find_tasks(self.project.project_id, [condition("id", "in_list", chunk)]):
                receiver.receive(tasks)
                done += len(tasks)
                self.progress(done, len(wanted))
        return _Found(vanished=receiver.live_ids_on(receiver.seen_tasks) - receiver.seen)

    def _listed(self, after: datetime) -> dict[int, str]:
        here = [condition("updated_at", "greater", after)]
        pages = self.client.find_tasks(self.project.project_id, here, include="times")
        return {task["id"]: str(task.get("updated_at")) for page in pages for task in page}

    def _agrees(self, info: ProjectInfo, vanished: Collection[int]) -> bool:
        """Tell whether both sides count the same; where not, something was deleted out of sight."""
        n_tasks, n_annotations = live_counts(self.ledger, self.project.key)
        return (info.n_tasks, info.n_annotations) == (
            n_tasks + self.project.foreign_tasks,
            n_annotations - len(vanished) + self.project.foreign_annotations,
        )

    def _guard(self, receiver: Receiver, vanished: Collection[int]) -> None:
        n_before = len(receiver.live_ids)
        is_much = len(vanished) >= _MIN_VANISHED and len(vanished) > MAX_VANISHED * n_before
        if is_much and not self.options.accept_deletions:
            raise StudioError(
                f"{len(vanished)} of {n_before} annotations have vanished from '{self.project.title}'; "
                "nothing is marked as deleted",
                where=self.client.url,
                hint="If that was meant, pull with --accept-deletions. If not, restore Label Studio's data.",
            )
