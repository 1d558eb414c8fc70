"""What the project promises about itself: layers, make targets, documented commands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli.root import talkingpoints

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/analysis.md",
    "docs/api.md",
    "docs/exports.md",
    "docs/models.md",
    "docs/prevalence.md",
    "docs/trends.md",
    "docs/operations.md",
    "docs/security.md",
    "examples/README.md",
)


def _make(*arguments: str) -> str:
    make = shutil.which("make") or pytest.skip("needs make")
    return subprocess.run(
        [make, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_imports_run_one_way_only() -> None:
    """service imports classifiers, classifiers imports annotations, and never the other way."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout


def test_make_help_lists_every_target() -> None:
    """A target that make knows and help does not is a secret."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listed = re.findall(r"^  ([a-z-]+) +\S", _make("help"), re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documented_make_targets_and_commands_exist(document: str) -> None:
    """What a document tells the reader to type can be typed."""
    text = (ROOT / document).read_text(encoding="utf-8")
    code = "\n".join(_code(text))
    targets = set(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    known = set(
        re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert targets <= known
    with talkingpoints.make_context("talkingpoints", ["--help"], resilient_parsing=True) as context:
        commands = set(talkingpoints.list_commands(context))
    assert set(re.findall(r"\btalkingpoints ([a-z][a-z-]*)", code)) <= commands


def _code(text: str) -> list[str]:
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (.*)$", text, re.MULTILINE)
    return [*fenced, *indented, *re.findall(r"`([^`\n]+)`", text)]


def test_no_file_of_the_packages_is_long() -> None:
    """A file says one thing; 300 lines are enough for it."""
    sources = [
        path
        for package in ("annotations", "classifiers", "service")
        for path in (ROOT / package).rglob("*.py")
    ]
    long = {
        path.name: n for path in sources if (n := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert not long
