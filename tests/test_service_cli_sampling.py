"""The commands of the queue, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Return a function that runs a command in a workspace with twenty posts."""
    environment = {**os.environ, "TALKINGPOINTS_HOME": str(tmp_path / "workspace"), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "service.cli", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    posts = tmp_path / "posts.jsonl"
    rows = [{"channel": "c", "message_id": str(n), "text": f"Post {n} on matter{n}."} for n in range(20)]
    posts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("import", str(posts))
    return run


def test_a_sample_is_recorded_and_the_next_goes_on(run: Any) -> None:
    """Numbers, quotas and overlaps are said; JSON has every post with its design."""
    text = run("sample", "--size", "12", "--overlap", "0.25:2")
    assert "Sample 1: 12 posts (5 uncertain, 3 diverse, 4 random) of 20 different ones" in text
    assert "3 posts are to be read by 2 annotators" in text
    second = json.loads(run("sample", "--size", "12", "--json"))
    assert (second["sample"], len(second["posts"]), second["n_pool"]) == (2, 8, 8)
    drawn = [post for post in second["posts"] if post["quota"] == "random"]
    assert {post["inclusion_probability"] for post in drawn} == {len(drawn) / 8}
    assert "Nothing to choose from" in run("sample", "--size", "5")


def test_a_dry_run_records_nothing(run: Any) -> None:
    """The same posts are there afterwards."""
    first = json.loads(run("sample", "--size", "6", "--dry-run", "--json"))
    assert first["sample"] is None
    assert json.loads(run("sample", "--size", "6", "--json"))["posts"] == first["posts"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--overlap", "half:2"), "SHARE:ANNOTATORS"),
        (("--overlap", "0.2:1"), "2 or more"),
        (("--overlap", "0.6:2", "--overlap", "0.6:3"), "add up to 1"),
        (("--uncertain", "0", "--diverse", "0", "--random", "0"), "above 0"),
    ],
)
def test_wrong_quotas_are_wrong_usage(run: Any, arguments: tuple[str, ...], message: str) -> None:
    """Exit code 2, and the message says what is meant."""
    assert message in run("sample", "--size", "5", *arguments, code=2)


def test_a_learning_curve_needs_labels(run: Any) -> None:
    """Without annotations the way out is named."""
    assert "talkingpoints pull" in run("learning-curve", code=1)
