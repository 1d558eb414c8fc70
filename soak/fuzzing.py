"""A coverage-guided fuzzer (atheris) on every reader: no crash, no hang, no lost message."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from annotations.readers import FORMATS
from soak.outcome import Outcome
from soak.seeds import seeds

_HANG_SECONDS = 20
_LARGEST = 16_000
_MEMORY_MB = 4_000


def missing() -> str:
    """Return why there is no fuzzing here; empty where there is."""
    if importlib.util.find_spec("atheris") is None:
        return (
            f"atheris has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]} on {sys.platform}"
        )
    return ""


def fuzz(outcome: Outcome, name: str, folder: Path, seconds: int, seed: int) -> None:
    """Fuzz with the seeds of a format for so many seconds."""
    corpus, found = folder / "corpus", folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True)
    for number, data in enumerate(seeds(name)):
        (corpus / f"seed{number}").write_bytes(data)
    options = {
        "max_total_time": seconds,
        "timeout": _HANG_SECONDS,
        "rss_limit_mb": _MEMORY_MB,
        "max_len": _LARGEST,
        "seed": seed + 1,
        "print_final_stats": 1,
    }
    listed = [f"-{key}={value}" for key, value in options.items()]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "soak.fuzz_target",
            name,
            folder,
            *listed,
            f"-artifact_prefix={found}/",
            corpus,
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds + 300,
    )
    runs = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    covered = re.findall(r"\bcov: (\d+)", done.stderr)
    outcome.tries = int(runs[1]) if runs else 0
    outcome.note = f"{len(seeds(name))} seeds, {covered[-1] if covered else 0} places covered"
    outcome.failures += [
        f"{path.name}, input {path.read_bytes()[:300]!r}\n{_cause(done.stdout + done.stderr)}"
        for path in sorted(found.iterdir())
        if not path.name.startswith("slow-unit-")  # slow is not hanging
    ]
    if done.returncode and not outcome.failures:
        outcome.failures.append(f"the fuzzer ended with {done.returncode}: {done.stderr[-1000:]}")


def _cause(said: str) -> str:
    start = said.find("Uncaught Python exception")
    return said[start:].partition("\nINFO:")[0][-2000:] if start >= 0 else said[-1500:]


NAMES = tuple(kind.name for kind in FORMATS)
