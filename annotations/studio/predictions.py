"""Model answers shown in Label Studio: one a task and model version, whatever is killed when.

Posts of the blind share get none. What they would have got is kept in the ledger, to compare with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from annotations.codebook import Codebook
from annotations.errors import StudioError
from annotations.ledger.store import Ledger
from annotations.ledger.studio_lock import StudioLock, studio_lock
from annotations.ledger.studio_predictions import (
    announce_predictions,
    predictions_shown,
    settle_predictions,
)
from annotations.ledger.studio_tasks import Key, ProjectRow, chunks, task_rows
from annotations.ledger.suggestions import GivenSuggestion, blind_posts
from annotations.progress import Progress, silent
from annotations.studio.client import StudioClient, condition
from annotations.studio.project import known_project
from annotations.studio.tasks import ModelAnswers, Suggestion, prediction_of

_BATCH_SIZE = 5_000  # each call costs Label Studio seconds, however little is in it


@dataclass(frozen=True, slots=True)
class _Answer:
    """A suggestion and the task that it is for."""

    task_id: int
    suggestion: Suggestion


def push_predictions(
    ledger: Ledger,
    client: StudioClient,
    project: ProjectRow,
    answers: ModelAnswers,
    progress: Progress = silent,
) -> int:
    """Show the answers of one model version on the tasks of their posts; return how many were stored.

    Answers for posts without a task, those already there, and those for blind posts are passed over. The
    project then serves this version: its pre-ticked page and its order by confidence.

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
        n_stored = n_done = 0
        for batch in chunks(_fresh(ledger, project, answers, shown), _BATCH_SIZE):
            sending = _Sending(ledger, client, project, answers.codebook, version)
            n_stored += sending.send(batch, lock)
            n_done += len(batch)
            progress(n_done, None)
        if (n_stored or shown) and info.model_version != version:
            client.update_project(project.project_id, {"model_version": version})
    return n_stored


def given(
    suggestion: Suggestion, task_id: int, version: tuple[str, Codebook], *, withheld: bool
) -> GivenSuggestion:
    """Return the ledger's record of a suggestion; ``version`` is the model's, with its codebook."""
    return GivenSuggestion(
        task_id=task_id,
        model_version=version[0],
        post_id=suggestion.post_id,
        revision=suggestion.revision,
        codebook=version[1].digest,
        tags=suggestion.tags,
        confidence=suggestion.confidence,
        withheld=withheld,
    )


def _fresh(
    ledger: Ledger, project: ProjectRow, answers: ModelAnswers, shown: Collection[int]
) -> Iterator[_Answer]:
    tasks: Mapping[Key, int | None] = {
        key: row.task_id for key, row in task_rows(ledger, project.key).items() if row.is_live
    }
    done = set(shown)
    for suggestion in answers.suggestions:
        task_id = tasks.get((suggestion.post_id, suggestion.revision))
        if task_id is not None and task_id not in done:
            done.add(task_id)
            yield _Answer(task_id, suggestion)


@dataclass(frozen=True, slots=True)
class _Sending:
    ledger: Ledger
    client: StudioClient
    project: ProjectRow
    codebook: Codebook
    version: str

    def send(self, batch: Sequence[_Answer], lock: StudioLock) -> int:
        """Announce a batch, send what is not blind, confirm it; return how many were stored."""
        target = self.project.key, self.version
        blind = blind_posts(self.ledger, self.project.key, [answer.suggestion.post_id for answer in batch])
        rows = [
            given(
                answer.suggestion,
                answer.task_id,
                (self.version, self.codebook),
                withheld=answer.suggestion.post_id in blind,
            )
            for answer in batch
        ]
        # Checked before anything is noted: an answer that cannot be sent stops the batch.
        predictions = {
            answer.task_id: prediction_of(answer.suggestion, answer.task_id, self.version, self.codebook)
            for answer in batch
            if answer.suggestion.post_id not in blind
        }
        fresh = announce_predictions(self.ledger, target, rows, lock)
        wanted = {task_id: each for task_id, each in predictions.items() if task_id in fresh}
        if wanted:
            self._import(list(wanted.values()))
        settle_predictions(self.ledger, target, stored=wanted.keys(), absent=())
        return len(wanted)

    def _import(self, predictions: Sequence[Mapping[str, object]]) -> None:
        n_created = self.client.import_predictions(self.project.project_id, predictions)
        if n_created != len(predictions):
            raise StudioError(
                f"Label Studio stored {n_created} of {len(predictions)} predictions",
                where=self.client.url,
                hint="Run the command again; if it goes on, look at Label Studio's log.",
            )


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
