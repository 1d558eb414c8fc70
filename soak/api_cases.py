"""The OpenAPI document against the running service, by schemathesis: all checks, stateful, beside a bad Label Studio."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soak.api_workspace import make_workspace
from soak.outcome import Outcome
from soak.serving import serving, useless_studio

VARIANTS = ("alone", "down", "slow", "garbage")
"""Without a Label Studio, and with one that is down, slow, or answers garbage."""

_PHASES = "examples,coverage,fuzzing,stateful"
_LONGEST = 4 * 3600.0
_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How many cases at least, how many of them an operation in one go, and where chance begins."""

    n_cases: int
    n_examples: int
    seed: int
    phases: str = _PHASES


def try_cases(outcome: Outcome, folder: Path, variant: str, effort: Effort) -> None:
    """Try cases on a service of its own until there were enough; every failure of a check is one of the outcome."""
    with useless_studio("down" if variant == "alone" else variant) as studio:
        url = None if variant == "alone" else studio
        make_workspace(folder, studio_url=url)
        settings = (
            {} if url is None else {"studio_url": url, "studio_token": "secret", "studio_pull_seconds": "5"}
        )
        with serving(folder, settings) as service:
            seed = effort.seed
            while outcome.tries < effort.n_cases and not outcome.failures:
                n_new, failure = run_schemathesis(service.address, folder, effort, seed)
                outcome.tries += n_new
                outcome.failures += [f"seed {seed}: {failure}"] if failure else []
                seed += 1
                if not n_new:
                    break
            outcome.note = f"{service.memory() >> 20} MiB at the end"
        outcome.failures += list(_defects(service.log))


def run_schemathesis(address: str, folder: Path, effort: Effort, seed: int) -> tuple[int, str]:
    """Run schemathesis once, in a folder for what it keeps; return how many cases it made, and what failed."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"]
    command += ["--checks", "all", "--phases", effort.phases, "--seed", str(seed), "--no-color"]
    command += ["--max-examples", str(effort.n_examples), "--continue-on-failure", "--request-timeout", "60"]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "soak.api_hooks",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST,
    )
    found = re.search(r"([\d,]+) generated", done.stdout)
    n_cases = int(found[1].replace(",", "")) if found else 0
    if not done.returncode:
        return n_cases, ""
    start = max(done.stdout.find("= FAILURES"), done.stdout.find("= ERRORS"), 0)
    return n_cases, (done.stdout[start:] or done.stderr)[:_SHOWN] or "it failed without a word"


def _defects(log: Path) -> Iterator[str]:
    """Yield the lines of the service's log that tell of a defect of its own."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"level": "error"}
        if entry.get("level") == "error" or "error" in entry:
            yield f"in the log: {line[:_SHOWN]}"
