"""Open questions as a Label Studio project of its own, which shows every side, and its verdicts back.

What nobody disputes comes ticked; the adjudicator decides the rest.  Sides are called A, B, ... and not by name,
so that the argument counts and not who makes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from annotations.adjudication import Key, Question, Side
from annotations.codebook import Codebook
from annotations.errors import StudioError
from annotations.labeling_config import guideline_html, labeling_config
from annotations.ledger.adjudication import (
    AdjudicationProject,
    adjudication_project,
    remember_adjudication_project,
)
from annotations.ledger.codebooks import former_titles
from annotations.ledger.store import Ledger
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import chunks
from annotations.progress import Progress, silent
from annotations.records import Annotation
from annotations.studio.answers import ProjectInfo
from annotations.studio.client import NotFoundError, StudioClient
from annotations.studio.parsing import AnnotationReader, is_text
from annotations.studio.tasks import result_of

_BATCH = 500
_AGREED = "agreed"
_DESCRIPTION = "Made by Talking Points for adjudication. Do not change this line: "


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationPush:
    """What was sent: questions that are new, and such as were there already."""

    project_id: int
    pushed: int
    already_there: int


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The adjudicators' annotations, the earliest first, how many questions wait, and what could not be read."""

    annotations: tuple[Annotation, ...]
    n_waiting: int
    problems: tuple[str, ...]


def push_questions(
    ledger: Ledger,
    client: StudioClient,
    codebook: Codebook,
    questions: Iterable[Question],
    progress: Progress = silent,
) -> AdjudicationPush:
    """Make a task of every question whose post has none in the project yet; the project is made where needed.

    Raises
    ------
    StudioError
        Label Studio does not answer, or another push is running.
    """
    wanted = {question.key: question for question in questions}
    with studio_lock(ledger, f"{client.name}#adjudication"):
        project = _ensure_project(ledger, client, codebook)
        there = _keys_there(client, project.project_id)
        new = [question for key, question in wanted.items() if key not in there]
        done = 0
        for batch in chunks(new, _BATCH):
            client.import_tasks(project.project_id, [_task(question, codebook) for question in batch])
            done += len(batch)
            progress(done, len(new))
    return AdjudicationPush(
        project_id=project.project_id, pushed=len(new), already_there=len(wanted) - len(new)
    )


def pull_verdicts(
    ledger: Ledger, client: StudioClient, codebook: Codebook, names: Mapping[str, str] | None = None
) -> Verdicts:
    """Return what adjudicators decided; skipped tasks wait on.

    ``names`` are the names in files by address; without one an adjudicator is called by the part before the ``@``.

    Raises
    ------
    StudioError
        Nothing was sent for adjudication, or the project is gone.
    """
    project = _known_project(ledger, client)
    if project is None:
        raise StudioError(
            "nothing has been sent for adjudication yet",
            where=client.url,
            hint="Send the disagreements: talkingpoints adjudicate push",
        )
    called = {address.lower(): name for address, name in (names or {}).items()}
    authors = {
        user.user_id: called.get(user.email.lower(), user.email.partition("@")[0]) for user in client.users()
    }
    reader = AnnotationReader(codebook, former_titles(ledger))
    found: list[tuple[str, Annotation]] = []
    problems: list[str] = []
    n_waiting = 0
    for page in client.find_tasks(project.project_id):
        for task in page:
            decided = _decided(task, reader, authors, problems)
            found += decided
            n_waiting += not decided
    found.sort(key=lambda each: each[0])
    return Verdicts(tuple(annotation for _, annotation in found), n_waiting, tuple(problems))


def sides_html(
    sides: Iterable[Side], codebook: Codebook, text: str, disputed: Iterable[str], reason: str
) -> str:
    """Return what every side says as HTML: tags, disputed ones in bold, with the words that were marked."""
    open_tags = set(disputed)
    lines = [f"<p><i>{escape(reason)}</i></p>"]
    for number, side in enumerate(sides):
        parts = []
        for tag, spans in side.tags.items():
            title = escape(codebook.tag(tag).title)
            quotes = " … ".join(f"“{escape(span.quote(text))}”" for span in spans) or "no words marked"
            parts.append(f"{f'<b>{title}</b>' if tag in open_tags else title}: {quotes}")
        said = "<br>".join(parts) or "no tag"
        comment = f"<br><i>{escape(side.comment)}</i>" if side.comment else ""
        lines.append(f"<p><b>{_letter(number)}</b><br>{said}{comment}</p>")
    return "\n".join(lines)


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"No. {number + 1}"


