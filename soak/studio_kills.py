"""`push` and `pull` killed, against a real Label Studio: every post once there, every annotation equal here."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotations.codebook import Codebook, default_codebook_path, load_codebook
from annotations.importing import import_file
from annotations.ledger.posts import StoredPost, current_posts
from annotations.ledger.store import open_ledger
from annotations.ledger.studio import stored_annotations
from annotations.ledger.studio_tasks import ProjectRow, TaskRow, task_rows
from annotations.records import Annotation, Span
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.server import RunningStudio
from annotations.studio.tasks import result_of
from soak.invented import messages, write_export
from soak.killing import Command, Try, kill_often
from soak.ledgers import Content, content, differences
from soak.outcome import Outcome

_PUSHED = 3_000
_ANNOTATED = 700


@dataclass(frozen=True, slots=True)
class Desk:
    """A running Label Studio whose workspace is ``home``, and a folder for ledgers."""

    running: RunningStudio
    home: Path
    folder: Path
    codebook: Codebook

    def command(self, name: str, ledger: Path) -> Command:
        """Return `push` or `pull` with a ledger of its own."""
        options = ("--no-predictions",) if name == "push" else ()
        settings = {
            "TALKINGPOINTS_HOME": str(self.home),
            "TALKINGPOINTS_DATABASE_URL": f"sqlite:///{ledger}",
            "TALKINGPOINTS_CODEBOOK": str(default_codebook_path()),
        }
        return Command((name, *options), settings)

    def project(self, ledger: Path) -> ProjectRow:
        """Make a project for a ledger."""
        with closing(open_ledger(f"sqlite:///{ledger}")) as opened, self.running.client() as client:
            return ensure_project(opened, client, self.codebook, ProjectOptions(new_project=True))


def desk(running: RunningStudio, home: Path, folder: Path) -> Desk:
    """Return a desk with the default codebook."""
    folder.mkdir(parents=True)
    return Desk(running, home, folder, load_codebook(default_codebook_path()))


def kill_pushes(outcome: Outcome, desk: Desk, n_kills: int, seed: int) -> None:
    """Kill pushes into a new project each; the next run must leave every post there exactly once."""
    template = posts_to_push(desk, seed)
    projects: dict[int, ProjectRow] = {}

    def ledger(number: int) -> Path:
        return desk.folder / f"push{number}.db"

    def prepare(number: int) -> Command:
        shutil.copy(template, ledger(number))
        projects[number] = desk.project(ledger(number))
        return desk.command("push", ledger(number))

    def check(number: int) -> Iterator[str]:
        desk.command("push", ledger(number)).run()
        yield from pushed_wrongly(desk, ledger(number), projects[number])

    kill_often(outcome, n_kills, seed, Try(prepare, check, waits=1.0))
    outcome.note += f", {_PUSHED:,} messages"


def pushed_wrongly(desk: Desk, ledger: Path, project: ProjectRow) -> Iterator[str]:
    """Compare the tasks of a project with the posts of a ledger."""
    with closing(open_ledger(f"sqlite:///{ledger}")) as opened, desk.running.client() as client:
        wanted = {_key(each): each.post.text for each in current_posts(opened) if each.duplicate_of is None}
        known = {key: row.task_id for key, row in task_rows(opened, project.key).items()}
        tasks = [task for page in client.find_tasks(project.project_id, include="data") for task in page]
    there = Counter((task["data"]["post_id"], task["data"]["revision"]) for task in tasks)
    if lost := wanted.keys() - there.keys():
        yield f"{len(lost)} posts are not in Label Studio, such as {min(lost)}"
    if more := there.keys() - wanted.keys():
        yield f"{len(more)} tasks show what is no current post, such as {min(more)}"
    if twins := [key for key, number in there.items() if number > 1]:
        yield f"{len(twins)} posts are there twice, such as {twins[0]}"
    if wrong := [task for task in tasks if wanted.get(_key_of(task)) != task["data"]["text"]]:
        yield f"{len(wrong)} tasks have another text"
    if known != {_key_of(task): task["id"] for task in tasks}:
        yield "the ledger knows other numbers of tasks than Label Studio"


def kill_pulls(outcome: Outcome, desk: Desk, n_kills: int, seed: int) -> None:
    """Kill pulls, every second one of what changed since an earlier pull; the next run must hold every annotation."""
    first, second = desk.folder / "pull.db", desk.folder / "pulled.db"
    wanted = annotated(desk, first, seed, second)
    whole: dict[int, Content] = {}
    for place, template in enumerate((first, second)):
        copy = desk.folder / f"whole{place}.db"
        shutil.copy(template, copy)
        desk.command("pull", copy).run()
        whole[place] = content(f"sqlite:///{copy}")

    def ledger(number: int) -> Path:
        return desk.folder / f"pull{number}.db"

    def prepare(number: int) -> Command:
        shutil.copy((first, second)[number % 2], ledger(number))
        return desk.command("pull", ledger(number))

    def check(number: int) -> Iterator[str]:
        desk.command("pull", ledger(number)).run()
        yield from pulled_wrongly(ledger(number), wanted)
        yield from differences(content(f"sqlite:///{ledger(number)}"), whole[number % 2])

    kill_often(outcome, n_kills, seed, Try(prepare, check, waits=1.0))
    outcome.note += f", {len(wanted):,} annotations"


def pulled_wrongly(ledger: Path, wanted: Made) -> Iterator[str]:
    """Compare the annotations of a ledger with those that were made."""
    with closing(open_ledger(f"sqlite:///{ledger}")) as opened:
        pulled = [(each.post_id, dict(each.tags)) for each in stored_annotations(opened)]
    if dict(pulled) != wanted or len(pulled) != len(wanted):
        yield f"{len(pulled)} annotations were pulled, and they are not the {len(wanted)} that were made"


Made = dict[str, dict[str, tuple[Span, ...]]]
"""The tags of each annotated post."""


def annotated(desk: Desk, first: Path, seed: int, second: Path, *, changes: bool = True) -> Made:
    """Push posts, annotate them, pull into a copy of the ledger, and then change some annotations (if wanted).

    Returns the tags of each post that are in Label Studio in the end.
    """
    _import(first, desk.folder / "pull.json", _ANNOTATED, seed)
    project = desk.project(first)
    desk.command("push", first).run()
    with closing(open_ledger(f"sqlite:///{first}")) as opened:
        posts = {each.post.post_id: each.post for each in current_posts(opened)}
        rows = [row for row in task_rows(opened, project.key).values() if row.task_id is not None]
    made: Made = {}
    with desk.running.client() as client:

        def annotate(row: TaskRow, shift: int) -> dict[str, Any]:
            text = posts[row.post_id].text
            chosen: dict[str, tuple[Span, ...]] = {
                desk.codebook.tag_ids[shift % 5]: (Span(0, min(len(text), 10 + shift % 7)),)
            }
            made[row.post_id] = chosen
            annotation = Annotation(post_id=row.post_id, annotator="", text=text, tags=chosen)
            return {"result": result_of(annotation, desk.codebook), "lead_time": 1.5}

        later = len(rows) * 4 // 5
        numbers = [
            client.annotate(row.task_id or 0, annotate(row, place)) for place, row in enumerate(rows[:later])
        ]
        shutil.copy(first, second)
        desk.command("pull", second).run()
        if not changes:
            return made
        for place in range(0, later, 7):
            client.update_annotation(numbers[place], annotate(rows[place], place + 1))
        for place in range(3, later, 50):
            client.delete_annotation(numbers[place])
            del made[rows[place].post_id]
        for place, row in enumerate(rows[later:]):
            client.annotate(row.task_id or 0, annotate(row, place))
    return made


def posts_to_push(desk: Desk, seed: int) -> Path:
    """Return a ledger of posts that are in no project."""
    template = desk.folder / "push.db"
    if not template.exists():
        _import(template, desk.folder / "push.json", _PUSHED, seed)
    return template


def _import(ledger: Path, source: Path, n_messages: int, seed: int) -> None:
    write_export(source, messages(n_messages, seed, sentences=2))
    with closing(open_ledger(f"sqlite:///{ledger}")) as opened:
        import_file(opened, source)


def _key(stored: StoredPost) -> tuple[str, str]:
    return stored.post.post_id, stored.post.revision


def _key_of(task: dict[str, Any]) -> tuple[str, str]:
    return task["data"]["post_id"], task["data"]["revision"]
