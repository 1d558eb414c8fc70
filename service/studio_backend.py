"""What Label Studio is answered when it asks for predictions, and the record of it in the ledger."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotations.codebook import Codebook, load_codebook
from annotations.ledger.store import Ledger, open_ledger
from annotations.ledger.studio_predictions import announce_predictions
from annotations.ledger.studio_tasks import project_row
from annotations.ledger.suggestions import Switch, blind_posts, falls_blind
from annotations.records import text_digest
from annotations.studio.answers import is_number
from annotations.studio.parsing import is_text
from annotations.studio.predictions import given
from annotations.studio.tasks import Suggestion, prediction_of
from service.errors import NotReadyError
from service.settings import Settings
from service.studio_access import server_name
from service.suggesting import Suggester, Text, suggester
from service.tagger import ModelSource

_OUR_CONTROL = 'name="tags"'  # of the labelling page that we make


@dataclass(frozen=True, slots=True)
class _Asked:
    """A task that a suggestion can be made for; ``post_id`` is empty where the task is not ours."""

    place: int
    task_id: int | None
    post_id: str
    text: str


class StudioBackend:
    """Answers for one workspace. Its methods may be called from several threads at once."""

    def __init__(self, settings: Settings, models: ModelSource) -> None:
        self._settings = settings
        self._models = models
        self._opening = threading.Lock()
        self._ledger: Ledger | None = None
        self._codebook: tuple[object, Codebook] | None = None

    def close(self) -> None:
        """Close the ledger."""
        with self._opening:
            if self._ledger is not None:
                self._ledger.close()
            self._ledger = None

    def version(self) -> str:
        """Return the version of the suggestions made now: it changes at every training."""
        return self._source().version

    def versions(self) -> list[str]:
        """Return every version there is, the one in use last."""
        current = self.version()
        return [*(each for each in self._models.versions() if each != current), current]

    def predict(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return one prediction a task, in order; an empty one where there is nothing to suggest.

        What Label Studio will show is noted in the ledger first, so nothing is ever shown without a record.

        Raises
        ------
        LedgerError
            It cannot be noted: then nothing is suggested either.
        """
        tasks = body.get("tasks")
        tasks = tasks if isinstance(tasks, list) else []
        source = self._source()
        answers: list[dict[str, Any]] = [
            {"result": [], "score": 0.0, "model_version": source.version} for _ in tasks
        ]
        if not self._is_our_page(body.get("label_config")):
            return answers
        asked = [each for place, task in enumerate(tasks) if (each := self._asked(place, task)) is not None]
        suggestions = source.suggest(
            [Text(each.post_id, text_digest(each.text), each.text) for each in asked]
        )
        blind = self._noted(body.get("project"), source, list(zip(asked, suggestions, strict=True)))
        for each, suggestion in zip(asked, suggestions, strict=True):
            if each.post_id not in blind:
                shown = prediction_of(suggestion, 0, source.version, source.codebook)
                answers[each.place] = {name: value for name, value in shown.items() if name != "task"}
        return answers

    def _asked(self, place: int, task: object) -> _Asked | None:
        data = task.get("data") if isinstance(task, dict) else None
        text = data.get("text") if isinstance(data, dict) else None
        if not isinstance(task, dict) or not isinstance(data, dict) or not is_text(text):
            return None
        if not text.strip() or len(text) > self._settings.max_text_length:
            return None
        post_id, number = data.get("post_id"), task.get("id")
        return _Asked(place, number if is_number(number) else None, post_id if is_text(post_id) else "", text)

    def _noted(
        self, project: object, source: Suggester, answers: Sequence[tuple[_Asked, Suggestion]]
    ) -> set[str]:
        """Note what is suggested for posts of ours, and return those that must not get it."""
        ours = [(asked, suggestion) for asked, suggestion in answers if asked.post_id]
        ledger, key = self._known_project(project)
        if ledger is None or key is None:
            # A project that the ledger has lost: the default share is blind there as anywhere.
            share, seed = Switch().blind_share, Switch().seed
            return {asked.post_id for asked, _ in ours if falls_blind(asked.post_id, share, seed)}
        blind = blind_posts(ledger, key, [asked.post_id for asked, _ in ours])
        rows = [
            given(
                suggestion, asked.task_id, (source.version, source.codebook), withheld=asked.post_id in blind
            )
            for asked, suggestion in ours
            if asked.task_id is not None
        ]
        announce_predictions(ledger, (key, source.version), rows)
        return blind

    def _known_project(self, project: object) -> tuple[Ledger | None, str | None]:
        """Return the ledger and the key of a project; Label Studio names it ``NUMBER.TIME``."""
        number = str(project).partition(".")[0]
        ledger, server = self._opened(), server_name(self._settings)
        if ledger is None or server is None or not (number.isascii() and number.isdigit()):
            return ledger, None
        row = project_row(ledger, f"{server}#{int(number[:18])}")
        return ledger, row.key if row else None

    def _opened(self) -> Ledger | None:
        """Open the ledger, once; nothing is created by a call of Label Studio."""
        with self._opening:
            if self._ledger is None and self._settings.workspace.has_ledger:
                self._ledger = open_ledger(self._settings.workspace.ledger_url)
            return self._ledger

    def _source(self) -> Suggester:
        try:
            tagger = self._models.current()
        except NotReadyError:
            tagger = None
        return suggester(tagger, self._page_codebook())

    def _page_codebook(self) -> Codebook:
        path = self._settings.codebook_path
        status = path.stat() if path.exists() else None
        mark = (path, status and (status.st_mtime_ns, status.st_size))
        if self._codebook is None or self._codebook[0] != mark:
            self._codebook = (mark, load_codebook(path))
        return self._codebook[1]

    @staticmethod
    def _is_our_page(config: object) -> bool:
        """Tell whether the page has our control; calls without a page are taken for ours."""
        return not isinstance(config, str) or not config.strip() or _OUR_CONTROL in config
