"""Taking a backup while the workspace is in use: every database as it is at one moment, every file whole."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import create_engine, delete, insert, select, text

from annotations.backup.archive import ArchiveWriter, written_archive
from annotations.backup.manifest import DATABASE, FORMAT, LEDGER, WORKSPACE, LedgerEntry, Manifest
from annotations.backup.selecting import SUFFIX, Selection, ledger_file
from annotations.backup.staging import staging_folder
from annotations.errors import FileError
from annotations.ledger.copying import last_numbers, row_counts, write_tables
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.studio_lock import studio_lock
from annotations.ledger.tables import SCHEMA_VERSION, ledger_info, studio_locks, studio_projects
from annotations.progress import Progress, silent
from annotations.sqlite_files import copy_database, is_database
from annotations.workspace import Workspace

BACKUP_KEY = "backup:"
"""Begin of the keys in the table ``ledger_info`` under which the places of backups are remembered."""

_LOCK_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOptions:
    """How a backup is taken.

    Parameters
    ----------
    out
        The file to write, or a folder for it; by default a file beside the workspace.
    studio
        Whether the local Label Studio is saved too: its database, its files and its logins.
    """

    out: Path | None = None
    studio: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What was saved; sizes in bytes."""

    path: Path
    size: int
    unpacked: int
    n_files: int
    rows: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def take_backup(
    workspace: Workspace, options: BackupOptions | None = None, progress: Progress = silent
) -> BackupReport:
    """Save the workspace in one archive, readable by its owner alone (mode 0600), whole or not at all.

    Pushes to the local Label Studio wait while its database and the ledger are copied, so that the two agree;
    everything else goes on.  ``progress`` is told bytes.

    Raises
    ------
    FileError
        The file exists, the disk is full, or something cannot be read.
    LedgerError
        The ledger cannot be opened or read.
    StudioError
        A push holds Label Studio for ten minutes.
    """
    options = options or BackupOptions()
    out = _place(workspace, options.out)
    if not workspace.home.is_dir():
        raise FileError(
            "there is no workspace", where=str(workspace.home), hint="Name it: TALKINGPOINTS_HOME."
        )
    ledger = open_ledger(workspace.ledger_url)
    try:
        with staging_folder(out, "backup") as folder:
            report = _Backup(workspace, options, ledger, folder, progress).run(out)
        _remember(ledger, out)
    finally:
        ledger.close()
    return report


def _place(workspace: Workspace, out: Path | None) -> Path:
    if out is None or out.is_dir():
        folder = (out or workspace.home.parent).absolute()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        names = (
            f"{workspace.home.name}-{stamp}{again}{SUFFIX}"
            for again in ("", *map("-{}".format, range(2, 99)))
        )
        return next(folder / name for name in names if not os.path.lexists(folder / name))
    out = out.absolute()
    if os.path.lexists(out):
        raise FileError("exists", where=str(out), hint="Choose another name; a backup replaces nothing.")
    return out


def _remember(ledger: Ledger, out: Path) -> None:
    """Remember where backups are: who erases a post is told."""
    with ledger.begin() as connection:
        connection.execute(insert(ledger_info).values(key=f"{BACKUP_KEY}{now()}", value=str(out)))


