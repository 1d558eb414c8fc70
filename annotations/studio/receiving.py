"""One pull's view of what the ledger has, and the pages of tasks that are compared with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from annotations.codebook import Codebook
from annotations.labels import annotation_to_dict
from annotations.ledger.codebooks import codebooks_of_annotations, former_titles
from annotations.ledger.erasures import erased_posts
from annotations.ledger.store import Ledger, timestamp
from annotations.ledger.studio import annotator_names, remember_annotators
from annotations.ledger.studio_annotations import (
    AnnotationRow,
    KnownAnnotation,
    Page,
    known_annotations,
    write_page,
)
from annotations.ledger.studio_tasks import Key, ProjectRow, TaskRow, task_rows
from annotations.ledger.suggestions import Shown
from annotations.records import text_digest
from annotations.studio.answers import is_number, parse_time
from annotations.studio.client import StudioClient
from annotations.studio.parsing import AnnotationReader, is_text
from annotations.studio.showing import Showing


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was found in Label Studio and could not be taken as it is."""

    task_id: int
    annotation_id: int | None
    post_id: str
    annotator: str
    problem: str

    def __str__(self) -> str:
        who = f", {self.annotator}" if self.annotator else ""
        return f"{self.post_id or 'no post'} (task {self.task_id}{who}): {self.problem}"


