"""Full disks, locked, read-only and damaged ledgers: one clear message, exit code 1, nothing half written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


class Workspace:
    """A workspace whose commands are run as processes."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home = home
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TALKINGPOINTS_")}
        own = {"HOME": home, "CODEBOOK": EXAMPLES / "codebook.yaml"} | settings
        self.environment = inherited | {f"TALKINGPOINTS_{key}": str(value) for key, value in own.items()}

    def run(self, *arguments: object) -> str:
        """Run a command that must succeed and return what it prints."""
        done = self._done(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: object, stdout: IO[str] | int = subprocess.PIPE) -> str:
        """Run a command that must fail, with one message and without a traceback; return the message."""
        done = self._done(*arguments, stdout=stdout)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("Error:") == 1
        return done.stderr[done.stderr.index("Error:") :]

    def posts(self) -> list[str]:
        """Return the ids of the posts in the ledger."""
        return sorted(json.loads(line)["post_id"] for line in self.run("posts").splitlines())

    def _done(
        self, *arguments: object, stdout: IO[str] | int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "service.cli", *map(str, arguments)],
            env=self.environment,
            cwd=ROOT,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )


class Disk:
    """A file system of its own, in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def mount(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Mount it, or mount it again with other options."""
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def fill(self, but: int = 0) -> None:
        """Leave so many bytes free."""
        free = os.statvfs(self.path)
        (self.path / "filler").write_bytes(b"x" * max(0, free.f_bavail * free.f_bsize - but))

    def empty(self) -> None:
        """Make room again."""
        (self.path / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a disk of 24 MB."""
    made = Disk(tmp_path / "disk")
    if shutil.which("mount") is None or made.mount("size=24m").returncode:
        pytest.skip("needs the right to mount a file system (root)")
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made.path)], check=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with posts and a model."""
    workspace = Workspace(tmp_path_factory.mktemp("trained") / "home")
    workspace.run("import", EXAMPLES / "posts.csv")
    workspace.run("train", "--labels", EXAMPLES / "annotations.jsonl")
    return workspace


def _export(path: Path, count: int) -> Path:
    messages = [
        {"id": number, "type": "message", "text": f"The river belongs to village number {number}. " * 20}
        for number in range(count)
    ]
    path.write_text(json.dumps({"name": "Calverra", "type": "public_channel", "id": 1, "messages": messages}))
    return path


# ------------------------------------------------------------------------------------ disk full


def test_an_import_onto_a_full_disk_goes_on_when_there_is_room(disk: Disk, tmp_path: Path) -> None:
    """What was recorded stays, and the next run adds what is missing."""
    workspace = Workspace(disk.path / "home")
    workspace.run("import", EXAMPLES / "posts.csv")
    before = workspace.posts()
    disk.fill(but=4_000_000)
    source = _export(tmp_path / "result.json", 12_000)
    message = workspace.refused("import", source)
    assert "ledger.db" in message
    assert "disk is full" in message
    assert "Free some space" in message
    disk.mount("remount", "size=200m")
    kept = workspace.posts()
    assert set(before) <= set(kept)
    assert len(kept) < 12_000
    report = json.loads(workspace.run("import", "--json", source))
    assert report["counts"]["new"] + report["counts"]["unchanged"] == 12_000
    assert len(workspace.posts()) == 12_000 + len(before)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_files_onto_a_full_disk_leave_the_old_ones(disk: Disk, trained: Workspace, suffix: str) -> None:
    """Posts and tags: the file there before is unchanged, and no part of a new one is left."""
    posts, tags = disk.path / f"posts.{suffix}", disk.path / f"tags.{suffix}"
    for path in (posts, tags):
        path.write_text("old")
    disk.fill(but=4_096)
    there = sorted(path.name for path in disk.path.iterdir())
    for command in (("posts", "--out", posts), ("tag", EXAMPLES / "posts.csv", tags)):
        message = trained.refused(*command)
        assert str(disk.path) in message
        assert "No space left" in message
        assert "Free some space" in message
    assert sorted(path.name for path in disk.path.iterdir()) == there
    assert posts.read_text() == tags.read_text() == "old"


def test_a_training_onto_a_full_disk_leaves_the_active_model(disk: Disk, trained: Workspace) -> None:
    """No half bundle is left, neither in the workspace nor in the folder that was named."""
    workspace = Workspace(disk.path / "home")
    shutil.copytree(trained.home, workspace.home)
    active = (workspace.home / "models" / "active").read_text()
    there = sorted(path.name for path in (workspace.home / "models").iterdir())
    disk.fill(but=4_096)
    train = ("train", "--labels", EXAMPLES / "annotations.jsonl", "--seed", "1")
    for command in (train, (*train, "--out", disk.path / "bundle")):
        message = workspace.refused(*command)
        assert str(disk.path) in message
        assert "No space left" in message
    assert (workspace.home / "models" / "active").read_text() == active
    assert sorted(path.name for path in (workspace.home / "models").iterdir()) == there
    assert not (disk.path / "bundle").exists()
    disk.empty()
    workspace.run(*train, "--activate", "yes")
    assert (workspace.home / "models" / "active").read_text() != active


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_results_onto_a_full_disk_are_a_failure(trained: Workspace) -> None:
    """Standard output that goes to a full disk: a message instead of half a result and exit code 0."""
    for command in ("posts", "status"):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            message = trained.refused(command, stdout=full)
        assert "standard output: cannot be written" in message


# ------------------------------------------------------------------------------------ the ledger


def test_a_ledger_that_another_process_keeps_locked_is_waited_for_and_named(trained: Workspace) -> None:
    """After the time to wait, the message says that another command is writing; nothing is recorded."""
    ledger = trained.home / "ledger.db"
    impatient = Workspace(trained.home, DATABASE_URL=f"sqlite:///{ledger}?timeout=0.2")
    before = trained.posts()
    with closing(sqlite3.connect(ledger)) as other:
        other.execute("BEGIN IMMEDIATE")
        message = impatient.refused("import", EXAMPLES / "result.json")
    assert "locked" in message
    assert "Another command is writing" in message
    assert trained.posts() == before


def test_a_read_only_ledger_is_named(disk: Disk, trained: Workspace) -> None:
    """As it is after a disk failed, and where the folder is somebody else's."""
    workspace = Workspace(disk.path / "home")
    shutil.copytree(trained.home, workspace.home)
    assert disk.mount("remount", "ro").returncode == 0
    message = workspace.refused("import", EXAMPLES / "result.json")
    assert "ledger.db" in message
    assert "can be written" in message
    message = Workspace(disk.path / "other").refused("status")
    assert "Read-only" in message
    assert "TALKINGPOINTS_HOME" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write to every file")
def test_a_ledger_without_the_right_to_write_is_named(tmp_path: Path, trained: Workspace) -> None:
    """The message says that the file is read-only."""
    workspace = Workspace(tmp_path / "home")
    shutil.copytree(trained.home, workspace.home)
    (workspace.home / "ledger.db").chmod(0o400)
    assert "read-only" in workspace.refused("import", EXAMPLES / "result.json")


def _spoilt(data: bytes, how: str) -> bytes:
    if how == "cut":
        return data[: len(data) // 3]
    if how == "noise inside":
        return data[:4096] + os.urandom(len(data) - 8192) + data[-4096:]
    return os.urandom(len(data))


@pytest.mark.parametrize("how", ["cut", "noise inside", "noise"])
def test_a_damaged_ledger_is_named_and_left_alone(tmp_path: Path, trained: Workspace, how: str) -> None:
    """Every command says that the file is damaged, and none changes it."""
    workspace = Workspace(tmp_path / "home")
    shutil.copytree(trained.home, workspace.home)
    ledger = workspace.home / "ledger.db"
    ledger.write_bytes(_spoilt(ledger.read_bytes(), how))
    before = ledger.read_bytes()
    for command in (("status",), ("posts",), ("import", EXAMPLES / "result.json")):
        message = workspace.refused(*command)
        assert "ledger.db" in message
        assert "is not a database" in message if how == "noise" else "restore" in message
    assert ledger.read_bytes() == before
