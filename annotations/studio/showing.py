"""Which suggestion an annotator had before their eyes, found out when the annotation is pulled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotations.ledger.store import Ledger, timestamp
from annotations.ledger.suggestions import GivenSuggestion, Shown, Switch, suggestions_on, switches
from annotations.studio.answers import is_number, parse_time


class Showing:
    """The suggestions on the tasks of one page of a pull, against what Label Studio says of an annotation.

    Label Studio names the prediction that an annotation was made from (``parent_prediction``). Where it names
    none, and suggestions were switched on when the annotation was made, it is the latest one that the task
    had by then: the page came with it.
    """

    def __init__(self, ledger: Ledger, project: str) -> None:
        self._ledger = ledger
        self._project = project
        self._switches: Sequence[Switch] = switches(ledger, project)
        self._given: Mapping[int, Sequence[GivenSuggestion]] = {}

    def look_up(self, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Read what was suggested on a page of tasks, where anybody has worked on them."""
        numbers = [task["id"] for task in tasks if is_number(task.get("id")) and task.get("annotations")]
        self._given = suggestions_on(self._ledger, self._project, numbers) if numbers else {}

    def behind(self, task: Mapping[str, Any], received: Mapping[str, Any]) -> Shown | None:
        """Return the suggestion behind an annotation, seen or withheld; None: there was none."""
        found = self._found(task, received)
        if found is None:
            return None
        return Shown(received["id"], found.task_id, found.model_version, found.withheld)

    def tags(self, task: Mapping[str, Any], received: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the tags that the annotator saw suggested."""
        found = self._found(task, received)
        return () if found is None or found.withheld else tuple(found.tags)

    def _found(self, task: Mapping[str, Any], received: Mapping[str, Any]) -> GivenSuggestion | None:
        given = self._given.get(task["id"], ())
        created = parse_time(received.get("created_at"))
        if not given or created is None:
            return None
        moment = timestamp(created)
        named = _version(task, received)
        here = [each for each in given if each.model_version == named]
        if here and not here[-1].withheld:
            return here[-1]
        if not self._was_on(moment):
            return None
        return next((each for each in reversed(given) if each.given_at <= moment), None)

    def _was_on(self, moment: str) -> bool:
        return next((each.shown for each in reversed(self._switches) if each.changed_at <= moment), False)


def _version(task: Mapping[str, Any], received: Mapping[str, Any]) -> str | None:
    """Return the version of the prediction that an annotation was made from, where Label Studio names it."""
    parent = received.get("parent_prediction")
    if parent is None:
        return None
    predictions = task.get("predictions")
    candidates = [received.get("prediction"), *(predictions if isinstance(predictions, list) else ())]
    for each in candidates:
        if isinstance(each, Mapping) and each.get("id") == parent:
            return str(each.get("model_version"))
    return None
