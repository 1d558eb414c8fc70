"""The property tests of the readers with many examples (Hypothesis)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from soak.outcome import Outcome

_ROOT = Path(__file__).resolve().parents[1]
_TESTS = "tests/test_annotations_readers_properties.py"


def many_examples(outcome: Outcome, n_examples: int, seed: int) -> None:
    """Run them with so many examples each."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", _TESTS]
    done = subprocess.run(
        [*command, "--hypothesis-profile=soak", f"--hypothesis-seed={seed}"],
        env={**os.environ, "SOAK_EXAMPLES": str(n_examples)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    outcome.tries = n_examples * (int(passed[1]) if passed else 0)
    outcome.note = f"{passed[1] if passed else 0} properties with {n_examples:,} examples each"
    if done.returncode:
        outcome.failures.append(done.stdout[-3000:] + done.stderr[-500:])
