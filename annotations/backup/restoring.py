"""Putting a backup back: checked first, built beside, and put in its place in one step."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, delete

from annotations.backup.archive import Member, check_archive, read_members
from annotations.backup.manifest import DATABASE, LEDGER, WORKSPACE, Manifest
from annotations.backup.selecting import ledger_file
from annotations.backup.staging import staging_folder
from annotations.backup.swapping import exchange, fsync_tree
from annotations.backup.targets import check_target, has_tables, move_tables, outside, room
from annotations.errors import FileError, LedgerError
from annotations.ledger.compacting import compact
from annotations.ledger.copying import fill, read_table, row_counts, table_rows
from annotations.ledger.erasing import erase_again
from annotations.ledger.erasures import erased_since
from annotations.ledger.schema import ensure_schema
from annotations.ledger.store import Ledger, connect_ledger, open_ledger
from annotations.ledger.tables import SCHEMA_VERSION, studio_locks
from annotations.progress import Progress, silent
from annotations.sqlite_files import side_files
from annotations.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What was put back; ``aside`` is where the workspace that was there is now."""

    made_at: str
    n_files: int
    rows: dict[str, int]
    studio: bool
    aside: tuple[str, ...]
    erased_again: tuple[str, ...]
    notes: tuple[str, ...]


def restore_backup(
    workspace: Workspace, archive: Path, *, force: bool = False, progress: Progress = silent
) -> RestoreReport:
    """Put a backup into an empty or new workspace; whatever ends the run before its last step changes nothing.

    Parameters
    ----------
    force
        Move a workspace that is there aside, to a name beside it; nothing is ever deleted.  Posts that were
        erased there on request since the backup was taken are erased in what is put back too.
    progress
        Told bytes of the archive; it is read twice.

    Raises
    ------
    FileError
        The archive is no sound backup; the workspace is not empty; or there is not enough room.
    LedgerError
        The archive was made by a later release, or the database refuses its rows.
    StudioError
        The Label Studio of the workspace is running.
    """
    workspace = Workspace(workspace.home.absolute(), workspace.database_url)
    manifest = check_archive(archive, room(workspace.home), _part(progress, 0))
    if manifest.ledger.schema_version > SCHEMA_VERSION:
        raise LedgerError(
            f"the backup has schema version {manifest.ledger.schema_version}, this release reads {SCHEMA_VERSION}",
            where=str(archive),
            hint="Use the release that took it.",
        )
    check_target(workspace, force)
    with staging_folder(workspace.home, "restore") as folder:
        restore = _Restore(workspace, archive, manifest, folder)
        restore.unpack(_part(progress, 1))
        return restore.put(force)


def _part(progress: Progress, part: int) -> Progress:
    def report(done: int, total: int | None) -> None:
        if total is not None:
            progress(part * total + done, 2 * total)

    return report


