"""What the service does with Label Studio in the background: pull, push suggestions, train."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from annotations.codebook import load_codebook
from annotations.ledger.queued import has_unsent
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_backends import backend_row
from annotations.ledger.studio_tasks import latest_project
from annotations.ledger.suggestions import switch
from annotations.studio.connecting import connect
from annotations.studio.predictions import push_predictions
from annotations.studio.pull import PullOptions, pull
from annotations.studio.push import PushOptions, push
from service.errors import NotReadyError
from service.retraining import n_new_annotations
from service.settings import Settings, child_environment
from service.studio_access import server_name, studio
from service.studio_connecting import backend_options
from service.suggesting import model_answers, suggester
from service.tagger import ModelSource

_LOG = logging.getLogger("talkingpoints.studio")
_COMMAND = ("-m", "service.cli", "retrain", "--push", "--json")


class StudioWork:
    """The background's tasks for one workspace; each opens what it needs and closes it."""

    def __init__(self, settings: Settings, models: ModelSource) -> None:
        self._settings = settings
        self._models = models
        self._trainer = _Trainer(settings, self._trained)

    def is_connected(self) -> bool:
        """Tell whether our service was made the backend of the project in use."""
        server = server_name(self._settings)
        if server is None or not self._settings.workspace.has_ledger:
            return False
        with self._ledger() as ledger:
            project = latest_project(ledger, server)
            return project is not None and backend_row(ledger, project.key) is not None

    def connect(self) -> None:
        """Have Label Studio call this service at its present address, where that has changed."""
        with self._ledger() as ledger, studio(self._settings) as connected:
            project = connected.project(ledger)
            row = backend_row(ledger, project.key)
            if row is not None and row.url != self._settings.backend_url and self._settings.port:
                connect(ledger, connected.client, project, backend_options(self._settings))
                _LOG.info("Label Studio calls another address", extra={"fields": {"was": row.url}})

    def pull(self) -> None:
        """Bring the ledger to the state of Label Studio."""
        codebook = load_codebook(self._settings.codebook_path)
        with self._ledger() as ledger, studio(self._settings) as connected:
            options = PullOptions(codebook=codebook, names=connected.names)
            report = pull(ledger, connected.client, connected.project(ledger), options)
        counts = {"new": report.new, "updated": report.updated, "deleted": report.deleted}
        _LOG.info("pulled from Label Studio", extra={"fields": counts})

    def has_queued(self) -> bool:
        """Tell whether posts that somebody asked to have annotated have no task in the project in use yet."""
        server = server_name(self._settings)
        if server is None or not self._settings.workspace.has_ledger:
            return False
        with self._ledger() as ledger:
            project = latest_project(ledger, server)
            return project is not None and has_unsent(ledger, project.key)

    def push_queued(self) -> None:
        """Make tasks of those posts, and of no others."""
        with self._ledger() as ledger, studio(self._settings) as connected:
            report = push(ledger, connected.client, connected.project(ledger), PushOptions(asked_only=True))
        _LOG.info("queued posts sent to Label Studio", extra={"fields": {"posts": report.pushed}})

    def push_suggestions(self) -> None:
        """Give suggestions to tasks without any, where annotators see them."""
        codebook = load_codebook(self._settings.codebook_path)
        try:
            tagger = self._models.current()
        except NotReadyError:
            tagger = None
        with self._ledger() as ledger, studio(self._settings) as connected:
            project = connected.project(ledger)
            if switch(ledger, project.key).shown:
                answers = model_answers(ledger, suggester(tagger, codebook))
                push_predictions(ledger, connected.client, project, answers)

    def is_training_due(self) -> bool:
        """Tell whether enough has been annotated since the last training."""
        wanted = self._settings.studio_train_after
        if not wanted or self._trainer.is_running():
            return False
        with self._ledger() as ledger:
            return n_new_annotations(self._settings, ledger) >= wanted

    def train(self) -> None:
        """Begin a training in a process of its own, unless one is running."""
        self._trainer.start()

    def stop(self) -> None:
        """End a training that is running."""
        self._trainer.stop()

    def _trained(self) -> None:
        self._models.refresh()

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        ledger = open_ledger(self._settings.workspace.ledger_url)
        try:
            yield ledger
        finally:
            ledger.close()


class _Trainer:
    """Runs ``talkingpoints retrain``, one at a time: fitting would slow every answer of this process."""

    def __init__(self, settings: Settings, on_end: Callable[[], None]) -> None:
        self._settings = settings
        self._on_end = on_end
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def is_running(self) -> bool:
        """Tell whether a training of ours is going on."""
        with self._guard:
            return self._process is not None

    def start(self) -> None:
        """Start a training and wait for its end in a thread."""
        with self._guard:
            if self._process is not None:
                return
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, *_COMMAND],
                env=child_environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            threading.Thread(
                target=self._wait, args=(self._process,), name="training-wait", daemon=True
            ).start()
        _LOG.info("training begins")

    def stop(self) -> None:
        """End the training, if there is one."""
        with self._guard:
            process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        output, _ = process.communicate()
        with self._guard:
            self._process = None
        fields = {"exit": process.returncode}
        if process.returncode == 0:
            _LOG.info("training ended", extra={"fields": fields})
            self._on_end()
        else:
            end = output.decode("utf-8", "replace").strip().splitlines()[-3:]
            _LOG.error("training failed", extra={"fields": fields | {"end": "\n".join(end)}})
