"""`talkingpoints posts --boilerplate` and `--without-boilerplate`, as an analyst uses them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_WORDS = [
    "valley",
    "treaty",
    "harbour",
    "council",
    "bridge",
    "railway",
    "envoy",
    "minister",
    "grain",
    "river",
    "visit",
]


class Workspace:
    """A workspace with 30 posts of an invented channel and 20 of another; every second of the first has a footer."""

    def __init__(self, home: Path) -> None:
        self.home = home
        table = home.parent / "posts.jsonl"
        rows = [
            {"channel": "CalverraMFA", "message_id": str(number), "text": self.text(number)}
            for number in range(30)
        ]
        rows += [
            {"channel": "Ilvania", "message_id": str(number), "text": self.text(2 * number + 101)}
            for number in range(20)
        ]
        table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        self("import", table)

    @staticmethod
    def text(number: int) -> str:
        """Return the text of a post."""
        parts = [" ".join(random.Random(f"{number} {part}").choices(_WORDS, k=15)) + "." for part in "ab"]
        return "\n\n".join([*parts, *(["Read in full: @CalverraMFA"] if number % 2 == 0 else [])])

    def __call__(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")
        }
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", *map(str, arguments)],
            env=inherited | {"TALKINGPOINTS_HOME": str(self.home)},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def posts(self, *options: str) -> dict[str, dict[str, Any]]:
        """Return the table of posts, by post id."""
        rows = map(json.loads, self("posts", *options).stdout.splitlines())
        return {row["post_id"]: row for row in rows}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with posts."""
    return Workspace(tmp_path_factory.mktemp("boilerplate") / "workspace")


@pytest.fixture
def rulings(workspace: Workspace) -> Any:
    """Yield the path of the rulings; they are gone after the test."""
    path = workspace.home / "boilerplate.yaml"
    yield path
    path.unlink(missing_ok=True)


def test_recognised_lines_are_shown_as_a_table_and_as_json(workspace: Workspace) -> None:
    """Each with channel, place, number, share and examples; and where to overrule."""
    shown = workspace("posts", "--boilerplate").stdout
    assert "Read in full: @CalverraMFA" in shown
    assert "50.0%" in shown
    assert "CalverraMFA/0" in shown
    assert str(workspace.home / "boilerplate.yaml") in shown
    found = json.loads(workspace("posts", "--boilerplate", "--json").stdout)
    assert found == {
        "n_posts": {"CalverraMFA": 30, "Ilvania": 20},
        "lines": [
            {
                "channel": "CalverraMFA",
                "place": "closing",
                "text": "Read in full: @CalverraMFA",
                "count": 15,
                "share": 0.5,
                "post_ids": ["CalverraMFA/0", "CalverraMFA/10", "CalverraMFA/12"],
                "why": "repeated",
            }
        ],
    }
    other = json.loads(workspace("posts", "--boilerplate", "--json", "--channel", "Ilvania").stdout)
    assert other == {"n_posts": {"Ilvania": 20}, "lines": []}


def test_the_table_of_posts_is_whole_unless_asked(workspace: Workspace) -> None:
    """Texts are cut only by --without-boilerplate; ids stay, and the ledger is as before."""
    before = workspace.posts()
    cut = workspace.posts("--without-boilerplate")
    assert list(before) == list(cut)
    for post_id, row in before.items():
        assert cut[post_id]["text"] == row["text"].removesuffix("\n\nRead in full: @CalverraMFA")
    assert sum("Read in full" in row["text"] for row in before.values()) == 15
    assert workspace.posts() == before
    table = workspace.home.parent / "whole.jsonl"
    workspace("posts", "--out", table)
    assert "50 unchanged" in workspace("import", table).stdout


def test_a_person_overrules_in_the_workspace(workspace: Workspace, rulings: Path) -> None:
    """A line under keep: is content again; one under drop: goes; a mistake is named with file and line."""
    rulings.write_text("CalverraMFA:\n  keep:\n    - 'Read in full: @CalverraMFA'\n", encoding="utf-8")
    assert "0 lines recognised" in workspace("posts", "--boilerplate").stdout
    assert workspace.posts("--without-boilerplate") == workspace.posts()
    rulings.write_text("CalverraMFA:\n  keap:\n    - x\n", encoding="utf-8")
    assert f"{rulings}:2: " in workspace("posts", "--boilerplate", code=1).stderr
    assert f"{rulings}:2: " in workspace("posts", "--without-boilerplate", code=1).stderr


@pytest.mark.parametrize(
    "options", [("--json",), ("--boilerplate", "--out", "x.csv"), ("--boilerplate", "--without-boilerplate")]
)
def test_options_that_do_not_go_together_are_wrong_usage(
    workspace: Workspace, options: tuple[str, ...]
) -> None:
    """Said before anything is done."""
    workspace("posts", *options, code=2)
