"""Erased posts in Label Studio: their tasks go, with the annotations, drafts and predictions on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import select

from annotations.ledger.erasures import read_erasures, settle
from annotations.ledger.store import Ledger
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.studio_tasks import ProjectRow, chunks, project_row
from annotations.ledger.tables import studio_projects
from annotations.studio.client import NotFoundError, StudioClient, condition
from annotations.studio.project import known_project


def remove_erased(ledger: Ledger, client: StudioClient) -> int:
    """Delete the tasks of erased posts that are pending in the projects of a server; return how many.

    They are looked for by the post they name, so that tasks that the ledger does not know go too.

    Raises
    ------
    StudioError
        Label Studio does not answer, or refuses; what is pending stays so.
    """
    pending: dict[str, list[str]] = {}
    for each in read_erasures(ledger):
        for project in each.pending:
            if project.rpartition("#")[0] == client.name:
                pending.setdefault(project, []).append(each.post_id)
    n_removed = 0
    for key, post_ids in sorted(pending.items()):
        row = project_row(ledger, key)
        removed = Counter[str]() if row is None else _remove(client, row, post_ids)
        settle(ledger, post_ids, {"project": key, "studio_tasks": removed, "studio_compacted": False})
        n_removed += removed.total()
    return n_removed


@contextmanager
def no_sync(ledger: Ledger) -> Iterator[None]:
    """Keep pushes and pulls of every project out: they might bring back what is being erased.

    Raises
    ------
    StudioError
        One is running and does not end within half a minute.
    """
    with ledger.begin() as connection:
        projects = list(
            connection.scalars(select(studio_projects.c.project).order_by(studio_projects.c.project))
        )
    with ExitStack() as locks:
        for project in projects:
            for kind in ("push", "pull"):
                locks.enter_context(studio_lock(ledger, f"{project}#{kind}"))
        yield


def _remove(client: StudioClient, project: ProjectRow, post_ids: list[str]) -> Counter[str]:
    removed: Counter[str] = Counter()
    try:
        known_project(client, project)
        for chunk in chunks(post_ids):
            here = [condition("data.post_id", "in_list", chunk)]
            for page in client.find_tasks(project.project_id, here, include="data"):
                for task in page:
                    post_id = task.get("data", {}).get("post_id")
                    if post_id in chunk:
                        client.delete_task(task["id"])
                        removed[post_id] += 1
    except NotFoundError:  # the project is gone, with everything in it
        return removed
    return removed
