"""Where chunks are done: in this process, or in processes of this machine; :mod:`.dask_pool` is the third way.

Processes, not threads: reading, cleaning and writing are Python, which threads would take turns at, and the same
piece of work then goes to another machine as it is.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from classifiers.bulk.chunks import ReadPosts, TableRows
from classifiers.bulk.work import Work, tag_chunk
from classifiers.errors import WorkersLostError


class Pool(Protocol):
    """Takes chunks.  ``width`` is how many are done at the same time."""

    width: int

    def submit(self, work: Work, posts: TableRows | ReadPosts) -> Future[bytes]:
        """Have a chunk done."""

    def result(self, future: Future[bytes]) -> bytes:
        """Return the answer of a chunk that is done.

        Raises
        ------
        WorkersLostError
            There is none, because its worker was lost.
        """

    def look(self) -> None:
        """Called where no chunk was done for some seconds.

        Raises
        ------
        WorkersLostError
            None will be.
        """

    @property
    def n_repeated(self) -> int:
        """How many chunks were begun again because a worker was lost."""


class Here(AbstractContextManager["Here"]):
    """This process: a chunk is done when it is handed in."""

    width = 1
    n_repeated = 0

    def submit(self, work: Work, posts: TableRows | ReadPosts) -> Future[bytes]:
        """Do a chunk."""
        future: Future[bytes] = Future()
        future.set_result(tag_chunk(work, posts))
        return future

    def result(self, future: Future[bytes]) -> bytes:
        """Return the answer."""
        return future.result()

    def look(self) -> None:
        """Nothing is ever waited for."""

    def __exit__(self, *_error: object) -> None:
        """Nothing is left behind."""


class Processes(AbstractContextManager["Processes"]):
    """Processes of this machine, one a core."""

    n_repeated = 0

    def __init__(self, number: int) -> None:
        self.width = number
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(number, context, initializer=_begin)

    def submit(self, work: Work, posts: TableRows | ReadPosts) -> Future[bytes]:
        """Hand a chunk to the next process that is free."""
        try:
            return self._pool.submit(tag_chunk, work, posts)
        except BrokenProcessPool as error:
            raise _lost() from error

    def result(self, future: Future[bytes]) -> bytes:
        """Return the answer."""
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise _lost() from error

    def look(self) -> None:
        """A process that ends says so itself."""

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Wait for the processes, or end them if the run has failed."""
        if kind is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _lost() -> WorkersLostError:
    return WorkersLostError(
        "a process that tags was ended from outside",
        hint="Is there enough memory? Run the command again, with fewer --jobs: what was done is kept.",
    )


def _begin() -> None:
    """Set a worker up: one thread, no word at Ctrl-C, and no life after the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threadpool_limits(limits=1)
    pa.set_cpu_count(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
