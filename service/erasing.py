"""Carrying an erasure out to its end: Label Studio, and what the databases still have on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotations.errors import StudioError
from annotations.ledger.compacting import compact, compact_file
from annotations.ledger.erasing import erase_posts
from annotations.ledger.erasure_plan import ErasurePlan
from annotations.ledger.erasures import read_erasures, settle
from annotations.ledger.store import Ledger
from annotations.studio.client import StudioClient
from annotations.studio.erasing import no_sync, remove_erased
from annotations.studio.leftovers import DATABASE, EXPORTS
from annotations.traces import find_traces
from annotations.workspace import Workspace
from classifiers.bundle_reading import read_manifest
from classifiers.errors import BundleError
from classifiers.registry import Registry
from service.settings import Settings
from service.studio_access import studio

_DOWNLOADS = Path("data") / "export"
"""Where Label Studio keeps what was downloaded from its pages."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an erasure did besides the ledger's rows; ``problems`` say what is still to be done."""

    n_tasks: int
    n_exports: int
    problems: tuple[str, ...]


def erase(settings: Settings, ledger: Ledger, plan: ErasurePlan, reason: str) -> Outcome:
    """Erase the posts of a plan from the ledger, then everything that follows from it.

    Raises
    ------
    StudioError
        A push or a pull is running: nothing was erased.
    """
    with no_sync(ledger):
        erase_posts(ledger, plan, reason)
    return finish(settings, ledger, plan.texts)


def finish(settings: Settings, ledger: Ledger, texts: Sequence[str] = ()) -> Outcome:
    """Do what is left of all erasures, as far as it can be done now; ``texts`` are looked for in exports."""
    n_tasks, problems = 0, []
    if any(each.pending for each in read_erasures(ledger)):
        try:
            with studio(settings) as connected:
                return carry_out(settings, ledger, connected.client, texts)
        except StudioError as error:
            problems.append(f"Label Studio: {error.problem}")
    n_exports = _remove_exports(settings.workspace, ledger, texts)
    return Outcome(n_tasks, n_exports, (*problems, *_compact(settings, ledger)))


def carry_out(settings: Settings, ledger: Ledger, client: StudioClient, texts: Sequence[str] = ()) -> Outcome:
    """Do what is left of all erasures with a Label Studio that answers, as before a push or a pull.

    Raises
    ------
    StudioError
        It does not answer after all, or refuses.
    """
    if all(each.is_complete for each in read_erasures(ledger)):
        return Outcome(0, 0, ())
    n_exports = _remove_exports(settings.workspace, ledger, texts)
    n_tasks = remove_erased(ledger, client)
    left = {project for each in read_erasures(ledger) for project in each.pending}
    problems = [f"another Label Studio has tasks of them: {', '.join(sorted(left))}"] if left else []
    return Outcome(n_tasks, n_exports, (*problems, *_compact(settings, ledger)))


def trained_since(settings: Settings, moment: str | None) -> list[str]:
    """Return the models that may have been trained on a post first labelled at a moment: all made later."""
    if moment is None:
        return []
    registry = Registry(settings.workspace.models_path)
    found = []
    for version in registry.versions():
        try:
            created = read_manifest(registry.path(version)).created
        except BundleError:
            created = "9"
        if created[:19] >= moment[:19]:
            found.append(version)
    return found


def _remove_exports(workspace: Workspace, ledger: Ledger, texts: Sequence[str]) -> int:
    """Delete the exports of the local Label Studio that hold erased posts: it can make them anew at any time."""
    post_ids = [each.post_id for each in read_erasures(ledger) if not each.is_complete]
    n_removed = 0
    for folder in (EXPORTS, _DOWNLOADS) if post_ids else ():
        for path in find_traces(workspace.studio_path / folder, texts, post_ids).all:
            path.unlink(missing_ok=True)
            n_removed += 1
    return n_removed


def _compact(settings: Settings, ledger: Ledger) -> list[str]:
    """Take what was deleted off the disk; return what was in the way."""
    problems = []
    records = read_erasures(ledger)
    waiting = [each.post_id for each in records if not each.removed.get("studio_compacted", True)]
    database = settings.workspace.studio_path / DATABASE
    if waiting and database.is_file():
        problem = compact_file(database)
        if problem:
            problems.append(f"Label Studio's database still has traces on the disk: {problem}")
    if waiting and not problems:
        settle(ledger, waiting, {"studio_compacted": True})
    waiting = [each.post_id for each in records if not each.removed.get("compacted")]
    if waiting:
        problem = compact(ledger)
        if problem:
            problems.append(f"the ledger's files still have traces on the disk: {problem}")
        else:
            settle(ledger, waiting, {"compacted": True})
    return problems
