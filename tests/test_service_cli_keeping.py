"""The commands backup, restore and erase as they are typed, beside commands that are at work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotations.backup.restoring import restore_backup
from annotations.backup.taking import BackupOptions, take_backup
from annotations.workspace import Workspace
from classifiers.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
LABELS = EXAMPLES / "annotations.jsonl"


class Cli:
    """Runs ``talkingpoints`` as a process in a workspace of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TALKINGPOINTS_")}
        self.environment = inherited | {
            "TALKINGPOINTS_HOME": str(home),
            "TALKINGPOINTS_CODEBOOK": str(EXAMPLES / "codebook.yaml"),
        }

    def command(self, *arguments: object) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "service.cli", *map(str, arguments)]

    def __call__(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Return what a command prints as JSON."""
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Return a command line whose workspace has posts."""
    made = Cli(tmp_path / "work space")
    made("import", EXAMPLES / "posts.csv")
    return made


def _first(cli: Cli) -> dict[str, Any]:
    row = json.loads(cli("posts").stdout.splitlines()[0])
    return row | {"post_id": f"{row['channel']}/{row['message_id']}"}


def test_backup_and_restore(cli: Cli, tmp_path: Path) -> None:
    """What was saved is there again; what is not in the workspace is named."""
    out = tmp_path / "saved.tar.zst"
    done = cli("backup", out)
    assert "53 posts" in done.stdout
    assert "codebook" in done.stderr
    assert "exists" in cli("backup", out, code=1).stderr
    assert "--force" in cli("restore", out, code=1).stderr
    posts = cli("posts").stdout
    other = Cli(tmp_path / "other")
    assert other.json("restore", out)["rows"]["posts"] == 53
    assert other("posts").stdout == posts
    assert "is now" in other("restore", "--force", out).stdout
    assert "no backup" in other("restore", EXAMPLES / "posts.csv", "--force", code=1).stderr


def test_every_backup_while_a_model_is_trained_is_sound(cli: Cli, tmp_path: Path) -> None:
    """Each holds whole models, and the active one is among them."""
    cli("train", "--labels", LABELS)
    workspace, reports = Workspace(cli.home), []
    training = cli.command("train", "--labels", LABELS, "--seed", "1")
    with subprocess.Popen(training, env=cli.environment, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            reports.append(take_backup(workspace, BackupOptions(out=tmp_path)))
    assert process.returncode == 0
    for number, report in enumerate((reports[0], reports[len(reports) // 2], reports[-1])):
        home = tmp_path / f"restored {number}"
        restore_backup(Workspace(home), report.path)
        models = Registry(home / "models")
        assert models.active() in models.versions()
        for version in models.versions():
            models.activate(version)  # reads and checks all of it


def test_nothing_is_erased_without_a_yes(cli: Cli) -> None:
    """Without a terminal it is shown what would go, and that is all."""
    post_id = _first(cli)["post_id"]
    done = cli("erase", post_id, code=2)
    assert "1 posts" in done.stdout
    assert "--yes" in done.stderr
    assert cli.json("status")["ledger"]["posts"] == 53
    assert "no post 'nowhere/1'" in cli("erase", "nowhere/1", "--yes", code=1).stderr


def test_an_erased_post_is_gone_and_what_may_still_hold_it_is_named(cli: Cli, tmp_path: Path) -> None:
    """Files in the workspace, the file it came from, backups; status counts it."""
    post = _first(cli)
    cli("posts", "--out", cli.home / "posts.jsonl")
    (cli.home / "tags.csv").write_text(f"{post['post_id']},yes\n")
    cli("backup", tmp_path / "saved.tar.zst")
    done = cli("erase", post["post_id"], "--yes", "--reason", "asked for")
    for named in ("posts.jsonl", "tags.csv", str(EXAMPLES / "posts.csv"), "saved.tar.zst"):
        assert named in done.stdout
    assert post["text"][:30] not in done.stdout
    assert post["text"] not in cli("posts").stdout
    for name in ("ledger.db", "ledger.db-wal"):
        path = cli.home / name
        assert not path.exists() or post["text"].splitlines()[0].encode() not in path.read_bytes()
    status = cli.json("status")
    assert (status["ledger"]["posts"], status["erasures"]["posts"], status["erasures"]["unfinished"]) == (
        52,
        1,
        0,
    )
    assert "1 on request" in cli("status").stdout
    again = cli.json("erase", post["post_id"], "--yes")
    assert (again["erased"], list(again["already"])) == ([], [post["post_id"]])


def test_models_that_may_have_learnt_from_a_post_are_named(cli: Cli, tmp_path: Path) -> None:
    """Without any annotation pulled, none can have (from this ledger)."""
    cli("train", "--labels", LABELS)
    found = cli.json("erase", _first(cli)["post_id"], "--yes")
    assert found["models"] == []
    shutil.rmtree(cli.home / "models")
    assert cli.json("erase")["problems"] == []
