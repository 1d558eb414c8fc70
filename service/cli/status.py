"""Commands that look and change nothing: status, settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from annotations.ledger.erasures import read_erasures
from annotations.ledger.posts import post_counts
from annotations.ledger.studio import studio_counts
from classifiers.errors import ModelNotFoundError
from classifiers.registry import Registry
from service.cli import console
from service.settings import Settings, setting_rows
from service.studio_access import local_studio


def status(settings: Settings) -> dict[str, Any]:
    """Return what is where, ready for JSON."""
    with console.ledger(settings) as ledger:
        counts, of_studio = post_counts(ledger), studio_counts(ledger)
        erased = read_erasures(ledger)
    registry = Registry(settings.workspace.models_path)
    try:
        active = registry.active()
    except ModelNotFoundError:
        active = None
    running = None if settings.studio_url else local_studio(settings).running()
    return {
        "workspace": str(settings.home),
        "codebook": str(settings.codebook_path),
        "studio": settings.studio_url or (running.url if running else None),
        "ledger": counts,
        "erasures": {
            "posts": len(erased),
            "last": max((each.erased_at for each in erased), default=None),
            "unfinished": sum(not each.is_complete for each in erased),
        },
        "label_studio": {**asdict(of_studio), "by_annotator": dict(of_studio.by_annotator)},
        "models": {"active": active, "versions": registry.versions()},
    }


@click.command("status")
@console.json_option
def status_command(as_json: bool) -> None:
    """Say what is where: posts, tasks, annotations by annotator, stale labels, active model, last sync."""
    found = status(console.settings())
    if as_json:
        console.print_json(found)
        return
    ledger, studio, models = found["ledger"], found["label_studio"], found["models"]
    annotators = ", ".join(f"{name} {count:,}" for name, count in studio["by_annotator"].items())
    rows = {
        "Workspace": found["workspace"],
        "Codebook": found["codebook"],
        "Posts": f"{ledger['posts']:,} in {ledger['channels']:,} channels, {ledger['duplicates']:,} duplicates, "
        f"{ledger['revisions'] - ledger['posts']:,} earlier revisions",
        "Near-duplicates": f"{ledger['near_duplicates']:,} posts in {ledger['clusters']:,} clusters",
        "Imports": f"{ledger['imports']:,}, {ledger['refused']:,} messages refused",
        "Erased": _erased(found["erasures"]),
        "Label Studio": found["studio"] or "not running (talkingpoints studio up)",
        "Tasks": f"{studio['n_tasks']:,}",
        "Annotations": f"{studio['n_annotations']:,}" + (f" ({annotators})" if annotators else ""),
        "  stale": f"{studio['n_stale']:,} on a text that the post no longer has",
        "  deleted there": f"{studio['n_deleted']:,}",
        "  with problems": f"{studio['n_problems']:,}",
        "Last push, pull": f"{studio['pushed_at'] or 'never'}, {studio['pulled_at'] or 'never'}",
        "Active model": f"{models['active'] or 'none (talkingpoints train)'} of {len(models['versions'])}",
    }
    for name, value in rows.items():
        click.echo(f"{name:<16} {value}")


def _erased(found: dict[str, Any]) -> str:
    if not found["posts"]:
        return "0"
    unfinished = f", {found['unfinished']:,} unfinished (talkingpoints erase)" if found["unfinished"] else ""
    return f"{found['posts']:,} on request, last on {found['last'][:10]}{unfinished}"


@click.command("settings")
@console.json_option
def settings_command(as_json: bool) -> None:
    """Show every setting, its value in force and what it means. Secrets are not shown."""
    rows = setting_rows(console.settings())
    if as_json:
        console.print_json([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.variable} = {row.value}")
        click.echo(click.wrap_text(row.description, 100, "    ", "    "))


COMMANDS: tuple[click.Command, ...] = (status_command, settings_command)