@dataclass(slots=True)
class Tally:
    """What a pull has met so far."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _PageDraft:
    new: list[AnnotationRow] = field(default_factory=list)
    changed: list[AnnotationRow] = field(default_factory=list)
    numbers: dict[Key, int] = field(default_factory=dict)
    unknown: dict[Key, int] = field(default_factory=dict)
    times: dict[int, str] = field(default_factory=dict)
    shown: dict[int, Shown | None] = field(default_factory=dict)


class Receiver:
    """Compares pages of tasks with the ledger and writes what differs, a page a transaction."""

    def __init__(self, ledger: Ledger, client: StudioClient, project: ProjectRow, codebook: Codebook) -> None:
        self.tally = Tally()
        self.seen: set[int] = set()
        self.seen_tasks: set[int] = set()
        self.n_foreign_tasks = 0
        self.n_foreign_annotations = 0
        self._ledger = ledger
        self._client = client
        self._project = project
        self._reader = AnnotationReader(codebook, former_titles(ledger))
        self._made_under = codebooks_of_annotations(ledger, project.key, codebook.digest)
        self._showing = Showing(ledger, project.key)
        self._chosen_names: Mapping[str, str] = {}
        self._names: dict[int, str] = {}
        self._known: dict[int, KnownAnnotation] = known_annotations(ledger, project.key)
        self._tasks: dict[Key, TaskRow] = task_rows(ledger, project.key)
        self._erased = erased_posts(ledger)
        self._held_times: dict[int, str] = {}
        self._by_task: dict[int, set[int]] = {}
        self.live_ids = {number for number, known in self._known.items() if known.deleted_at is None}
        self.live_task_ids = {
            row.task_id for row in self._tasks.values() if row.is_live and row.task_id is not None
        }
        self._times = {row.task_id: row.updated_at for row in self._tasks.values() if row.is_live}
        for number in self.live_ids:
            self._by_task.setdefault(self._known[number].task_id, set()).add(number)

    def learn_names(self, chosen: Mapping[str, str]) -> None:
        """Take over the names in files that were chosen for accounts, by address."""
        self._chosen_names = {address.lower(): name for address, name in chosen.items()}
        self._names = annotator_names(self._ledger, self._project.key)
        if not set(chosen.values()) <= set(self._names.values()):
            self._ask_names()

    def begin_full(self) -> None:
        """Count what is not ours from the start: every task is about to be received."""
        self.n_foreign_tasks = self.n_foreign_annotations = 0

    def is_live(self, annotation_id: int) -> bool:
        """Tell whether an annotation was live before this pull and has not been seen by it."""
        return annotation_id in self.live_ids and annotation_id not in self.seen

    def live_ids_on(self, task_ids: Collection[int]) -> set[int]:
        """Return the annotations that the ledger has on some tasks."""
        return {number for task_id in task_ids for number in self._by_task.get(task_id, ())}

    def changed(self, listed: Mapping[int, str]) -> set[int]:
        """Return which of the listed tasks (number: Label Studio's time) are not as they were pulled."""
        return {number for number, moment in listed.items() if self._times.get(number) != _time(moment)}

    def held_times(self) -> Mapping[int, str]:
        """Return the times of tasks whose annotations vanished: written only with the tombstones."""
        return self._held_times

    def receive(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Compare one page of tasks, with their annotations, and write what differs."""
        draft = _PageDraft()
        self._showing.look_up(tasks)
        for task in tasks:
            self._receive_task(task, draft)
        page = Page(draft.new, draft.changed, draft.numbers, draft.unknown, draft.times, draft.shown)
        adopted = write_page(self._ledger, self._project.key, page)
        self.n_foreign_tasks += len(draft.unknown.keys() - adopted)

    def _receive_task(self, task: Mapping[str, Any], draft: _PageDraft) -> None:
        task_id, annotations = task.get("id"), task.get("annotations")
        if not is_number(task_id) or not isinstance(annotations, list):
            return
        self.seen_tasks.add(task_id)
        key = _key(task)
        if key is None:
            self.n_foreign_tasks += 1
            self.n_foreign_annotations += len(annotations)
            return
        if key[0] in self._erased:  # its task is still to be deleted there, and nothing of it comes back
            return
        self._place(task_id, key, draft)
        present = {number for each in annotations if (number := self._receive(task, each, draft)) is not None}
        moment = _time(task.get("updated_at"))
        if moment is not None and moment != self._times.get(task_id):
            held = self._by_task.get(task_id, set()) - present
            (self._held_times if held else draft.times)[task_id] = moment

    def _place(self, task_id: int, key: Key, draft: _PageDraft) -> None:
        """Bring a task and its row together: confirmed, restored under another number, or not known."""
        row = self._tasks.get(key)
        if row is None:
            if draft.unknown.setdefault(key, task_id) != task_id:
                self._twin(task_id, draft.unknown[key], key)
        elif row.task_id != task_id and row.task_id in self.seen_tasks:
            self._twin(task_id, row.task_id, key)
        elif row.task_id != task_id or row.deleted_at is not None:
            draft.numbers[key] = task_id
            self._tasks[key] = TaskRow(*key, task_id, row.pushed_at, None, None)

    def _twin(self, task_id: int, other: int, key: Key) -> None:
        self.n_foreign_tasks += 1
        self._note(task_id, None, key[0], f"task {other} shows the same post and text")

    def _receive(self, task: Mapping[str, Any], received: object, draft: _PageDraft) -> int | None:
        number = received.get("id") if isinstance(received, dict) else None
        if not is_number(number) or not isinstance(received, dict):
            self._note(task["id"], None, task["data"]["post_id"], "an annotation has no number; left out")
            return None
        is_first = number not in self.seen
        self.seen.add(number)
        known = self._known.get(number)
        if known is not None and self._is_same(known, task, received):
            self.tally.unchanged += is_first
            return number
        draft.shown[number] = self._showing.behind(task, received)
        is_edited = known is None or known.updated_at != _time(received.get("updated_at"))
        row = self._row(
            task, received, number, made_under=None if is_edited else self._made_under.get(number)
        )
        if known is None:
            self.tally.new += 1
            draft.new.append(row)
        else:
            self.tally.updated += 1
            draft.changed.append(row)
        self._known[number] = KnownAnnotation(
            number, row.task_id, row.revision, row.user_id, row.codebook, row.updated_at, None
        )
        return number

    def _is_same(self, known: KnownAnnotation, task: Mapping[str, Any], received: Mapping[str, Any]) -> bool:
        return (
            known.deleted_at is None
            and known.updated_at == _time(received.get("updated_at"))
            and known.codebook == self._reader.digest
            and known.task_id == task["id"]
            and known.revision == text_digest(task["data"]["text"])
        )

    def _row(
        self, task: Mapping[str, Any], received: Mapping[str, Any], number: int, *, made_under: str | None
    ) -> AnnotationRow:
        """Read an annotation; one that is only read again stays one that was made under its codebook."""
        user_id = _user_id(received)
        name = self._name(user_id)
        parsed = self._reader.read(task, received, name, self._showing.tags(task, received))
        post_id = task["data"]["post_id"]
        for problem in parsed.problems:
            self._note(task["id"], number, post_id, problem, name)
        annotation = parsed.annotation
        if annotation is not None and made_under is not None:
            annotation = replace(annotation, codebook=made_under)
        return AnnotationRow(
            annotation_id=number,
            task_id=task["id"],
            post_id=post_id,
            revision=annotation.revision if annotation else text_digest(task["data"]["text"]),
            user_id=user_id,
            annotator=name,
            codebook=self._reader.digest,
            received=received,
            parsed=annotation_to_dict(annotation) if annotation else None,
            problems=parsed.problems,
            updated_at=_time(received.get("updated_at")) or "",
            lead_time=annotation.lead_time if annotation else None,
            skipped=bool(annotation and annotation.skipped),
        )

    def _name(self, user_id: int | None) -> str:
        if user_id is None:
            return "unknown"
        if user_id not in self._names:
            self._ask_names(user_id)
            self._names.setdefault(user_id, f"user-{user_id}")
        return self._names[user_id]

    def _ask_names(self, *user_ids: int) -> None:
        """Give a name to users who have annotated, and to those somebody chose a name for; to nobody else."""
        accounts = {user.user_id: user.email.lower() for user in self._client.users()}
        wanted = {
            number: account
            for number, account in accounts.items()
            if number in user_ids or account in self._chosen_names
        }
        self._names |= remember_annotators(self._ledger, self._project.key, wanted, self._chosen_names)

    def _note(
        self, task_id: int, annotation_id: int | None, post_id: str, problem: str, annotator: str = ""
    ) -> None:
        self.tally.problems.append(Problem(task_id, annotation_id, post_id, annotator, problem))


def _key(task: Mapping[str, Any]) -> Key | None:
    data = task.get("data")
    if not isinstance(data, dict) or not is_text(data.get("text")) or not is_text(data.get("post_id")):
        return None
    revision = data.get("revision")
    return data["post_id"], revision if is_text(revision) else text_digest(data["text"])


def _user_id(received: Mapping[str, Any]) -> int | None:
    user = received.get("completed_by")
    user_id = user.get("id") if isinstance(user, dict) else user
    return user_id if is_number(user_id) else None


def _time(value: object) -> str | None:
    moment = parse_time(value)
    return timestamp(moment) if moment else None
