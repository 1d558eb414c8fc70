"""Commands run as processes and ended with SIGKILL at chosen moments.

Moments are counted in the command's own processor time: whatever else the machine is busy with, they are spread
over the whole of its run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from soak.outcome import Outcome

_LONGEST_RUN = 600.0
_ORPHANS_END = 20.0
_MORE_TRIES = 40
_POLL_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Command:
    """A ``talkingpoints`` command and the settings it runs with."""

    arguments: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)

    def start(self, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start it in a process group of its own."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TALKINGPOINTS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", *self.arguments],
            env=inherited | dict(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE if stdout == subprocess.PIPE else subprocess.DEVNULL,
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )

    def measure(self) -> float:
        """Run it to its end and return the processor time that it took, in seconds, without its own processes.

        Raises
        ------
        RuntimeError
            It failed.
        """
        process, taken = self.start(), 0.0
        while process.poll() is None:
            taken = max(taken, _processor_time(process.pid))
            time.sleep(_POLL_SECONDS)
        if process.returncode:
            raise RuntimeError(f"`{self.arguments[0]}` ended with {process.returncode}")
        return taken

    def run(self) -> str:
        """Run it to its end and return what it printed.

        Raises
        ------
        RuntimeError
            It failed.
        """
        process = self.start(subprocess.PIPE)
        try:
            printed, said = process.communicate(timeout=_LONGEST_RUN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RuntimeError(f"`{self.arguments[0]}` did not end in {_LONGEST_RUN:.0f} s") from None
        if process.returncode:
            raise RuntimeError(f"`{self.arguments[0]}` ended with {process.returncode}: {said.strip()}")
        return printed

    def kill_after(self, seconds: float, pause: float) -> bool:
        """Run it and send SIGKILL; return False where it had ended before.

        Parameters
        ----------
        seconds
            How much processor time it has until then.
        pause
            How long to wait after that, by the clock: it may be waiting for a server.

        Raises
        ------
        RuntimeError
            A process that it started lives on.
        """
        process = self.start()
        while process.poll() is None and _processor_time(process.pid) < seconds:
            time.sleep(_POLL_SECONDS)
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause)
        if process.poll() is not None:
            return False
        process.send_signal(signal.SIGKILL)
        process.wait()
        await_end_of_group(process.pid)
        return True


def _processor_time(pid: int) -> float:
    """Return the processor time of a process in seconds, as Linux counts it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0  # it has ended


def await_end_of_group(group: int) -> None:
    """Wait until no process of a group is left.

    Raises
    ------
    RuntimeError
        One lives on; it is ended.
    """
    deadline = time.monotonic() + _ORPHANS_END
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    raise RuntimeError(f"a process of the killed command lived on for {_ORPHANS_END:.0f} s")


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a kill: ``prepare`` returns the command, on a state of its own; ``check`` what is wrong.

    ``check`` runs the command again to its end, and then looks.  ``waits`` is how long the command waits for
    a server at a time, in seconds, so that it is killed while it waits too.
    """

    prepare: Callable[[int], Command]
    check: Callable[[int], Iterator[str]]
    waits: float = 0.0


def kill_often(outcome: Outcome, n_kills: int, seed: int, attempt: Try) -> None:
    """Kill a command ``n_kills`` times, at random moments spread over its whole run, each followed by a next run."""
    duration = attempt.prepare(-1).measure()
    chance = random.Random(seed)
    moments = [(number + chance.random()) / n_kills * duration for number in range(n_kills)]
    late = 0
    for number, moment in enumerate(moments):
        for again in range(_MORE_TRIES):
            # It had ended already: runs differ in length. Another state, a little earlier.
            pause = chance.random() * attempt.waits
            if attempt.prepare(number).kill_after(moment * 0.97**again, pause):
                break
            late += 1
        else:
            outcome.failures.append(f"kill {number}: the command always ended before it")
            continue
        outcome.tries += 1
        try:
            outcome.failures += [
                f"kill {number} at {moment:.2f} s: {wrong}" for wrong in attempt.check(number)
            ]
        except Exception as error:
            outcome.failures.append(f"kill {number} at {moment:.2f} s: {type(error).__name__}: {error}")
        print(
            f"  {outcome.part}: kill {number + 1} of {n_kills} at {moment:.2f} of {duration:.2f} s",
            flush=True,
        )
    outcome.note = f"a run of {duration:.1f} s of processor time" + (
        f"; {late} came too late and were repeated" if late else ""
    )


def fresh(folder: Path) -> Path:
    """Return a folder that is there and empty."""
    if folder.exists():
        raise RuntimeError(f"{folder} is there already")
    folder.mkdir(parents=True)
    return folder
