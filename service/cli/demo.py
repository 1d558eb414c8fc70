"""The demo: the whole job on the sample posts, in a workspace of its own, from raw files to a served model.

Every step can be repeated: a second run finds the posts, the tasks, the annotations and the model in their places.
"""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import httpx

from annotations.agreement import agreement
from annotations.codebook import Codebook
from annotations.errors import FileError, StudioError
from annotations.files import atomic_text
from annotations.importing import import_file
from annotations.labels import read_labels, write_labels
from annotations.ledger.store import Ledger
from annotations.ledger.studio import latest_annotations, stored_annotations
from annotations.ledger.studio_tasks import ProjectRow, task_rows
from annotations.ledger.suggestions import switch
from annotations.records import Annotation
from annotations.studio.accounts import annotator_client
from annotations.studio.credentials import Credentials
from annotations.studio.project import ProjectOptions, ensure_project
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import push
from annotations.studio.server import RunningStudio
from annotations.studio.switching import turn
from annotations.studio.tasks import result_of
from classifiers.dataset import Dataset
from classifiers.errors import ModelNotFoundError
from classifiers.training import TrainingOptions
from service.cli import console, evaluating, learning, models, studio, studio_connection
from service.cli.agreement import print_agreement
from service.cli.evaluation_tables import print_evaluation
from service.cli.serving import serving
from service.ports import free_port, require_port
from service.settings import Settings, load_settings
from service.studio_access import local_studio
from service.studio_access import studio as studio_in_use

HOME = Path("workspace-demo")
FILES = ("dump.txt", "posts.csv", "result.json")
_RESET = f"The demo can be started anew: remove the folder {HOME}."
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PULL_SECONDS = 30.0
_LEAST_FREE_BYTES = 200 * 1024 * 1024
_NEW_POST = (
    "The Foreign Minister said today that no single capital can speak for a world with many centres of power. "
    "The Charter of the United Nations must stay at the heart of it, she added, and the so-called guardians of "
    "order should lift the unlawful sanctions that they impose on everybody but themselves."
)


@click.command("demo")
@click.option("--once", is_flag=True, help="End when everything has been shown, instead of staying up.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the API; a free one near 8000 by default."
)
def demo_command(once: bool, port: int | None) -> None:
    """Run the whole job on the sample posts of an invented ministry, with a real Label Studio."""
    settings = demo_settings(port)
    with stopping_on_signals():
        try:
            run(settings, once)
        finally:
            if local_studio(settings).down():
                console.say("Label Studio is stopped.")


def demo_settings(port: int | None) -> Settings:
    """Return the demo's settings: its own workspace, the sample's codebook, a port that can be used."""
    examples = Path(__file__).resolve().parents[2] / "examples"
    if not examples.is_dir():
        raise FileError(
            "the sample posts are missing",
            where=str(examples),
            hint="Run the demo from a checkout of the project.",
        )
    if shutil.disk_usage(Path.cwd()).free < _LEAST_FREE_BYTES:
        raise FileError(
            "less than 200 MB are free", where=str(Path.cwd()), hint="Free some space for the demo's data."
        )
    wanted = load_settings()
    chosen = port or free_port(wanted.host, wanted.port)
    settings = load_settings(
        home=HOME,
        codebook=examples / "codebook.yaml",
        port=chosen,
        database_url=None,
        studio_url=None,
        studio_backend_url=None,
        studio_pull_seconds=wanted.studio_pull_seconds or _PULL_SECONDS,
    )
    require_port(settings.host, settings.port)
    return settings


def run(settings: Settings, once: bool) -> None:
    """Take all steps, then serve until Ctrl-C, or end at once."""
    codebook = console.codebook(settings)
    examples = settings.codebook_path.parent
    _heading("1. Label Studio")
    sample = read_labels(examples / "annotations.jsonl", codebook.tag_ids)
    running, credentials = studio.start(settings, sorted({each.annotator for each in sample}))
    click.echo(f"Label Studio answers at {running.url}")
    with console.ledger(settings) as ledger, running.client() as client:
        _heading("2. Import the sample posts")
        for name in FILES:
            click.echo(str(import_file(ledger, examples / name)))
        _heading("3. Push them to Label Studio")
        options = ProjectOptions(title="Talking Points demo", overlap=2)
        project = ensure_project(ledger, client, codebook, options)
        with console.progress("Pushing") as progress:
            studio.print_push(push(ledger, client, project, None, progress))
        if _has_no_model(settings):
            click.echo(f"{studio.push_suggestions(settings):,} suggestions from cue phrases pushed")
        _heading("4. Two annotators submit their annotations")
        pulling = PullOptions(codebook=codebook, names=credentials.names())
        # What an interrupted run has submitted is not sent twice.
        pull(ledger, client, project, pulling)
        sender = Sender(running, settings.workspace.studio_path, codebook)
        click.echo(sender.submit(ledger, project, sample))
        _heading("5. Pull the annotations")
        studio.print_pull(pull(ledger, client, project, pulling))
        labels = stored_annotations(ledger)
        labels_path = settings.home / "labels.jsonl"
        click.echo(f"{write_labels(labels_path, labels):,} annotations written to {labels_path}")
    _heading("6. Agreement")
    print_agreement(agreement(labels, codebook.tag_ids))
    _heading("7. Train and evaluate")
    version = _train(settings, labels, codebook)
    click.echo(f"Model {version} is active. Training, cross-validated on the sample:")
    print_evaluation(_validated(settings, labels, version))
    _heading("8. Push the model's suggestions to Label Studio, for all posts but those kept blind")
    click.echo(f"{studio.push_suggestions(settings):,} suggestions pushed")
    _heading("9. Serve, and tag a new post")
    with serving(settings) as address:
        click.echo(_connected(settings))
        print_tags(httpx.post(f"{address}/v1/predict", json={"text": _NEW_POST, "explain": True}, timeout=60))
        _print_addresses(address, f"{running.url}/projects/{project.project_id}/data?labeling=1", credentials)
        if not once:
            console.say("Everything is up; Ctrl-C stops it.")
            threading.Event().wait()


