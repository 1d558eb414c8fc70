"""Label Studio's own exports (JSON, JSON_MIN), of any project, as readings for measuring agreement.

What is a tag is found out from the export, which does not hold the project's configuration: choices and taxonomy
paths (joined with `` > ``); where there are neither, the labels of spans.  Labels that are not tags are evidence
all the same.  Drafts and predictions are not annotations; a cancelled annotation is a skipped one.
"""

from __future__ import annotations

import gzip
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from annotations.agreement.readings import Reading
from annotations.errors import FileError, LabelsError
from annotations.exported_results import (
    Answers,
    annotator_of,
    collect_minimal,
    collect_result,
    order_of,
    seconds_of,
    tags_in_strings,
    was_shown,
)
from annotations.progress import Progress, silent
from annotations.readers.json_stream import BrokenJsonError, JsonStream

__all__ = ["Export", "is_export", "read_export"]

_SHOWN = 20
_HINT = "In Label Studio choose Export, then JSON."


@dataclass(frozen=True, slots=True)
class Export:
    """What an export holds: its readings, the earliest first, and a sentence for everything that was passed over."""

    readings: tuple[Reading, ...]
    n_tasks: int
    problems: tuple[str, ...] = ()


def is_export(path: Path) -> bool:
    """Tell by content whether a file is a JSON export of Label Studio rather than a labels.jsonl.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    """
    with _opened(path) as stream:
        head = stream.read(1 << 16).lstrip()
        if head.startswith("["):
            return True
        first_line = head.partition("\n")[0]
        # Our own lines always have these two keys, and no task of Label Studio has them at its top.
        return head.startswith("{") and not ('"post_id"' in first_line and '"annotator"' in first_line)


def read_export(path: Path, progress: Progress = silent) -> Export:
    """Read an export, plain or gzip, task by task.

    Raises
    ------
    FileError
        The file is missing or cannot be read.
    LabelsError
        It is no JSON, no export, or an annotation in it is malformed: with the file, the task and what is wrong.
    """
    gathered = _Gathered(str(path))
    with _opened(path) as stream:
        try:
            for number, task in enumerate(_tasks(JsonStream(stream)), start=1):
                gathered.add(task, number)
                progress(number, None)
        except BrokenJsonError as error:
            raise LabelsError(f"is not JSON: {error.problem}", where=f"{path}:{error.line}") from error
        except (EOFError, gzip.BadGzipFile) as error:
            raise FileError(f"is damaged: {error}", where=str(path), hint="Export it again.") from error
    return gathered.export()


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
            yield io.TextIOWrapper(data, encoding="utf-8-sig", errors="surrogateescape")
    except FileNotFoundError:
        raise FileError(
            "there is no such file", where=str(path), hint="Name an export or a labels.jsonl."
        ) from None
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def _tasks(stream: JsonStream) -> Iterator[Any]:
    if stream.peek() == "[":
        for _ in stream.elements():
            yield stream.value()
        return
    while stream.peek():
        yield stream.value()


@dataclass(slots=True)
class _Raw:
    """An annotation before it is known which controls hold tags."""

    post: tuple[str, ...]
    annotator: str
    text: str
    order: tuple[str, int]
    answers: Answers
    skipped: bool
    seconds: float | None
    assisted: bool


