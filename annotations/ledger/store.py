"""Opening a ledger: engine, pragmas, and errors a user can act on."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import ColumnElement, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from annotations.errors import LedgerError
from annotations.ledger.schema import ensure_schema, schema_version
from annotations.ledger.tables import SCHEMA_VERSION

_BUSY_SECONDS = 30  # how long to wait for another command that is writing


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open ledger. Reads and writes go through :meth:`begin`, one transaction a block."""

    engine: Engine
    where: str

    @property
    def url(self) -> str | None:
        """The URL under which another process can open it (with its password); None for one in memory."""
        if self.engine.url.database in (None, "", ":memory:") and self.engine.dialect.name == "sqlite":
            return None
        return self.engine.url.render_as_string(hide_password=False)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, committed at the end of the block, rolled back on any error.

        Raises
        ------
        LedgerError
            The database is locked by another process, full, read-only or gone; nothing of the block is kept.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _explained(error, self.where) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that only reads: it neither waits for a writer nor keeps one waiting.

        Raises
        ------
        LedgerError
            The database is gone, or damaged.
        """
        try:
            with self.engine.connect().execution_options(only_reads=True) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _explained(error, self.where) from error

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()


def open_ledger(url: str) -> Ledger:
    """Open the ledger at an SQLAlchemy URL, creating or bringing up to date its tables.

    Raises
    ------
    LedgerError
        The URL is unusable, the database cannot be opened, or it was made by a later release.
    """
    ledger = connect_ledger(url)
    with _closed_on_failure(ledger), ledger.begin() as connection:
        ensure_schema(connection, ledger.where)
    return ledger


def open_to_read(url: str) -> Ledger:
    """Open the ledger at an SQLAlchemy URL; only one of an older release is written to, and brought up to date.

    Raises
    ------
    LedgerError
        As of :func:`open_ledger`.
    """
    ledger = connect_ledger(url)
    with _closed_on_failure(ledger):
        with ledger.reading() as connection:
            is_current = schema_version(connection) == SCHEMA_VERSION
        if not is_current:
            with ledger.begin() as connection:
                ensure_schema(connection, ledger.where)
    return ledger


def connect_ledger(url: str) -> Ledger:
    """Return the ledger at an SQLAlchemy URL as it is, which may be without tables or of another release.

    Raises
    ------
    LedgerError
        The URL is unusable.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError(
            "the database URL cannot be read",
            hint="Use sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME.",
        ) from error
    where = parsed.render_as_string(hide_password=True)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    try:
        if is_sqlite and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        # "?timeout=SECONDS" in the URL says another time.
        patience = {"timeout": _BUSY_SECONDS} if is_sqlite and "timeout" not in parsed.query else {}
        engine = create_engine(parsed, json_serializer=json_text, connect_args=patience)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise LedgerError(f"cannot be opened: {error}", where=where) from error
    except OSError as error:
        raise LedgerError(
            f"cannot be opened: {error.strerror or error}",
            where=where,
            hint="Choose a folder you can write to (TALKINGPOINTS_HOME).",
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediately)
    return Ledger(engine, where)


def among(connection: Connection, column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of many values, in a form that is compiled only once."""
    if connection.dialect.name == "sqlite":
        listed = func.json_each(json_text(list(values))).table_valued("value")
        return column.in_(select(listed.c.value))
    return column.in_(values)


def now() -> str:
    """Return the present time as the ledger writes times: ISO 8601, UTC, microseconds."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """Return a timezone-aware time as ISO 8601 UTC text that sorts by time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def json_text(value: Any) -> str:
    """Return a value as the JSON text that the ledger holds."""
    try:
        return to_json(value, inf_nan_mode="null").decode("utf-8")
    except PydanticSerializationError:  # lone surrogates, which UTF-8 cannot hold and escapes can
        return json.dumps(value)


@contextmanager
def _closed_on_failure(ledger: Ledger) -> Iterator[None]:
    with ExitStack() as closing:
        closing.callback(ledger.close)
        yield
        closing.pop_all()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by us (see _begin_immediately), not by the driver.
    connection.isolation_level = None
    cursor = connection.cursor()
    # 32 MB of cache: imports and the search for near-duplicates jump about in the indexes.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-32768"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediately(connection: Connection) -> None:
    # A transaction that first reads and then writes would fail under a concurrent writer instead of waiting.
    only_reads = connection.get_execution_options().get("only_reads", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _explained(error: SQLAlchemyError, where: str) -> LedgerError:
    cause = str(getattr(error, "orig", None) or error)
    hints = {
        "locked": "Another command is writing; try again when it has finished.",
        "disk is full": "Free some space; nothing of the last step was written.",
        "readonly": "The file or its folder is read-only for this user.",
        "unable to open": "Check that the folder exists and can be written.",
        "not a database": "The file is something else; name another with TALKINGPOINTS_HOME.",
        "malformed": "The file is damaged; restore a backup (talkingpoints restore).",
        "disk i/o": "The disk is full or failing; what was recorded before stays.",
        "connection": "Check that the database server runs and that the URL is right.",
    }
    hint = next((text for mark, text in hints.items() if mark in cause.lower()), "")
    return LedgerError(f"the database refused: {cause.splitlines()[0]}", where=where, hint=hint)
