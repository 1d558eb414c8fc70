"""Files that a local Label Studio keeps of exports that were deleted: every full pull would leave one there."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from annotations.sqlite_files import reading_database

DATABASE = Path("data") / "label_studio.sqlite3"
EXPORTS = Path("data") / "media" / "export"
_FRESH_SECONDS = 60.0
_TABLES = ("data_export_export", "data_export_convertedformat")


def remove_leftover_exports(studio_path: Path, *, fresh_seconds: float = _FRESH_SECONDS) -> int:
    """Delete the files of exports that Label Studio's database does not know; return how many.

    One written less than ``fresh_seconds`` ago may be about to become known.  Where the database cannot be
    read, or is of another version, nothing is deleted.
    """
    folder = studio_path / EXPORTS
    if not folder.is_dir() or not (studio_path / DATABASE).is_file():
        return 0
    try:
        with reading_database(studio_path / DATABASE) as connection:
            known = {
                str(row[0])
                for table in _TABLES
                for row in connection.execute(f"SELECT file FROM {table} WHERE file <> ''")  # noqa: S608
            }
    except sqlite3.Error:
        return 0
    media, now = folder.parent, time.time()
    leftover = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.relative_to(media).as_posix() not in known
        and now - path.stat().st_mtime > fresh_seconds
    ]
    for path in leftover:
        path.unlink(missing_ok=True)
    return len(leftover)
