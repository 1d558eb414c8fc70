"""Model answers shown in Label Studio: one a task and model version, whatever is killed when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from annotations.errors import StudioError
from annotations.ledger.store import Ledger
from annotations.ledger.studio_lock import StudioLock, studio_lock
from annotations.ledger.studio_predictions import (
    announce_predictions,
    predictions_shown,
    settle_predictions,
)
from annotations.ledger.studio_tasks import Key, ProjectRow, chunks, task_rows
from annotations.progress import Progress, silent
from annotations.studio.client import StudioClient, condition
from annotations.studio.project import known_project
from annotations.studio.tasks import ModelAnswers, prediction_of

_BATCH_SIZE = 5_000  # each call costs Label Studio seconds, however little is in it


def push_predictions(
    ledger: Ledger,
    client: StudioClient,
    project: ProjectRow,
    answers: ModelAnswers,
    progress: Progress = silent,
) -> int:
    """Show the answers of one model version on the tasks of their posts; return how many were stored.

    Answers for posts without a task, and those already there, are passed over. The project then serves this
    version: its pre-ticked page and its order by confidence.

    Raises
    ------
    StudioError
        Label Studio does not answer or refuses the predictions, or the project is gone.
    """
    version = answers.model_version
    with studio_lock(ledger, f"{project.key}#push") as lock:
        info = known_project(client, project)
        _recover(ledger, client, project, version)
        shown = predictions_shown(ledger, project.key, version)
        n_stored = 0
        for batch in chunks(_fresh(ledger, project, answers, shown), _BATCH_SIZE):
            _push_batch(ledger, client, project, (version, batch), lock)
            n_stored += len(batch)
            progress(n_stored, None)
        if (n_stored or shown) and info.model_version != version:
            client.update_project(project.project_id, {"model_version": version})
    return n_stored


def _fresh(
    ledger: Ledger, project: ProjectRow, answers: ModelAnswers, shown: Collection[int]
) -> Iterator[dict[str, object]]:
    tasks: Mapping[Key, int | None] = {
        key: row.task_id for key, row in task_rows(ledger, project.key).items() if row.is_live
    }
    done = set(shown)
    for suggestion in answers.suggestions:
        task_id = tasks.get((suggestion.post_id, suggestion.revision))
        if task_id is not None and task_id not in done:
            done.add(task_id)
            yield prediction_of(suggestion, task_id, answers.model_version, answers.codebook)


def _push_batch(
    ledger: Ledger,
    client: StudioClient,
    project: ProjectRow,
    versioned: tuple[str, Sequence[Mapping[str, object]]],
    lock: StudioLock,
) -> None:
    version, batch = versioned
    task_ids = [int(str(each["task"])) for each in batch]
    announce_predictions(ledger, (project.key, version), task_ids, lock)
    n_created = client.import_predictions(project.project_id, batch)
    if n_created != len(batch):
        raise StudioError(
            f"Label Studio stored {n_created} of {len(batch)} predictions",
            where=client.url,
            hint="Run the command again; if it goes on, look at Label Studio's log.",
        )
    settle_predictions(ledger, (project.key, version), stored=task_ids, absent=())


def _recover(ledger: Ledger, client: StudioClient, project: ProjectRow, version: str) -> None:
    """Find out what became of predictions that an earlier run announced and did not confirm."""
    shown = predictions_shown(ledger, project.key, version)
    unsure = sorted(task_id for task_id, is_confirmed in shown.items() if not is_confirmed)
    stored: set[int] = set()
    for chunk in chunks(unsure):
        for page in client.find_tasks(project.project_id, [condition("id", "in_list", chunk)]):
            stored |= {task["id"] for task in page if _has_version(task, version)}
    settle_predictions(ledger, (project.key, version), stored=stored, absent=set(unsure) - stored)


def _has_version(task: Mapping[str, object], version: str) -> bool:
    predictions = task.get("predictions")
    return isinstance(predictions, list) and any(
        isinstance(each, Mapping) and each.get("model_version") == version for each in predictions
    )
