"""Commands to run and to look after: status, serve, settings, report, demo."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import uvicorn

from annotations.agreement import agreement
from annotations.files import atomic_text
from annotations.labels import write_labels
from annotations.ledger.posts import post_counts
from annotations.ledger.studio import studio_counts
from classifiers.errors import ModelNotFoundError
from classifiers.registry import Registry
from service.app import create_app, uvicorn_options
from service.cli import console, demo
from service.cli.learning import labels_in_use, validate
from service.logs import configure_logging
from service.ports import require_port
from service.settings import Settings, load_settings, setting_rows
from service.studio_access import local_studio


def status(settings: Settings) -> dict[str, Any]:
    """Return what is where, ready for JSON."""
    with console.ledger(settings) as ledger:
        counts, of_studio = post_counts(ledger), studio_counts(ledger)
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
        "Imports": f"{ledger['imports']:,}, {ledger['refused']:,} messages refused",
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


@click.command("serve")
@click.option("--host", help="Address to listen on; a loopback address.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 8000 by default.")
def serve_command(host: str | None, port: int | None) -> None:
    """Serve the HTTP API and its page until Ctrl-C. A model activated meanwhile is taken up."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(**given)
    options = uvicorn_options(settings)
    if settings.port:
        require_port(settings.host, settings.port)
    configure_logging(settings.log_level)
    console.say(
        f"Serving on http://{settings.host}:{settings.port} (API description at /docs); Ctrl-C stops it"
    )
    uvicorn.run(create_app(settings), **options)


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


@click.command("report")
@click.option("--out", type=click.Path(path_type=Path), help="A folder; the workspace's reports by default.")
def report_command(out: Path | None) -> None:
    """Write the project's labels and figures (status, agreement, evaluation) as files."""
    settings = console.settings()
    folder = out or settings.workspace.reports_path
    codebook = console.codebook(settings)
    annotations = labels_in_use(settings, None, codebook)
    write_labels(folder / "labels.jsonl", annotations)
    figures = {
        "status": status(settings),
        "agreement": agreement(annotations, codebook.tag_ids).to_dict(),
        "evaluation": validate(settings, annotations),
    }
    for name, content in figures.items():
        with atomic_text(folder / f"{name}.json") as stream:
            stream.write(console.as_json(content) + "\n")
    click.echo(f"labels.jsonl, {', '.join(f'{name}.json' for name in figures)} written to {folder}")


COMMANDS: tuple[click.Command, ...] = (
    status_command,
    serve_command,
    settings_command,
    report_command,
    demo.demo_command,
)
