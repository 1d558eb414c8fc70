"""What a database still has on the disk of rows that were deleted, and how it goes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from annotations.ledger.store import Ledger
from annotations.ledger.tables import metadata

_WAIT = "30s"


def compact(ledger: Ledger) -> str | None:
    """Write the ledger's files anew, without what was deleted; return what was in the way, None for nothing.

    On SQLite the journal is emptied too.  On PostgreSQL the tables and what the planner knows of them are
    written anew; its write-ahead log and copies of that are its administrator's.
    """
    try:
        if ledger.engine.dialect.name == "sqlite":
            connection = ledger.engine.raw_connection()
            try:
                driver = connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - what the dialect says
                return _compact_sqlite(driver)
            finally:
                connection.close()
        _compact_server(ledger)
    except (SQLAlchemyError, sqlite3.Error) as error:
        return str(getattr(error, "orig", None) or error).splitlines()[0]
    return None


def compact_file(database: Path) -> str | None:
    """Do the same to an SQLite file of another program, which may be running."""
    try:
        with closing(sqlite3.connect(database, timeout=30.0, isolation_level=None)) as connection:
            return _compact_sqlite(connection)
    except sqlite3.Error as error:
        return str(error)


def _compact_sqlite(connection: sqlite3.Connection) -> str | None:
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("VACUUM")
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return "another command is reading the database" if busy else None


def _compact_server(ledger: Ledger) -> None:
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"SET lock_timeout = '{_WAIT}'"))
        try:
            for table in metadata.sorted_tables:
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {table.name}"))
        finally:
            connection.execute(text("RESET lock_timeout"))
