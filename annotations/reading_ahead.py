"""Work that goes on in a second process while this one uses what it made before.

The other process is told by pickle what to call, opens what it needs itself, and sends what it makes through
a pipe.  It ends when it has nothing more to send, when the reader stops, and when the reader's process dies.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from typing import IO, Any, TypeVar

from annotations.errors import TalkingPointsError

T = TypeVar("T")

_END_SECONDS = 5.0
_PIPE_BYTES = (
    1 << 20
)  # so much may be made before it is asked for (on Linux; elsewhere what the system gives)


class WorkerLostError(TalkingPointsError):
    """The other process ended without a word: it was killed, or the machine ran out of memory."""


def read_ahead(make: Callable[..., Iterable[T]], *arguments: Any) -> Generator[T]:
    """Yield what ``make(*arguments)`` yields, made in a process of its own.

    Parameters
    ----------
    make
        A function of a module; it, its arguments and what it yields are pickled.

    Raises
    ------
    TalkingPointsError
        What ``make`` raised.
    WorkerLostError
        The process was killed, or failed by a defect, which it has then told on standard error.
    """
    # Not multiprocessing: its processes run the caller's main module once more.
    process = subprocess.Popen(  # noqa: S603 - this module itself
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=_PIPE_BYTES,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdin is not None  # noqa: S101 - as asked for above
    assert process.stdout is not None  # noqa: S101
    try:
        with suppress(BrokenPipeError):  # told below, where nothing comes back
            pickle.dump((make, arguments), process.stdin)
            process.stdin.flush()
        yield from _received(process.stdout)
    finally:
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _received(stream: IO[bytes]) -> Iterator[Any]:
    while True:
        try:
            kind, value = pickle.load(stream)  # noqa: S301 - from our own process
        except (EOFError, pickle.UnpicklingError) as error:
            raise WorkerLostError(
                "the process that reads the file was ended from outside",
                hint="Run the command again: what was recorded stays. Is there enough memory?",
            ) from error
        if kind == "item":
            yield value
        elif kind == "error":
            raise value
        else:
            return


def _work(commands: IO[bytes], stream: IO[bytes]) -> None:
    make, arguments = pickle.load(commands)  # noqa: S301 - from the process that started this one

    def send(kind: str, value: Any = None) -> None:
        pickle.dump((kind, value), stream, pickle.HIGHEST_PROTOCOL)
        stream.flush()

    with suppress(BrokenPipeError):  # the reader wants no more, or is gone
        try:
            for value in make(*arguments):
                send("item", value)
        except TalkingPointsError as error:
            send("error", error)
        else:
            send("end")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the first process decides
    # What anything prints must not come between the pickles.
    _pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _work(sys.stdin.buffer, _pipe)
    with suppress(BrokenPipeError):
        _pipe.close()
