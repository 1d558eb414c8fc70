"""Copies of SQLite databases that others are writing to, by SQLite's own backup interface."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from annotations.errors import FileError
from annotations.progress import Progress, silent

_MAGIC = b"SQLite format 3\0"
_SIDE_FILES = ("-wal", "-shm", "-journal")
_BUSY_SECONDS = 30.0
_PAGES = 4_000
_MOST_RESTARTS = 10
_PAUSE_SECONDS = 0.01


class _RestartedTooOftenError(Exception):
    """Writers come faster than the copy."""


def is_database(path: Path) -> bool:
    """Tell, by its first bytes, whether a file is an SQLite database."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def side_files(database: Path) -> set[Path]:
    """Return the places of the journals beside a database; they mean nothing without it."""
    return {database.with_name(database.name + suffix) for suffix in _SIDE_FILES}


def copy_database(source: Path, target: Path, progress: Progress = silent) -> None:
    """Copy a database as it is at one moment, whoever writes to it; ``progress`` is told bytes.

    Raises
    ------
    FileError
        The source cannot be read or is damaged, or the target cannot be written.
    """
    try:
        with closing(_connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
            writing.execute("PRAGMA synchronous=OFF")  # whoever needs the copy on the disk syncs it
            _copy(reading, writing, progress)
            writing.execute("PRAGMA journal_mode=DELETE")  # one file, without journals beside it
            found = writing.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        hint = "Free some space." if "full" in str(error) else "Check that the file can be read."
        raise FileError(f"cannot be copied: {error}", where=str(source), hint=hint) from error
    if found != "ok":
        raise FileError(f"is damaged: {found}", where=str(source), hint="Restore an earlier backup.")


@contextmanager
def reading_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a plain connection for reading, and close it."""
    with closing(_connect(path)) as connection:
        yield connection


def _connect(path: Path) -> sqlite3.Connection:
    # Not read-only: the journal of a writer that was killed may have to be played back first.
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=_BUSY_SECONDS)


def _copy(reading: sqlite3.Connection, writing: sqlite3.Connection, progress: Progress) -> None:
    page_size = reading.execute("PRAGMA page_size").fetchone()[0]
    if reading.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        # Readers and writers do not stand in each other's way: the copy reads one moment to the end.
        reading.isolation_level = None
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=_PAGES, progress=_reporter(page_size, progress, None))
        reading.execute("COMMIT")
        return
    # Here a reader holds writers up. They get their turn between two steps, and each write starts the copy
    # anew; where that does not end, they wait for the whole copy.
    report = _reporter(page_size, progress, _MOST_RESTARTS)
    try:
        reading.backup(writing, pages=_PAGES, progress=report, sleep=_PAUSE_SECONDS)
    except _RestartedTooOftenError:
        reading.backup(writing)


class _reporter:  # noqa: N801 - it is used as a function
    """Tells progress in bytes, and counts how often a copy was started anew."""

    def __init__(self, page_size: int, progress: Progress, most_restarts: int | None) -> None:
        self._page_size = page_size
        self._progress = progress
        self._most = most_restarts
        self._restarts = 0
        self._done = 0

    def __call__(self, _status: int, remaining: int, total: int) -> None:
        done = total - remaining
        self._restarts += done < self._done
        self._done = done
        if self._most is not None and self._restarts > self._most:
            raise _RestartedTooOftenError
        self._progress(done * self._page_size, total * self._page_size)
