"""A Dask cluster that somebody has started: connecting to it, and training on its workers through joblib.

Imported only when a scheduler is named.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
from distributed import Client
from distributed.comm.core import connect
from distributed.security import Security

from classifiers.errors import WorkersLostError

_CONNECT_SECONDS = 20
_REACH_SECONDS = 5
_TOLD_BY_US = ("distributed.client", "distributed.batched")  # a connection that is lost, at length
# They have types in part only.
_CLIENT: Any = Client
_SECURITY: Any = Security
_CONNECT: Any = connect


@contextmanager
def on_cluster(address: str) -> Iterator[None]:
    """Have everything that joblib does in parallel done by the workers of a scheduler.

    Raises
    ------
    WorkersLostError
        It does not answer, or has no workers.
    """
    client = connected(address)
    try:
        with joblib.parallel_config(backend="dask", client=client, n_jobs=-1):
            yield
    finally:
        client.close()


def connected(address: str) -> Any:
    """Return a client of a scheduler.

    Raises
    ------
    WorkersLostError
        It does not answer, or has no workers.
    """
    for name in _TOLD_BY_US:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        asyncio.run(_reach(address))  # a client that cannot connect takes long to be given up
        client: Any = _CLIENT(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError, TypeError) as error:
        raise WorkersLostError(
            "no Dask scheduler answers",
            where=address,
            hint="Start one with `dask scheduler`, and name it as in tcp://127.0.0.1:8786.",
        ) from error
    try:
        client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
    except TimeoutError as error:
        client.close()
        raise WorkersLostError(
            "the scheduler has no workers", where=address, hint=f"Start some: dask worker {address}"
        ) from error
    return client


async def _reach(address: str) -> None:
    arguments = _SECURITY().get_connection_args("client")
    comm = await _CONNECT(address, timeout=_REACH_SECONDS, **arguments)
    await comm.close()