@dataclass(slots=True)
class _Gathered:
    """The annotations of an export, and what is wrong with it."""

    path: str
    n_tasks: int = 0
    raw: list[_Raw] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, task: Any, number: int) -> None:
        """Add a task, the ``number``-th of the file."""
        if not isinstance(task, dict):
            self.wrong.append(f"{self.path}: task number {number}: is no object")
            return
        self.n_tasks += 1
        name = str(task.get("id", f"number {number}"))
        if "annotation_id" in task and "annotations" not in task:
            self._add_minimal(task, name)
            return
        annotations = task.get("annotations", task.get("completions"))
        if annotations is None and isinstance(task.get("data"), dict):
            return
        if not isinstance(annotations, list):
            self.wrong.append(f"{self.path}: task {name}: has no list of annotations")
            return
        text = text_of(task.get("data"))
        for position, annotation in enumerate(annotations):
            where = f"task {name}, annotation {position + 1}"
            if isinstance(annotation, dict) and "id" in annotation:
                where = f"task {name}, annotation {annotation['id']}"
            self._add_annotation(task, (name, text), annotation, where)

    def export(self) -> Export:
        """Return the readings, or raise for what is wrong.

        Raises
        ------
        LabelsError
            Something is malformed, or there is nothing at all.
        """
        if self.wrong:
            more = [f"and {len(self.wrong) - _SHOWN} more"] if len(self.wrong) > _SHOWN else []
            listing = "\n  ".join(["is not a Label Studio JSON export", *self.wrong[:_SHOWN], *more])
            raise LabelsError(listing, where=self.path, hint=_HINT)
        if not self.raw:
            raise LabelsError(f"holds no annotation ({self.n_tasks} tasks)", where=self.path, hint=_HINT)
        problems = [
            f"{what}: {count:,} left out, first in {self.first[what]}"
            for what, count in self.passed_over.items()
        ]
        self.raw.sort(key=lambda raw: raw.order)
        readings, notes = _named([*self.raw])
        return Export(tuple(readings), self.n_tasks, (*problems, *notes))

    def _add_annotation(
        self, task: Mapping[str, Any], of: tuple[str, str], annotation: Any, where: str
    ) -> None:
        name, text = of
        if not isinstance(annotation, dict):
            self.wrong.append(f"{self.path}: {where}: is no object")
            return
        skipped = annotation.get("was_cancelled") is True
        result = annotation.get("result", [])
        if not isinstance(result, list) and not skipped:
            self.wrong.append(f"{self.path}: {where}: its result is no list")
            return
        annotator = annotator_of(annotation.get("completed_by"))
        if annotator is None:
            self._pass_over("annotations that do not say who made them", where)
            return
        answers = Answers()
        if not skipped:
            collect_result(result, text, answers)
        self._keep(
            _Raw(
                post=(name,),
                annotator=annotator,
                text=text,
                order=order_of(annotation, annotation.get("id")),
                answers=answers,
                skipped=skipped,
                seconds=seconds_of(annotation.get("lead_time")),
                assisted=was_shown(task, annotation),
            ),
            where,
        )

    def _add_minimal(self, task: Mapping[str, Any], name: str) -> None:
        where = f"task {name}, annotation {task['annotation_id']}"
        annotator = annotator_of(task.get("annotator"))
        if annotator is None:
            self._pass_over("annotations that do not say who made them", where)
            return
        keys = list(task)
        start = keys.index("id") + 1 if "id" in keys else 0
        end = keys.index("annotator") if "annotator" in keys else len(keys)
        controls, data = set(keys[start:end]), keys[: max(start - 1, 0)]
        text = text_of({key: task[key] for key in data})
        answers = Answers()
        collect_minimal({key: task[key] for key in task if key in controls}, text, answers)
        self._keep(
            _Raw(
                post=(name,),
                annotator=annotator,
                text=text,
                order=order_of(task, task["annotation_id"]),
                answers=answers,
                skipped=task.get("was_cancelled") is True,
                seconds=seconds_of(task.get("lead_time")),
                assisted=False,
            ),
            where,
        )

    def _keep(self, raw: _Raw, where: str) -> None:
        for problem in raw.answers.wrong:
            self.wrong.append(f"{self.path}: {where}: {problem}")
        for problem in raw.answers.passed_over:
            self._pass_over(problem, where)
        self.raw.append(raw)

    def _pass_over(self, what: str, where: str) -> None:
        self.passed_over[what] += 1
        self.first.setdefault(what, where)


def text_of(data: Any) -> str:
    """Return the text that a task shows: its field ``text``, or else its longest one."""
    if not isinstance(data, dict):
        return ""
    if isinstance(data.get("text"), str):
        return str(data["text"])
    return max((value for value in data.values() if isinstance(value, str)), key=len, default="")


def _named(raw: list[_Raw]) -> tuple[list[Reading], list[str]]:
    """Give the answers their names: a choice's own, with its control in front where two controls share it."""
    notes = []
    guessed = tags_in_strings(each.answers for each in raw)
    if guessed:
        notes.append(
            f"JSON_MIN does not say which fields are choices; taken as such: {', '.join(sorted(guessed))}"
        )
    ticks = [
        each.answers.ticks
        + [(control, value) for control, value in each.answers.strings.items() if control in guessed]
        for each in raw
    ]
    controls: dict[str, set[str]] = {}
    for control, value in (tick for found in ticks for tick in found):
        controls.setdefault(value, set()).add(control)
    labels_are_tags = not controls
    readings = []
    for each, found in zip(raw, ticks, strict=True):
        names = [value if len(controls[value]) == 1 else f"{control}: {value}" for control, value in found]
        readings.append(
            Reading(
                post=each.post,
                annotator=each.annotator,
                text=each.text,
                tags=frozenset(each.answers.labels if labels_are_tags else names),
                spans={label: tuple(sorted(spans)) for label, spans in each.answers.spans.items()},
                skipped=each.skipped,
                seconds=each.seconds,
                assisted=each.assisted,
            )
        )
    return readings, notes