def _has_no_model(settings: Settings) -> bool:
    try:
        models.active_manifest(settings)
    except ModelNotFoundError:
        return True
    return False


def _connected(settings: Settings) -> str:
    """Connect the service that is now up to Label Studio, and show annotators its suggestions."""
    with console.ledger(settings) as ledger, studio_in_use(settings) as connected:
        project = connected.project(ledger)
        said = studio_connection.connect(settings, ledger, connected)
        now = switch(ledger, project.key)
        if not now.shown:
            turn(ledger, connected.client, project, replace(now, shown=True))
    return said


@dataclass(frozen=True, slots=True)
class Sender:
    """Submits annotations to Label Studio as the people who made them."""

    running: RunningStudio
    studio_path: Path
    codebook: Codebook

    def submit(self, ledger: Ledger, project: ProjectRow, sample: Sequence[Annotation]) -> str:
        """Submit those that are not there yet; return what was done, in a sentence."""
        stored = latest_annotations(ledger, project.key)
        there = {(each.annotation.post_id, each.annotation.annotator) for each in stored}
        missing = [each for each in sample if (each.post_id, each.annotator) not in there]
        tasks = {row.key: row.task_id for row in task_rows(ledger, project.key).values()}
        done = 0
        with console.progress("Annotating", "annotations") as progress:
            for annotator, annotations in _by_annotator(missing).items():
                with annotator_client(self.running, self.studio_path, annotator) as client:
                    for annotation in annotations:
                        task_id = tasks.get((annotation.post_id, annotation.revision))
                        if task_id is None:
                            raise StudioError(f"the task of {annotation.post_id} is gone", hint=_RESET)
                        client.annotate(task_id, self._submission(annotation))
                        done += 1
                        progress(done, len(missing))
        return f"{done:,} annotations submitted, {len(sample) - len(missing):,} there already"

    def _submission(self, annotation: Annotation) -> dict[str, Any]:
        return {
            "result": result_of(annotation, self.codebook),
            "was_cancelled": annotation.skipped,
            "lead_time": annotation.lead_time,
        }


def _by_annotator(annotations: Sequence[Annotation]) -> dict[str, list[Annotation]]:
    found: dict[str, list[Annotation]] = {}
    for annotation in annotations:
        found.setdefault(annotation.annotator, []).append(annotation)
    return found


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Let a termination signal end the block as Ctrl-C does, so that what was started is stopped.

    Ctrl-C is among them: a script's background job starts with it ignored.
    """

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def print_tags(response: httpx.Response) -> None:
    """Print what the service says of a post."""
    answer = response.raise_for_status().json()
    click.echo(f"  {_NEW_POST}\n")
    decided = [tag for tag in answer["tags"] if tag["decision"] == "yes"]
    for tag in decided:
        click.echo(f"  {tag['title']}: {tag['score']:.2f} (threshold {tag['threshold']:.2f})")
        for passage in tag["evidence"][:1]:
            click.echo(f'      "{passage["text"]}"')
    if not decided:
        click.echo("  No tag reaches its threshold.")


def _print_addresses(api: str, project: str, credentials: Credentials) -> None:
    _heading("Where everything is")
    click.echo(f"The page to try posts on   {api}/")
    click.echo(f"The HTTP API, described    {api}/docs")
    click.echo(f"Label Studio, annotating   {project}")
    studio.print_logins(credentials)


def _train(settings: Settings, labels: list[Annotation], codebook: Codebook) -> str:
    """Train, unless the active model was trained on just these labels and this codebook."""
    try:
        manifest = models.active_manifest(settings)
    except ModelNotFoundError:
        manifest = None
    digest = Dataset.from_annotations(labels, codebook).digest
    if manifest and (manifest.dataset_digest, manifest.codebook_digest) == (digest, codebook.digest):
        click.echo("The labels have not changed since the last training.")
        return manifest.version
    return learning.train_and_activate(settings, labels, TrainingOptions())


def _validated(settings: Settings, labels: list[Annotation], version: str) -> dict[str, Any]:
    """Cross-validate, or take the figures of an earlier run: the version stands for data, codebook and options."""
    path = settings.workspace.reports_path / f"evaluation-{version}.json"
    if path.is_file():
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return figures
    figures = evaluating.validate(settings, labels)
    with atomic_text(path) as stream:
        stream.write(console.as_json(figures))
    return figures


def _heading(title: str) -> None:
    click.echo(f"\n== {title}")


COMMANDS: tuple[click.Command, ...] = (demo_command,)
