"""The ledger's schema: made where there is none, brought up to date where it is older.

The steps are Alembic's, in ``migrations/versions``.  Alembic itself is loaded only when a step is to be
taken, and every step runs in the transaction that opens the ledger: it is taken whole or not at all.
"""

from __future__ import annotations

import warnings

from sqlalchemy import Connection, column, insert, inspect, select, table, text

from annotations.errors import LedgerError
from annotations.ledger.tables import SCHEMA_VERSION, ledger_info, metadata

FIRST_VERSION = "0001"
_MIGRATIONS = "annotations.ledger:migrations"
_LOCK = 0x7461_6C6B + 1

_alembic_version = table("alembic_version", column("version_num"))


def ensure_schema(connection: Connection, where: str) -> None:
    """Make the tables, or take the steps that an older ledger lacks.

    Raises
    ------
    LedgerError
        The ledger was written by a later release.
    """
    if connection.dialect.name == "postgresql":  # two commands may open a new ledger at once
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    version = schema_version(connection)
    if version == SCHEMA_VERSION:
        return
    if version is None:
        make_schema(connection)
        return
    if version > SCHEMA_VERSION:
        raise LedgerError(
            f"the ledger has schema version {version}, this release reads {SCHEMA_VERSION}",
            where=where,
            hint="Use the release that wrote it, or start another workspace (TALKINGPOINTS_HOME).",
        )
    _upgrade(connection, version)


def make_schema(connection: Connection, version: str = SCHEMA_VERSION) -> None:
    """Make the tables in an empty database, those of an earlier version where an old backup needs them."""
    if version == SCHEMA_VERSION:
        metadata.create_all(connection)
        _stamp(connection, version)
    else:
        _take_steps(connection, version)


def schema_version(connection: Connection) -> str | None:
    """Return the version of the schema, None for an empty database."""
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        return connection.scalar(select(_alembic_version.c.version_num))
    if ledger_info.name in names:  # release 0.1 counted its schema itself
        return FIRST_VERSION
    return None


def _upgrade(connection: Connection, version: str) -> None:
    if not inspect(connection).has_table("alembic_version"):
        _stamp(connection, version)
    _take_steps(connection, SCHEMA_VERSION)


def _take_steps(connection: Connection, version: str) -> None:
    from alembic import command  # noqa: PLC0415 - slow to load, and seldom wanted
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Alembic's own settings
        command.upgrade(config, version)


def _stamp(connection: Connection, version: str) -> None:
    # The table as Alembic itself makes it.
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(insert(_alembic_version).values(version_num=version))
