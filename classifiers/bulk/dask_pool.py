"""Chunks on a Dask cluster.  Imported only when a scheduler is named.

The bundle goes to every worker once, also to those that come later, and is checked there like any other; nothing
but the scheduler's address need be shared.  Dask gives the chunks of a worker that is lost to the others.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
from collections import Counter
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import dask
from distributed import KilledWorker, WorkerPlugin, get_worker
from distributed.comm.core import CommClosedError

from classifiers.bulk.chunks import ReadPosts, TableRows
from classifiers.bulk.work import Work, tag_chunk
from classifiers.dask_cluster import connected
from classifiers.errors import WorkersLostError

_MOST_LOOKS = 12  # five seconds each: so long a run waits for a worker
_UNREACHABLE = (CancelledError, CommClosedError, OSError)
_CHUNKS_ARE_LARGE = {"distributed.admin.large-graph-warning-threshold": "1GB"}
_UPLOADED: dict[str, Path] = {}


class _Bundle(WorkerPlugin):
    """Puts the bundle on a worker's disk, for as long as the worker has the plugin."""

    def __init__(self, model: str, files: dict[str, bytes], versions: str) -> None:
        self.name = f"talking-points-{model}"
        self._model = model
        self._files = files
        self._versions = versions

    def setup(self, worker: Any) -> None:
        """Write the bundle; refuse a worker that is of other versions."""
        if (here := _versions()) != self._versions:
            raise RuntimeError(f"the worker {worker.address} has {here}, the driver {self._versions}")
        folder = Path(tempfile.mkdtemp(prefix="bundle-", dir=worker.local_directory))
        for name, data in self._files.items():
            (folder / name).write_bytes(data)
        _UPLOADED[self._model] = folder

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - as Dask calls it
        """Remove the bundle."""
        folder = _UPLOADED.pop(self._model, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


class DaskPool(AbstractContextManager["DaskPool"]):
    """The workers of a Dask scheduler.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://127.0.0.1:8786``.
    work
        Names the bundle.

    Raises
    ------
    WorkersLostError
        The scheduler does not answer, it has no workers, or they are of other versions.
    """

    def __init__(self, address: str, work: Work) -> None:
        self._address = address
        self._topic = f"talking-points-{uuid.uuid4().hex}"
        self._begun: Counter[str] = Counter()
        self._looks = 0
        self._client = connected(address)
        dask.config.set(_CHUNKS_ARE_LARGE)
        try:
            self._plugin = _Bundle(work.version, _files(work.bundle), _versions())
            self._client.register_plugin(self._plugin)
        except Exception as error:
            self._client.close()
            raise WorkersLostError(
                f"the workers cannot be set up: {error}",
                where=address,
                hint="Driver, scheduler and workers need the same versions: see docs/scale.md.",
            ) from error
        self._client.subscribe_topic(self._topic, self._count)
        self._executor = self._client.get_executor(pure=False, retries=0)
        self.width = max(1, sum(self._client.nthreads().values()))

    @property
    def n_repeated(self) -> int:
        """How many chunks were begun again."""
        return sum(self._begun.values()) - len(self._begun)

    def submit(self, work: Work, posts: TableRows | ReadPosts) -> Future[bytes]:
        """Hand a chunk to a worker."""
        future: Future[bytes] = self._executor.submit(_on_worker, work, posts, self._topic, uuid.uuid4().hex)
        return future

    def result(self, future: Future[bytes]) -> bytes:
        """Return the answer."""
        self._looks = 0
        try:
            return future.result()
        except KilledWorker as error:
            raise self._lost("a chunk has ended several workers, one after the other") from error
        except _UNREACHABLE as error:
            raise self._lost("the scheduler was lost") from error

    def look(self) -> None:
        """Give up where no worker is left for a minute.

        Raises
        ------
        WorkersLostError
            There is none.
        """
        self._looks = 0 if self._client.nthreads() else self._looks + 1
        if self._looks >= _MOST_LOOKS:
            raise self._lost("no worker is left")

    def __exit__(self, *_error: object) -> None:
        """Leave the cluster as it was, if it is still there."""
        try:
            if self._client.status == "running":
                self._client.unregister_worker_plugin(self._plugin.name)
        except _UNREACHABLE:
            pass  # told by the chunk that was lost with it
        finally:
            self._executor.shutdown(wait=False)
            self._client.close()

    def _count(self, event: tuple[float, str]) -> None:
        self._begun[event[1]] += 1

    def _lost(self, problem: str) -> WorkersLostError:
        return WorkersLostError(
            problem,
            where=self._address,
            hint="Have the workers enough memory? Run the command again: what was done is kept.",
        )


def _on_worker(work: Work, posts: TableRows | ReadPosts, topic: str, name: str) -> bytes:
    get_worker().log_event(topic, name)
    return tag_chunk(replace(work, bundle=_UPLOADED[work.version]), posts)


def _files(bundle: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bundle.iterdir()}


def _versions() -> str:
    """Return what has to be the same everywhere."""
    try:
        own = version("talking-points")
    except PackageNotFoundError:
        own = "of a checkout"
    packages = [f"{name} {version(name)}" for name in ("dask", "pyarrow", "numpy")]
    return ", ".join([f"talking-points {own}", "Python {}.{}".format(*sys.version_info[:2]), *packages])