@dataclass(slots=True)
class _Backup:
    workspace: Workspace
    options: BackupOptions
    ledger: Ledger
    folder: Path
    progress: Progress
    notes: list[str] = field(default_factory=list)
    _done: int = 0
    _total: int = 0

    def run(self, out: Path) -> BackupReport:
        # The pointer before the models: a model that is added meanwhile is then whole or not there.
        pointer = self._pointer()
        selection = Selection(self.workspace, out, self.options.studio)
        files = dict(selection.files())
        self.notes += selection.notes
        databases = {name: path for name, (path, _) in files.items() if is_database(path)}
        self._total = sum(size * (1 + (name in databases)) for name, (_, size) in files.items())
        entry, members = self._databases(databases)
        archive = self.folder / "archive"
        with written_archive(archive) as writer:
            for name, (path, _) in sorted((files | pointer).items()):
                if name not in databases:
                    self._add(writer, name, path)
            for name, path in sorted(members.items()):
                self._add(writer, name, path)
                path.unlink()
            manifest = self._manifest(writer, entry)
            writer.finish(manifest, self.folder)
        self.progress(self._total, self._total)
        _publish(archive, out)
        return BackupReport(
            path=out,
            size=out.stat().st_size,
            unpacked=sum(member.size for member in manifest.members.values()),
            n_files=len(manifest.members),
            rows=entry.rows,
            notes=tuple(self.notes),
        )

    def _manifest(self, writer: ArchiveWriter, entry: LedgerEntry) -> Manifest:
        studio_mark = f"{WORKSPACE}{self.workspace.studio_path.name}/"
        return Manifest(
            format=FORMAT,
            made_by=f"talking-points {version('talking-points')}",
            made_at=now(),
            ledger=entry,
            studio=any(name.startswith(studio_mark) for name in writer.members),
            members=dict(writer.members),
            notes=list(self.notes),
        )

    def _pointer(self) -> dict[str, tuple[Path, int]]:
        """Copy the name of the active model, as it is now."""
        active = self.workspace.models_path / "active"
        try:
            content = active.read_bytes()
        except FileNotFoundError:
            return {}
        copy = self.folder / "active"
        copy.write_bytes(content)
        return {f"{WORKSPACE}{self.workspace.models_path.name}/active": (copy, len(content))}

    def _databases(self, others: dict[str, Path]) -> tuple[LedgerEntry, dict[str, Path]]:
        """Copy the ledger and the other databases; return what the ledger holds, and the copies by name."""
        with ExitStack() as locks:
            if others:  # a push between the two copies would be known to one of them only
                for project in self._projects():
                    locks.enter_context(studio_lock(self.ledger, f"{project}#push", _LOCK_SECONDS))
            entry, members = self._ledger()
            for number, (name, path) in enumerate(sorted(others.items())):
                members[name] = self.folder / f"{number}.db"
                self._copy(path, members[name])
        return entry, members

    def _projects(self) -> list[str]:
        with self.ledger.begin() as connection:
            query = select(studio_projects.c.project).order_by(studio_projects.c.project)
            return list(connection.scalars(query))

    def _ledger(self) -> tuple[LedgerEntry, dict[str, Path]]:
        if self.ledger.engine.dialect.name != "sqlite":
            return self._tables()
        database = ledger_file(self.workspace.ledger_url)
        if database is None:
            raise FileError("a ledger in memory cannot be saved", where=self.ledger.where)
        copy = self.folder / "ledger.db"
        self._total += 2 * database.stat().st_size
        self._copy(database, copy)
        engine = create_engine(f"sqlite:///{copy}")
        try:
            with engine.begin() as connection:
                connection.execute(delete(studio_locks))  # ours among them
                entry = _entry("sqlite", row_counts(connection), last_numbers(connection))
        finally:
            engine.dispose()
        return entry, {DATABASE: copy}

    def _tables(self) -> tuple[LedgerEntry, dict[str, Path]]:
        folder = self.folder / "tables"
        folder.mkdir()
        with self.ledger.begin() as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            numbers = last_numbers(connection)
            rows = write_tables(connection, folder)
        files = {f"{LEDGER}{path.name}": path for path in folder.iterdir()}
        self._total += sum(path.stat().st_size for path in files.values())
        return _entry("tables", rows, numbers), files

    def _copy(self, source: Path, target: Path) -> None:
        before = self._done

        def report(done: int, _total: int | None) -> None:
            self._done = max(self._done, before + done)  # a copy may have to start anew
            self._report()

        copy_database(source, target, report)

    def _report(self) -> None:
        self._total = max(self._total, self._done)
        self.progress(self._done, self._total)

    def _add(self, writer: ArchiveWriter, name: str, path: Path) -> None:
        try:
            self._done += writer.add(name, path)
        except FileNotFoundError:
            self.notes.append(f"went away while the backup was taken: {path}")
        except PermissionError as error:
            raise FileError(
                "cannot be read: permission denied", where=str(path), hint="Run as the workspace's owner."
            ) from error
        self._report()


def _entry(kind: str, rows: dict[str, int], numbers: dict[str, int]) -> LedgerEntry:
    return LedgerEntry.model_validate(
        {"kind": kind, "schema_version": SCHEMA_VERSION, "rows": rows, "numbers": numbers}
    )


def _publish(archive: Path, out: Path) -> None:
    """Give the finished archive its name, unless somebody has taken it meanwhile."""
    try:
        archive.chmod(0o600)
        with archive.open("rb") as stream:
            os.fsync(stream.fileno())
        try:
            os.link(archive, out)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(out):
                raise FileExistsError(f"File exists: {out}") from None
            archive.rename(out)
    except OSError as error:
        raise FileError(
            f"cannot be written: {error.strerror or error}", where=str(out), hint="Choose another place."
        ) from error
