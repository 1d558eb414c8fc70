"""Commands that keep a workspace safe: backup, restore."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from annotations.backup.restoring import RestoreReport, restore_backup
from annotations.backup.taking import BackupOptions, BackupReport, take_backup
from service.audit import audited
from service.cli import console
from service.keys import revoke_again, revoked_keys
from service.settings import Settings

_MB = 1_000_000


@click.command("backup")
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option(
    "--without-studio", is_flag=True, help="Leave out the local Label Studio: its data, files and logins."
)
@console.json_option
def backup_command(out: Path | None, without_studio: bool, as_json: bool) -> None:
    """Save the whole workspace in one file, while it is in use: OUT, or a file beside the workspace.

    The file holds texts, annotations, and the passwords of the local Label Studio: only its owner can read it.
    """
    settings = console.settings()
    options = BackupOptions(out=out, studio=not without_studio)
    with console.progress("Saving", "bytes") as progress:
        report = take_backup(settings.workspace, options, progress)
    notes = (*report.notes, *_outside(settings))
    if as_json:
        console.print_json({**asdict(report), "path": str(report.path), "notes": notes})
        return
    click.echo(
        f"{report.path}: {_rows(report)}, {report.n_files:,} files, {report.unpacked / _MB:,.1f} MB "
        f"in {report.size / _MB:,.1f} MB"
    )
    for note in notes:
        console.say(f"  note: {note}")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Move the workspace that is there aside (it is not deleted).")
@console.json_option
def restore_command(file: Path, force: bool, as_json: bool) -> None:
    """Put the backup FILE back into an empty or new workspace (TALKINGPOINTS_HOME), whole or not at all.

    A ledger goes into the database in use, be it SQLite or PostgreSQL, wherever it was saved from.
    """
    settings = console.settings()
    revoked = revoked_keys(settings)
    with audited(settings, "restore", file.name), console.progress("Restoring", "bytes") as progress:
        report = restore_backup(settings.workspace, file, force=force, progress=progress)
    keys = revoke_again(settings, revoked)
    if as_json:
        console.print_json(asdict(report) | {"keys_revoked_again": keys})
        return
    click.echo(f"{settings.workspace.home}: {_rows(report)}, as of {report.made_at}")
    for place in report.aside:
        click.echo(f"  what was there is now {place}")
    if report.erased_again:
        click.echo(f"  erased again, as since on request: {', '.join(report.erased_again)}")
        click.echo("  their tasks in Label Studio go at the next push or pull, or with: talkingpoints erase")
    if keys:
        click.echo(f"  revoked again, as since: {', '.join(keys)}")
    for note in report.notes:
        console.say(f"  note: {note}")


def _rows(report: BackupReport | RestoreReport) -> str:
    rows = report.rows
    return f"{rows['posts']:,} posts, {rows['studio_annotations']:,} annotations"


def _outside(settings: Settings) -> list[str]:
    """Name what belongs to the work and is not in the workspace."""
    codebook = settings.codebook
    if codebook is None or codebook.absolute().is_relative_to(settings.workspace.home):
        return []
    return [f"the codebook is not in the workspace, and not saved: {codebook}"]


COMMANDS: tuple[click.Command, ...] = (backup_command, restore_command)
