"""Exports of 10,000 and of 100,000 posts: peak memory, and processor time beside that of rewriting the same JSON bare.

    python -m benchmarks.exporting [--posts 10000 100000] [--formats wide parquet]

The posts are made by varying the sample, each with two annotations, in a ledger and in a labels file. Every export
runs in a process of its own, and so does the bare run: ``json.loads`` and ``json.dumps`` of every line of that file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sqlalchemy import insert

from annotations.exporting.writing import DATASETS, FORMATS
from annotations.labels import annotation_to_dict, read_labels, write_labels
from annotations.ledger.recording import record_posts
from annotations.ledger.store import Ledger, now, open_ledger
from annotations.ledger.tables import imports, studio_annotations, studio_projects
from annotations.records import Annotation, Post, text_digest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PROJECT = "http://127.0.0.1#1"
BARE = """
import json, sys
with open(sys.argv[1], encoding="utf-8") as source, open(sys.argv[2], "w", encoding="utf-8") as target:
    for line in source:
        target.write(json.dumps(json.loads(line), ensure_ascii=False) + "\\n")
"""
# A child begins with the memory of its parent in its books, so the parent must be small.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def main(arguments: Sequence[str]) -> None:
    """Print a line an export."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=["wide", "jsonl", "parquet"])
    options = parser.parse_args(arguments)
    print("format        source   posts   seconds  times bare  peak MB")
    for n_posts in options.posts:
        with tempfile.TemporaryDirectory() as folder:
            _measure(Path(folder), n_posts, options.formats)


def _measure(folder: Path, n_posts: int, formats: Sequence[str]) -> None:
    labels = folder / "labels.jsonl"
    write_labels(labels, _varied(n_posts))
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}")
    _fill(ledger, n_posts)
    ledger.close()
    bare, memory = _run(folder, [sys.executable, "-c", BARE, str(labels), str(folder / "bare")])
    print(f"{'bare':12}  {'labels':7}{n_posts:8,}{bare:9.1f}{1:11.1f}{memory:10.0f}")
    for name in formats:
        for source, extra in (("labels", ["--labels", str(labels)]), ("ledger", [])):
            out = str(folder / f"{source}-{name}")
            command = [sys.executable, "-m", "service.cli", "export", out, "--format", name, *extra]
            command += ["--test-share", "0"] if name == DATASETS else []
            seconds, memory = _run(folder, command)
            print(f"{name:12}  {source:7}{n_posts:8,}{seconds:9.1f}{seconds / bare:11.1f}{memory:10.0f}")


def _run(home: Path, command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of processor time that a command takes, and its peak memory in MB."""
    environment = os.environ | {
        "TALKINGPOINTS_HOME": str(home),
        "TALKINGPOINTS_CODEBOOK": str(EXAMPLES / "codebook.yaml"),
    }
    launched = [sys.executable, "-c", LAUNCHER, *command]
    done = subprocess.run(launched, env=environment, check=True, capture_output=True, text=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes / 1024


def _varied(n_posts: int) -> Iterator[Annotation]:
    """Yield two annotations a post; each text is one of the sample with a number behind it."""
    sample = [each for each in read_labels(EXAMPLES / "annotations.jsonl") if not each.skipped]
    for number in range(n_posts):
        kind = sample[number % len(sample)]
        text = f"{kind.text} No. {number}"
        made = replace(kind, post_id=f"varied/{number}", text=text, revision=text_digest(text))
        for annotator in ("annotator-1", "annotator-2"):
            yield replace(made, annotator=annotator)


def _fill(ledger: Ledger, n_posts: int) -> None:
    with ledger.begin() as connection:
        connection.execute(
            insert(imports).values(import_id=1, file="f", format="x", started_at=now(), counts={})
        )
        connection.execute(
            insert(studio_projects).values(
                project=PROJECT,
                title="T",
                codebook="d",
                created_at=now(),
                foreign_tasks=0,
                foreign_annotations=0,
            )
        )
    found = enumerate(_varied(n_posts))
    while page := list(islice(found, 2_000)):
        posts = [
            Post(channel="varied", message_id=each.post_id.partition("/")[2], text=each.text, date=each.date)
            for _, each in page[::2]
        ]
        with ledger.begin() as connection:
            record_posts(connection, 1, posts)
            connection.execute(insert(studio_annotations), [_row(number, each) for number, each in page])


def _row(number: int, annotation: Annotation) -> dict[str, object]:
    return {
        "project": PROJECT, "annotation_id": number, "task_id": number, "post_id": annotation.post_id,
        "revision": annotation.revision, "user_id": None, "annotator": annotation.annotator, "codebook": "d",
        "received": {}, "parsed": annotation_to_dict(annotation), "problems": [], "updated_at": now(),
        "lead_time": None, "skipped": False, "deleted_at": None,
    }  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
