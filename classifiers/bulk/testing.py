"""For tests and measurements: a Dask cluster on 127.0.0.1, each part in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 60.0
_END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LocalDask:
    """A running cluster."""

    address: str

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers there are now."""
        from classifiers.dask_cluster import connected  # noqa: PLC0415 - slow to import

        client = connected(self.address)
        try:
            return sorted(client.run(os.getpid).values())
        finally:
            client.close()


@contextmanager
def local_dask(folder: Path, n_workers: int = 2) -> Iterator[LocalDask]:
    """Start a scheduler and workers of one thread each, as ``docs/scale.md`` says, and stop them at the end.

    Raises
    ------
    RuntimeError
        They do not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / "scheduler.json"
    told.unlink(missing_ok=True)  # of an earlier one
    log = folder / "dask.log"
    here = ("--host", "127.0.0.1", "--no-dashboard")
    processes: list[subprocess.Popen[bytes]] = []
    with log.open("ab") as output:

        def start(*arguments: str) -> None:
            command = [sys.executable, "-m", "dask", *arguments]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            processes.append(subprocess.Popen(command, stdout=output, stderr=output, env=environment))  # noqa: S603

        try:
            start("scheduler", *here, "--port", "0", "--scheduler-file", str(told))
            address = _address(told, log)
            workers = ("--nworkers", str(n_workers), "--nthreads", "1", "--local-directory", str(folder))
            start("worker", address, *here, *workers)
            _await_workers(address, n_workers, log)
            yield LocalDask(address)
        finally:
            for process in reversed(processes):
                _end(process)


def _address(told: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            return str(json.loads(told.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError):
            time.sleep(0.1)
    raise RuntimeError(f"no scheduler has started: {log.read_text(errors='replace')[-1000:]}")


def _await_workers(address: str, number: int, log: Path) -> None:
    from classifiers.dask_cluster import connected  # noqa: PLC0415 - slow to import

    client = connected(address)
    try:
        client.wait_for_workers(number, timeout=_START_SECONDS)
    except TimeoutError as error:
        raise RuntimeError(f"no workers have started: {log.read_text(errors='replace')[-1000:]}") from error
    finally:
        client.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