@dataclass(frozen=True, slots=True)
class _Restore:
    workspace: Workspace
    archive: Path
    manifest: Manifest
    folder: Path

    @property
    def home(self) -> Path:
        """The workspace as it is being built."""
        return self.folder / "home"

    def unpack(self, progress: Progress) -> None:
        self.home.mkdir()
        for member in read_members(self.archive, progress):
            if member.name.startswith(WORKSPACE):
                self._write(member, self.home / member.name.removeprefix(WORKSPACE))
            elif member.name.startswith(LEDGER):
                self._write(member, self.folder / "ledger" / member.name.removeprefix(LEDGER))
            else:
                for _ in member.chunks():
                    pass

    def _write(self, member: Member, path: Path) -> None:
        studio = self.home / self.workspace.studio_path.name
        digest = hashlib.sha256()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if studio.is_dir():
                studio.chmod(0o700)
            with path.open("xb") as stream:
                for chunk in member.chunks():
                    digest.update(chunk)
                    stream.write(chunk)
            path.chmod(member.mode | 0o600)
        except OSError as error:
            raise FileError(
                f"cannot be written: {error.strerror or error}",
                where=str(self.workspace.home),
                hint="Free some space; nothing was changed.",
            ) from error
        if digest.hexdigest() != self.manifest.members[member.name].sha256:
            raise FileError("was changed while it was read", where=str(self.archive))

    def put(self, force: bool) -> RestoreReport:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        if ledger_file(self.workspace.ledger_url) is None:
            return self._put_on_server(force, stamp)
        database = self._database()
        ledger = open_ledger(f"sqlite:///{database}")  # brings it up to date
        try:
            erased, notes = self._erase_again(ledger) if force else ((), ())
            with ledger.begin() as connection:
                connection.execute(delete(studio_locks))
                rows = row_counts(connection)
            if erased:
                compact(ledger)
        finally:
            ledger.close()
        aside = self._put_outside(database, stamp) + self._swap(stamp)
        return self._report(rows, aside, erased, notes)

    def _database(self) -> Path:
        """Make the ledger as an SQLite file at its place in the new workspace, and return that."""
        wanted = ledger_file(self.workspace.ledger_url)
        elsewhere = outside(self.workspace)
        if wanted is None or elsewhere is not None:
            path = self.folder / "outside.db"
        else:
            path = self.home / wanted.relative_to(self.workspace.home)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.manifest.ledger.kind == "sqlite":
            (self.folder / "ledger" / DATABASE.removeprefix(LEDGER)).rename(path)
            for journal in side_files(path):
                journal.unlink(missing_ok=True)
            return path
        ledger = connect_ledger(f"sqlite:///{path}")
        try:
            with ledger.begin() as connection:
                self._fill(connection)
        finally:
            ledger.close()
        return path

    def _fill(self, connection: Connection) -> None:
        files = {path.stem: path for path in (self.folder / "ledger").glob("*.jsonl")}
        fill(
            connection,
            self.manifest.ledger.schema_version,
            {name: read_table(path) for name, path in files.items()},
            self.manifest.ledger.numbers,
        )

    def _put_on_server(self, force: bool, stamp: str) -> RestoreReport:
        """Fill the server's database in one transaction, and exchange the folder right before its end."""
        ledger = connect_ledger(self.workspace.ledger_url)
        aside: tuple[str, ...] = ()
        swapped: tuple[str, ...] | None = None
        try:
            with self._source() as source, ledger.begin() as connection:
                erasures = erased_since(connection) if force and has_tables(connection) else []
                if has_tables(connection):
                    aside = move_tables(connection, stamp)
                if source is None:
                    self._fill(connection)
                    ensure_schema(connection, ledger.where)
                else:
                    fill(connection, SCHEMA_VERSION, table_rows(source), self.manifest.ledger.numbers)
                again = erase_again(connection, erasures)
                rows = row_counts(connection)
                swapped = self._swap(stamp)
        except BaseException:
            if swapped is not None:  # the database did not take it after all
                self._swap_back(swapped)
            raise
        finally:
            ledger.close()
        return self._report(rows, aside + swapped, tuple(again), ())

    @contextmanager
    def _source(self) -> Iterator[Connection | None]:
        """Yield the ledger of the archive where it is a database file, brought up to date."""
        if self.manifest.ledger.kind != "sqlite":
            yield None
            return
        ledger = open_ledger(f"sqlite:///{self._database()}")
        try:
            with ledger.begin() as connection:
                yield connection
        finally:
            ledger.close()

    def _erase_again(self, ledger: Ledger) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Erase what was erased in the workspace that is there, after the backup was taken."""
        old = ledger_file(self.workspace.ledger_url)
        if old is None or not old.is_file():
            return (), ()
        try:
            before = connect_ledger(self.workspace.ledger_url)
            try:
                with before.begin() as connection:
                    erasures = erased_since(connection)
            finally:
                before.close()
        except LedgerError as error:
            return (), (f"what was erased on request before could not be read: {error.problem}",)
        with ledger.begin() as connection:
            return tuple(erase_again(connection, erasures)), ()

    def _put_outside(self, database: Path, stamp: str) -> tuple[str, ...]:
        place = outside(self.workspace)
        if place is None:
            return ()
        place.parent.mkdir(parents=True, exist_ok=True)
        aside: tuple[str, ...] = ()
        if place.exists():
            old = place.with_name(f"{place.name}.before-restore-{stamp}")
            place.rename(old)
            aside = (str(old),)
        shutil.move(database, place)
        return aside

    def _swap(self, stamp: str) -> tuple[str, ...]:
        """Put the new folder in its place in one step; return where the old one is."""
        home = self.workspace.home
        try:
            fsync_tree(self.home)
            if not home.exists() or not any(home.iterdir()):
                self.home.rename(home)
                return ()
            # Under its last name before the exchange: whatever ends the run, no name with .part is the old one.
            aside = home.with_name(f"{home.name}.before-restore-{stamp}")
            self.home.rename(aside)
            exchange(aside, home)
        except OSError as error:
            raise FileError(
                f"cannot be put in its place: {error.strerror or error}",
                where=str(home),
                hint="What was there is unchanged.",
            ) from error
        return (str(aside),)

    def _swap_back(self, aside: tuple[str, ...]) -> None:
        home = self.workspace.home
        if aside:
            exchange(Path(aside[0]), home)
            Path(aside[0]).rename(self.home)
        else:
            home.rename(self.home)

    def _report(
        self,
        rows: dict[str, int],
        aside: tuple[str, ...],
        erased: tuple[str, ...],
        notes: tuple[str, ...],
    ) -> RestoreReport:
        return RestoreReport(
            made_at=self.manifest.made_at,
            n_files=len(self.manifest.members),
            rows=rows,
            studio=self.manifest.studio,
            aside=aside,
            erased_again=erased,
            notes=(*self.manifest.notes, *notes),
        )
