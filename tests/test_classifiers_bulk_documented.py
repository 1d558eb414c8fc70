"""What docs/scale.md shows works as it stands: its commands, run in their order, and the columns it lists."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq

from classifiers.bulk.formats import EXTRA_COLUMNS, output_schema

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:8786"


def commands() -> list[list[str]]:
    """Return the commands of the document, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a workspace with the sample's codebook."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TALKINGPOINTS_")}
    own = {
        "TALKINGPOINTS_HOME": str(home / "workspace"),
        "TALKINGPOINTS_CODEBOOK": str(ROOT / "examples" / "codebook.yaml"),
        "PYTHONPATH": str(ROOT),
    }
    return inherited | own


def run(home: Path, *arguments: str) -> str:
    """Run a command of ours to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


@contextmanager
def running(home: Path, dask: list[list[str]]) -> Iterator[str]:
    """Start what runs beside, on a free port; yield the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    processes = []
    try:
        for command in dask:
            arguments = [argument.replace("8786", port) for argument in command]
            with (home / "dask.log").open("ab") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *arguments],
                        cwd=home,
                        env=environment(home),
                        stdout=log,
                        stderr=log,
                    )
                )
        yield f"127.0.0.1:{port}"
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


def test_the_commands_do_what_they_say(tmp_path: Path) -> None:
    """On posts and labels of the sample."""
    examples = ROOT / "examples"
    (tmp_path / "archive").mkdir()
    shutil.copy(examples / "result.json", tmp_path / "archive")
    shutil.copy(examples / "posts.csv", tmp_path)
    labels = (examples / "annotations.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "labels.jsonl").write_text("\n".join(labels[:80]) + "\n", encoding="utf-8")
    run(tmp_path, "train", "--labels", "labels.jsonl")
    run(tmp_path, "import", "posts.csv")
    run(tmp_path, "posts", "--out", "posts.parquet")
    found = commands()
    dask = [command for command in found if command[0] == "dask"]
    assert [command[1] for command in dask] == ["scheduler", "worker"]
    ours = [command[1:] for command in found if command[0] == "talkingpoints"]
    assert len(ours) == len(found) - 2 == 7
    with running(tmp_path, dask) as address:
        printed = {
            " ".join(command): run(tmp_path, *[part.replace(ADDRESS, address) for part in command])
            for command in ours
        }
    assert json.loads(printed["tag posts.csv tags.jsonl --jobs 1 --json"])["posts"]["tagged"] == 53
    assert "53 posts tagged" in printed[f"tag posts.parquet tags.parquet --scheduler tcp://{ADDRESS}"]
    assert "53 posts tagged" in printed["tag ledger tags.parquet --changed"]
    assert pq.read_metadata(tmp_path / "tags.parquet").num_rows == 53


def test_the_columns_are_those_of_the_document() -> None:
    """Every one has its line, with its type."""
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", DOCUMENT, re.MULTILINE))
    schema = output_schema(EXTRA_COLUMNS, ["<tag>"])
    assert list(rows) == schema.names
    words = {
        "string": "string",
        "dictionary<values=string, indices=int8, ordered=0>": "string (dictionary)",
        "dictionary<values=string, indices=int32, ordered=0>": "string (dictionary)",
        "timestamp[us, tz=UTC]": "timestamp, microseconds, UTC",
        "float": "float32",
    }
    assert [rows[field.name] for field in schema] == [words[str(field.type)] for field in schema]
