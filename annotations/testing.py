"""For tests: a PostgreSQL server of our own, without a network port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text


class NoServerError(Exception):
    """PostgreSQL is not installed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL; ``url`` has ``{}`` in the place of the database's name."""

    url: str

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"t{uuid.uuid4().hex}"
        engine = create_engine(self.url.format("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
        finally:
            engine.dispose()
        return self.url.format(name)


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Start Debian's PostgreSQL in a temporary folder, and remove both at the end.

    Raises
    ------
    NoServerError
        It is not installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise NoServerError("needs PostgreSQL: apt-get install postgresql")
    as_postgres: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="talkingpoints-pg-"))
    if as_postgres:
        shutil.chown(folder, "postgres")
    bin_path, data = found[-1].parent, folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **as_postgres)  # noqa: S603

    try:
        run(bin_path / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run(bin_path / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
        try:
            yield Server(f"postgresql+psycopg://postgres@/{{}}?host={folder}")
        finally:
            run(bin_path / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
