"""`tag` killed, and a worker of its cluster: the next run goes on, and the output is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from classifiers.bulk.side import partial_path
from classifiers.bulk.testing import LocalDask, local_dask
from soak.invented import messages, write_export
from soak.killing import Command, await_end_of_group
from soak.outcome import Outcome

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_CHUNK = "50"


class Desk:
    """A model, posts, and what an undisturbed run makes of them."""

    def __init__(self, folder: Path, n_messages: int, seed: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.source = folder / "result.json"
        write_export(self.source, messages(n_messages, seed, sentences=8))
        self.bundle = folder / "bundle"
        self._settings = {
            "TALKINGPOINTS_HOME": str(folder / "home"),
            "TALKINGPOINTS_CODEBOOK": str(_EXAMPLES / "codebook.yaml"),
        }
        labels = str(_EXAMPLES / "annotations.jsonl")
        Command(("train", "--labels", labels, "--out", str(self.bundle)), self._settings).run()
        self.wanted = folder / "undisturbed.parquet"
        report = json.loads(self.command(self.wanted, "--jobs", "1").run())
        self.n_chunks = int(report["chunks"]["done"])

    def command(self, target: Path, *options: str) -> Command:
        """Return the command that tags the posts."""
        plain = ("tag", "--json", "--model", str(self.bundle), "--chunk", _CHUNK)
        return Command((*plain, *options, str(self.source), str(target)), self._settings)

    def unlike(self, target: Path) -> Iterator[str]:
        """Yield what is wrong with an output: it differs from the undisturbed one, or something is left beside it."""
        if target.read_bytes() != self.wanted.read_bytes():
            yield "the output differs from that of an undisturbed run"
        if partial_path(target).exists():
            yield "the folder of the unfinished output is left behind"


def kill_tagging(outcome: Outcome, folder: Path, options: tuple[int, int, int]) -> None:
    """Kill runs on two processes at random moments; ``options`` are how many kills, the seed, how many messages.

    Moments are counted in chunks that are done: the time until the first is the start of the processes.
    """
    n_kills, seed, n_messages = options
    desk = Desk(folder, n_messages, seed)
    chance = random.Random(seed)
    resumed = 0
    for number in range(n_kills):
        target = folder / f"tags{number}.parquet"
        command = desk.command(target, "--jobs", "2")
        n_chunks = round((number + chance.random()) / n_kills * (desk.n_chunks - 4))
        kept = _killed(command, target, n_chunks, chance.random() / 10)
        report = json.loads(command.run())
        outcome.tries += 1
        resumed += report["chunks"]["resumed"]
        wrong = list(desk.unlike(target))
        if report["chunks"]["resumed"] != kept:
            wrong.append(f"{kept} chunks were done, {report['chunks']['resumed']} of them were used")
        outcome.failures += [f"kill {number} after {n_chunks} chunks: {each}" for each in wrong]
        print(
            f"  {outcome.part}: kill {number + 1} of {n_kills} after {kept} of {desk.n_chunks} chunks",
            flush=True,
        )
        target.unlink()
    outcome.note = f"{n_messages:,} messages, {desk.n_chunks} chunks; {resumed:,} were not done again"


def _killed(command: Command, target: Path, n_chunks: int, pause: float) -> int:
    """Kill a run after so many chunks and a pause; return how many were done by then.

    Raises
    ------
    RuntimeError
        It had ended before, or a process that it started lives on.
    """
    process = command.start()
    while process.poll() is None and _n_done(target) < n_chunks:
        time.sleep(0.005)
    time.sleep(pause)
    process.kill()
    process.wait()
    await_end_of_group(process.pid)
    if target.exists():
        raise RuntimeError("the run had ended before it could be killed")
    return _n_done(target)


def _n_done(target: Path) -> int:
    return len(list(partial_path(target).glob("*.chunk")))


def kill_workers(outcome: Outcome, folder: Path, options: tuple[int, int, int]) -> None:
    """Kill a worker of a Dask cluster in mid-run, at random moments; it is started again by Dask."""
    n_kills, seed, n_messages = options
    desk = Desk(folder, n_messages, seed)
    chance = random.Random(seed)
    repeated = 0
    with local_dask(folder / "dask") as cluster:
        for number in range(n_kills):
            target = folder / f"tags{number}.parquet"
            n_chunks = chance.randrange(1, 10)
            killer = threading.Thread(target=_kill_after, args=(cluster, target, n_chunks))
            killer.start()
            report = json.loads(desk.command(target, "--scheduler", cluster.address).run())
            killer.join()
            repeated += report["chunks"]["repeated"]
            outcome.tries += 1
            outcome.failures += [f"worker {number}: {wrong}" for wrong in desk.unlike(target)]
            print(f"  {outcome.part}: {number + 1} of {n_kills}", flush=True)
    outcome.note = f"{n_messages:,} messages; {repeated} chunks were begun again"


def _kill_after(cluster: LocalDask, target: Path, n_chunks: int) -> None:
    """Kill a worker when so many chunks are done."""
    pid = cluster.worker_pids()[0]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _n_done(target) < n_chunks:
        if target.exists():
            return
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
