"""Where a backup is put back: what may be there, and how it is moved aside."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from annotations.backup.selecting import ledger_file
from annotations.errors import FileError, StudioError
from annotations.ledger.copying import copied_tables, is_empty
from annotations.ledger.store import connect_ledger
from annotations.ledger.tables import metadata
from annotations.studio.process import Daemon
from annotations.workspace import Workspace

_SPARE_BYTES = 16 << 20
_NAMES = frozenset(metadata.tables) | {"alembic_version"}


def room(home: Path) -> int:
    """Return how many bytes can be written beside ``home``."""
    folder = home.parent
    while not folder.exists():
        folder = folder.parent
    return max(0, shutil.disk_usage(folder).free - _SPARE_BYTES)


def check_target(workspace: Workspace, force: bool) -> None:
    """Make sure that a backup can be put there.

    Raises
    ------
    FileError
        The place is in use and ``force`` is not given, or it cannot be exchanged in one step.
    StudioError
        Its Label Studio is running.
    """
    home = workspace.home
    if home.is_symlink() or (home.exists() and not home.is_dir()):
        raise FileError("is no folder", where=str(home), hint="Name another with TALKINGPOINTS_HOME.")
    if home.is_mount():
        raise FileError(
            "is where a disk is mounted, and cannot be exchanged in one step",
            where=str(home),
            hint="Set TALKINGPOINTS_HOME to a folder in it.",
        )
    if Daemon(workspace.studio_path, "label-studio").is_running():
        raise StudioError(
            "the Label Studio of this workspace is running",
            where=str(workspace.studio_path),
            hint="Stop it first: talkingpoints studio down",
        )
    if force:
        return
    hint = "Name a new one (TALKINGPOINTS_HOME), or move it aside with --force: nothing is deleted."
    if home.is_dir() and any(home.iterdir()):
        raise FileError("the workspace is not empty", where=str(home), hint=hint)
    elsewhere = outside(workspace)
    if elsewhere is not None and elsewhere.exists():
        raise FileError("the ledger is there already", where=str(elsewhere), hint=hint)
    if ledger_file(workspace.ledger_url) is None:
        ledger = connect_ledger(workspace.ledger_url)
        try:
            with ledger.begin() as connection:
                if not is_empty(connection):
                    raise FileError("the ledger is not empty", where=ledger.where, hint=hint)
        finally:
            ledger.close()


def outside(workspace: Workspace) -> Path | None:
    """Return the place of an SQLite ledger that is not in the workspace's folder."""
    database = ledger_file(workspace.ledger_url)
    return database if database and not database.is_relative_to(workspace.home) else None


def has_tables(connection: Connection) -> bool:
    """Tell whether a database has tables of a ledger."""
    names = set(inspect(connection).get_table_names())
    return any(table.name in names for table in copied_tables())


def move_tables(connection: Connection, stamp: str) -> tuple[str, ...]:
    """Move a ledger's tables into a schema of their own on the server; empty ones just go."""
    names = sorted(set(inspect(connection).get_table_names()) & _NAMES)
    if is_empty(connection):
        for name in names:
            connection.execute(text(f"DROP TABLE {name} CASCADE"))
        return ()
    schema = f"before_restore_{stamp.lower()}"
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    for name in names:
        connection.execute(text(f"ALTER TABLE {name} SET SCHEMA {schema}"))
    return (f"schema {schema} of the database",)
