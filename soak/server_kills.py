"""Label Studio itself killed during `push` and `pull`, and started again: a message, and the next run goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, TimeoutExpired

from annotations.studio.server import LocalStudio
from soak.killing import Command
from soak.outcome import Outcome
from soak.studio_kills import Desk, annotated, posts_to_push, pulled_wrongly, pushed_wrongly

_LONGEST = 300.0


def kill_servers(outcome: Outcome, desk: Desk, environment: Path, n_kills: int, seed: int) -> None:
    """Kill the server under a running command, every second time under a push, each time at another moment."""
    studio = LocalStudio(desk.home / "studio", environment)
    pushed = posts_to_push(desk, seed)
    pulled = desk.folder / "server-pull.db"
    wanted = annotated(desk, pulled, seed, desk.folder / "server-pulled.db", changes=False)
    chance = random.Random(seed)
    durations = {
        name: _duration(desk, name, template) for name, template in (("push", pushed), ("pull", pulled))
    }
    n_told = 0
    for number in range(n_kills):
        name, template = (("push", pushed), ("pull", pulled))[number % 2]
        ledger = desk.folder / f"server{number}.db"
        shutil.copy(template, ledger)
        project = desk.project(ledger) if name == "push" else None
        moment = (number // 2 + chance.random()) / (n_kills / 2) * durations[name]
        code, said = _run_and_kill(desk.command(name, ledger), desk.running.pid, moment)
        n_told += bool(code)
        outcome.tries += 1
        outcome.failures += [f"{name}, kill {number}: {wrong}" for wrong in _said_wrongly(code, said)]
        desk = replace(desk, running=studio.up())
        desk.command(name, ledger).run()
        wrong = pushed_wrongly(desk, ledger, project) if project else pulled_wrongly(ledger, wanted)
        outcome.failures += [f"{name}, kill {number}: {each}" for each in wrong]
        print(f"  {outcome.part}: kill {number + 1} of {n_kills} at {moment:.2f} s of a {name}", flush=True)
    outcome.note = f"{n_told} ended with a message, the others had all they needed"


def _duration(desk: Desk, name: str, template: Path) -> float:
    ledger = desk.folder / f"server-{name}-whole.db"
    shutil.copy(template, ledger)
    if name == "push":
        desk.project(ledger)
    start = time.monotonic()
    desk.command(name, ledger).run()
    return time.monotonic() - start


def _run_and_kill(command: Command, server: int, moment: float) -> tuple[int, str]:
    """Kill the server's processes while the command runs; return its exit code and what it said."""
    process = command.start(PIPE)
    with suppress(TimeoutExpired):
        process.wait(moment)
    os.killpg(server, signal.SIGKILL)
    try:
        _, said = process.communicate(timeout=_LONGEST)
    except TimeoutExpired:
        process.kill()
        process.communicate()
        return -1, "did not end"
    return process.returncode, said


def _said_wrongly(code: int, said: str) -> Iterator[str]:
    if code not in (0, 1):
        yield f"exit code {code}: {said[-300:]}"
    if "Traceback" in said or (code == 1 and said.count("Error:") != 1):
        yield f"no clear message: {said[-600:]}"
