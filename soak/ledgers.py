"""What a ledger holds, in a form in which two ledgers can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from sqlalchemy import MetaData, create_engine, select

_CHANCE = frozenset({"import_id", "first_import", "seq"})  # numbers that count runs, and orders of coming
_OF_THE_DATA = frozenset({"edited_at"})
_OF_RUNS = frozenset({"imports", "refusals", "studio_locks", "alembic_version"})

Content = Mapping[str, Counter[str]]


def content(url: str) -> Content:
    """Return the rows of every table but those about runs, without times and the numbers of imports."""
    engine = create_engine(url)
    tables = MetaData()
    found = {}
    try:
        with engine.connect() as connection:
            tables.reflect(connection)
            for table in tables.sorted_tables:
                if table.name in _OF_RUNS:
                    continue
                columns = [
                    column
                    for column in table.columns
                    if column.name in _OF_THE_DATA
                    or not (column.name in _CHANCE or column.name.endswith(("_at", "_until")))
                ]
                rows = (tuple(row) for row in connection.execute(select(*columns)))
                found[table.name] = Counter(repr(row) for row in rows if not _counts_rows(table.name, row))
    finally:
        engine.dispose()
    return found


def differences(found: Content, wanted: Content) -> Iterator[str]:
    """Yield a sentence for every table that differs."""
    for name in sorted(found.keys() | wanted.keys()):
        here, there = found.get(name, Counter()), wanted.get(name, Counter())
        if here != there:
            missing, more = there - here, here - there
            example = next(iter(missing or more))
            yield (
                f"table {name}: {missing.total()} rows are missing, {more.total()} too many, "
                f"such as {example[:200]}"
            )


def _counts_rows(table: str, row: tuple[object, ...]) -> bool:
    return table == "ledger_info" and str(row[0]).endswith("_until")
