"""The rows of a ledger as JSON Lines, a file a table: out of one database and into another, of either kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, LargeBinary, MetaData, Table, func, insert, inspect, select, text

from annotations.errors import FileError
from annotations.ledger.schema import make_schema
from annotations.ledger.tables import SCHEMA_VERSION, metadata
from annotations.progress import Progress, silent

_PAGE = 1_000
_NOT_COPIED = {"studio_locks", "alembic_version"}
"""Who is at work at the moment, and what the schema's steps keep for themselves."""


def copied_tables() -> list[Table]:
    """Return the tables of a ledger in an order in which rows can be put in."""
    return [table for table in metadata.sorted_tables if table.name not in _NOT_COPIED]


def row_counts(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has."""
    return {
        table.name: int(connection.scalar(select(func.count()).select_from(table)) or 0)
        for table in copied_tables()
    }


def last_numbers(connection: Connection) -> dict[str, int]:
    """Return the last number given by each table that numbers its rows; rows that are gone count too."""
    found = {}
    for table, column in _numbered(copied_tables()):
        highest = connection.scalar(select(func.max(table.c[column])))
        found[table.name] = max(int(highest or 0), _given(connection, table, column))
    return found


def is_empty(connection: Connection) -> bool:
    """Tell whether a database holds no row of a ledger (it may have its tables)."""
    names = set(inspect(connection).get_table_names())
    return not any(
        connection.scalar(select(func.count()).select_from(table))
        for table in copied_tables()
        if table.name in names
    )


def write_tables(connection: Connection, folder: Path, progress: Progress = silent) -> dict[str, int]:
    """Write every table to ``folder/TABLE.jsonl`` and return the rows of each; ``progress`` is told rows.

    The caller's transaction should see one moment (REPEATABLE READ).
    """
    total = sum(row_counts(connection).values())
    counts, done = {}, 0
    for table in copied_tables():
        n_rows = 0
        with (folder / f"{table.name}.jsonl").open("w", encoding="ascii", newline="\n") as stream:
            for row in _rows(connection, table):
                stream.write(json.dumps(_to_json(row)) + "\n")
                n_rows += 1
                if n_rows % _PAGE == 0:
                    progress(done + n_rows, total)
        counts[table.name] = n_rows
        done += n_rows
        progress(done, total)
    return counts


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that :func:`write_tables` wrote.

    Raises
    ------
    FileError
        A line is no JSON object.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise FileError(f"is no JSON: {error}", where=f"{path.name}:{number}") from error
            if not isinstance(row, dict):
                raise FileError("is no JSON object", where=f"{path.name}:{number}")
            yield row


def table_rows(connection: Connection) -> dict[str, Iterable[Mapping[str, Any]]]:
    """Return the rows of every table of another database, for :func:`fill`; read when they are wanted."""
    return {table.name: map(_to_json, _rows(connection, table)) for table in copied_tables()}


def fill(
    connection: Connection,
    version: str,
    rows: Mapping[str, Iterable[Mapping[str, Any]]],
    numbers: Mapping[str, int],
    progress: Progress = silent,
) -> None:
    """Make the tables of a schema version in an empty database and put rows in; ``progress`` is told rows.

    Raises
    ------
    FileError
        There is a table or column that this schema does not have.
    """
    make_schema(connection, version)
    known = metadata if version == SCHEMA_VERSION else _reflected(connection)
    if unknown := set(rows) - set(known.tables):
        raise FileError(f"holds a table that schema {version} does not have: {sorted(unknown)[0]}")
    done = 0
    for table in known.sorted_tables:
        for page in _pages(rows.get(table.name, ())):
            connection.execute(insert(table), [_from_json(table, row) for row in page])
            done += len(page)
            progress(done, None)
    for table, column in _numbered([known.tables[name] for name in numbers if name in known.tables]):
        _go_on_from(connection, table, column, numbers[table.name])


def _rows(connection: Connection, table: Table) -> Iterator[Mapping[str, Any]]:
    query = select(table).order_by(*table.primary_key.columns)
    result = connection.execution_options(yield_per=_PAGE).execute(query)
    for page in result.mappings().partitions():
        yield from map(dict, page)


def _pages(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    iterator = iter(rows)
    while page := list(islice(iterator, _PAGE)):
        yield page


def _to_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def _from_json(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := set(row) - set(table.c.keys()):
        raise FileError(f"holds a column that the table {table.name} does not have: {sorted(unknown)[0]}")
    return {
        name: base64.b64decode(value)
        if value is not None and isinstance(table.c[name].type, LargeBinary)
        else value
        for name, value in row.items()
    }


def _reflected(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    return found


def _numbered(tables: Iterable[Table]) -> Iterator[tuple[Table, str]]:
    for table in tables:
        keys = list(table.primary_key.columns)
        if len(keys) == 1 and keys[0].type.python_type is int:
            yield table, keys[0].name


def _given(connection: Connection, table: Table, column: str) -> int:
    if connection.dialect.name == "postgresql":
        sequence = _sequence(connection, table, column)
        return int(connection.scalar(text(f"SELECT last_value FROM {sequence}")) or 0) if sequence else 0  # noqa: S608
    if not _keeps_numbers(connection, table):
        return 0
    here = {"name": table.name}
    return int(connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), here) or 0)


def _go_on_from(connection: Connection, table: Table, column: str, number: int) -> None:
    """Let the next row that a table numbers come after ``number``."""
    if connection.dialect.name == "postgresql":
        sequence = _sequence(connection, table, column)
        if sequence and number:
            connection.execute(text("SELECT setval(:name, :number)"), {"name": sequence, "number": number})
        return
    if _keeps_numbers(connection, table) and number:
        here = {"name": table.name, "number": number}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"), here)


def _sequence(connection: Connection, table: Table, column: str) -> str | None:
    name: str | None = connection.scalar(
        text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column}
    )
    return name


def _keeps_numbers(connection: Connection, table: Table) -> bool:
    """Tell whether SQLite remembers the last number of a table, also where its row is gone."""
    query = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    return "AUTOINCREMENT" in str(connection.scalar(query, {"name": table.name})).upper()
