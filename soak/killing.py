"""Commands run as processes and ended with SIGKILL at chosen moments."""

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

    def kill_after(self, seconds: float) -> bool:
        """Run it and send SIGKILL after so many seconds; return False where it had ended before.

        Raises
        ------
        RuntimeError
            A process that it started lives on.
        """
        process = self.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if process.poll() is not None:
            return False
        process.send_signal(signal.SIGKILL)
        process.wait()
        _await_end_of_group(process.pid)
        return True


def _await_end_of_group(group: int) -> None:
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

    ``check`` runs the command again to its end, and then looks.
    """

    prepare: Callable[[int], Command]
    check: Callable[[int], Iterator[str]]


def kill_often(outcome: Outcome, n_kills: int, seed: int, attempt: Try) -> None:
    """Kill a command ``n_kills`` times, at random moments spread over its whole run, each followed by a next run."""
    start = time.monotonic()
    command = attempt.prepare(-1)
    command.run()
    duration = time.monotonic() - start
    chance = random.Random(seed)
    moments = [(number + chance.random()) / n_kills * duration for number in range(n_kills)]
    late = 0
    for number, moment in enumerate(moments):
        for again in range(_MORE_TRIES):
            # It had ended already: runs differ in length. Another state, a little earlier.
            if attempt.prepare(number).kill_after(moment * 0.97**again):
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
    outcome.note = f"a run of {duration:.1f} s" + (
        f"; {late} came too late and were repeated" if late else ""
    )


def fresh(folder: Path) -> Path:
    """Return a folder that is there and empty."""
    if folder.exists():
        raise RuntimeError(f"{folder} is there already")
    folder.mkdir(parents=True)
    return folder
