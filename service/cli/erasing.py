"""The command that erases posts on request: erase."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from annotations.backup.selecting import ledger_file
from annotations.backup.taking import BACKUP_KEY
from annotations.ledger.erasure_plan import ErasurePlan, plan_erasure
from annotations.ledger.erasures import backups_made
from annotations.ledger.store import Ledger
from annotations.traces import find_traces
from service.audit import audited
from service.cli import console
from service.erasing import Outcome, erase, finish, trained_since
from service.settings import Settings

_SHOWN = 20
_TABLES = {
    "posts": "posts",
    "revisions": "texts",
    "studio_annotations": "annotations",
    "studio_tasks": "tasks",
}
_ELSEWHERE = (
    "Copies that this command cannot know: files written by posts --out, pull --out, tag and report to other "
    "places, copies of backups, and what others were given."
)


@dataclass(frozen=True, slots=True)
class _Left:
    """What an erasure does not reach."""

    models: list[str]
    files: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)


@click.command("erase")
@click.argument("post_ids", nargs=-1, metavar="POST_ID...")
@click.option("--reason", default="on request", show_default=True, help="Why, for the record; not the text.")
@click.option("--copies", is_flag=True, help="Erase the exact and near-duplicate copies of the posts too.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@console.json_option
def erase_command(post_ids: tuple[str, ...], reason: str, copies: bool, yes: bool, as_json: bool) -> None:
    """Erase posts (CHANNEL/NUMBER) everywhere: every text and label, and their tasks in Label Studio.

    It is shown first what goes. A record stays that they were erased, when and why, and they are not imported
    again. Without POST_ID, what is left of earlier erasures is finished: tasks of a Label Studio that did not run.
    """
    settings = console.settings()
    with console.ledger(settings) as ledger:
        if not post_ids:
            _show_end(finish(settings, ledger), {}, as_json)
            return
        plan = plan_erasure(ledger, post_ids, copies=copies)
        _preview(plan, trained_since(settings, plan.labelled_since), as_json)
        if plan.posts and not _is_agreed(yes):
            click.echo("Nothing was erased.", err=as_json)
            return
        # How many, not which: the record of an erasure has that, and the audit outlives it.
        with audited(settings, "erase", f"{len(plan.posts)} posts") as noted:
            outcome = erase(settings, ledger, plan, reason) if plan.posts else finish(settings, ledger)
            noted.outcome = "unfinished" if outcome.problems else "done"
        left = _left(settings, ledger, plan)
    found = {
        "erased": list(plan.posts),
        "already": dict(plan.already),
        "copies": list(plan.copies),
        "rows": dict(plan.rows),
        "tasks_removed": outcome.n_tasks,
        "exports_removed": outcome.n_exports,
        "models": left.models,
        "files": left.files,
        "packed": left.packed,
        "sources": left.sources,
        "backups": left.backups,
    }
    if not as_json:
        _show(plan, outcome, left)
    _show_end(outcome, found, as_json)


def _is_agreed(yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError("Nothing was erased: without a terminal to ask on, say --yes.")
    return click.confirm("This cannot be undone. Erase?", default=False, err=True)


def _preview(plan: ErasurePlan, models: list[str], as_json: bool) -> None:
    """Say what would go, on standard error where standard output is for JSON."""
    for post_id, moment in plan.already.items():
        click.echo(f"{post_id} was erased on {moment[:10]}", err=as_json)
    if not plan.posts:
        return
    counts = ", ".join(f"{plan.rows.get(table, 0):,} {name}" for table, name in _TABLES.items())
    click.echo(f"To be erased: {counts}", err=as_json)
    _list(plan.posts, as_json)
    if plan.copies:
        click.echo(
            f"Copies and near-duplicates that stay (--copies erases them too): {len(plan.copies):,}",
            err=as_json,
        )
        _list(plan.copies, as_json)
    if models:
        click.echo(f"Models that may have learnt from them, and stay: {', '.join(models)}", err=as_json)


def _left(settings: Settings, ledger: Ledger, plan: ErasurePlan) -> _Left:
    home = settings.workspace.home
    with console.progress("Looking for traces", "bytes") as progress:
        traces = find_traces(home, plan.texts, plan.posts, progress)
    database = ledger_file(settings.workspace.ledger_url)
    # The ledger itself names the posts, in the record that they were erased.
    named = [path for path in traces.naming if database is None or not path.name.startswith(database.name)]
    return _Left(
        models=trained_since(settings, plan.labelled_since),
        files=[str(path) for path in (*traces.holding, *named)],
        packed=[str(path) for path in traces.packed if path.suffix != ".npz"],
        sources=list(plan.files),
        backups=[place for _, place in sorted(backups_made(ledger, BACKUP_KEY).items())],
    )


def _show(plan: ErasurePlan, outcome: Outcome, left: _Left) -> None:
    if plan.posts:
        click.echo(
            f"Erased: {len(plan.posts):,} posts, {outcome.n_tasks:,} tasks in Label Studio"
            + (f", {outcome.n_exports:,} exports there" if outcome.n_exports else "")
        )
    said: dict[str, list[str]] = {
        "Models that may have learnt from them (train anew, and delete these folders)": left.models,
        "Files of the workspace that still hold or name them": left.files,
        "Compressed files that were not looked into": left.packed,
        "Files that they were imported from": left.sources,
        "Backups that were taken of this ledger": [_exists(place) for place in left.backups],
    }
    for title, places in said.items():
        if places:
            click.echo(f"{title}:")
            _list(places)
    click.echo(_ELSEWHERE)


def _exists(place: str) -> str:
    return place if Path(place).exists() else f"{place} (not there any more)"


def _list(lines: tuple[str, ...] | list[str], to_stderr: bool = False) -> None:
    for line in lines[:_SHOWN]:
        click.echo(f"  {line}", err=to_stderr)
    if len(lines) > _SHOWN:
        click.echo(f"  and {len(lines) - _SHOWN:,} more", err=to_stderr)


def _show_end(outcome: Outcome, found: dict[str, Any], as_json: bool) -> None:
    """Say what is still to be done; an erasure that is not finished is a failure for a script."""
    if as_json:
        console.print_json({**found, "tasks_removed": outcome.n_tasks, "problems": list(outcome.problems)})
    elif not found:
        click.echo(f"{outcome.n_tasks:,} tasks of erased posts removed from Label Studio")
    for problem in outcome.problems:
        console.say(f"Not finished: {problem}")
    if outcome.problems:
        console.say("  The rest is done by the next push or pull, or by: talkingpoints erase")
        sys.exit(1)


COMMANDS: tuple[click.Command, ...] = (erase_command,)