def _task(question: Question, codebook: Codebook) -> dict[str, Any]:
    post = question.post
    titles = ", ".join(codebook.tag(tag).title for tag in question.disputed)
    reason = (
        f"Please decide: {titles}" if question.reason.startswith("annotators differ") else question.reason
    )
    date = post.date.isoformat() if post.date else None
    agreed = Annotation(
        post_id=post.post_id, annotator=_AGREED, text=post.text, revision=post.revision, tags=question.agreed
    )
    data = {
        "post_id": post.post_id,
        "revision": post.revision,
        "text": post.text,
        "date": date,
        "meta_html": escape(" · ".join(filter(None, (post.post_id, date)))),
        "sides_html": sides_html(question.sides, codebook, post.text, question.disputed, reason),
        "sides": [side.name for side in question.sides],
        "disputed": list(question.disputed),
    }
    # Nothing ticked at all would read as a decision for "None of these".
    predictions = (
        [{"model_version": _AGREED, "result": result_of(agreed, codebook)}] if question.agreed else []
    )
    return {"data": data, "predictions": predictions}


def _ensure_project(ledger: Ledger, client: StudioClient, codebook: Codebook) -> ProjectInfo:
    config = labeling_config(codebook, sides=True)
    found = _known_project(ledger, client)
    if found is not None:
        if found.label_config.strip() != config.strip():
            client.update_project(
                found.project_id, {"label_config": config, "expert_instruction": guideline_html(codebook)}
            )
        return found
    known = adjudication_project(ledger, client.name)
    mark = (
        known.mark if known and known.project_id is None else f"talkingpoints-adjudication:{uuid.uuid4().hex}"
    )
    remember_adjudication_project(ledger, client.name, AdjudicationProject(mark))
    info = next((each for each in client.projects() if mark in each.description), None)
    info = info or client.create_project(
        {
            "title": f"Adjudication: {codebook.title}"[:50],
            "description": f"{_DESCRIPTION}{mark}",
            "label_config": config,
            "expert_instruction": guideline_html(codebook),
            "show_instruction": True,
            "show_collab_predictions": True,
            "maximum_annotations": 1,
            "enable_empty_annotation": False,
        }
    )
    remember_adjudication_project(
        ledger, client.name, AdjudicationProject(mark, info.project_id, info.created_at)
    )
    return info


def _known_project(ledger: Ledger, client: StudioClient) -> ProjectInfo | None:
    """Return the project as Label Studio has it; None where it was never made, or has been deleted."""
    known = adjudication_project(ledger, client.name)
    if known is None or known.project_id is None:
        return None
    try:
        info = client.project(known.project_id)
    except NotFoundError:
        return None
    return info if info.created_at == known.created_at else None


def _keys_there(client: StudioClient, project_id: int) -> set[Key]:
    found: set[Key] = set()
    for page in client.find_tasks(project_id, include="data"):
        for task in page:
            data = task.get("data")
            if isinstance(data, dict):
                found.add((str(data.get("post_id")), str(data.get("revision"))))
    return found


def _decided(
    task: Mapping[str, Any], reader: AnnotationReader, authors: Mapping[int, str], problems: list[str]
) -> list[tuple[str, Annotation]]:
    data, received = task.get("data"), task.get("annotations")
    where = data.get("post_id") if isinstance(data, dict) else None
    found = []
    for each in received if isinstance(received, list) else []:
        if not isinstance(each, dict) or each.get("was_cancelled") is True:
            continue
        author = each.get("completed_by")
        number = author.get("id") if isinstance(author, dict) else author
        name = authors.get(number, f"user-{number}") if isinstance(number, int) else "unknown"
        parsed = reader.read(task, each, name)
        problems += [
            f"{where if is_text(where) else 'no post'} ({name}): {problem}" for problem in parsed.problems
        ]
        if parsed.annotation is not None:
            found.append((str(each.get("updated_at")), parsed.annotation))
    return found
