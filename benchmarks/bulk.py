"""Bulk tagging: minutes and memory for a million posts, beside the scorer alone, pandas and a cluster.

Makes posts of about 1.7 kB by varying the sample, trains the sample's model, and measures in one run:

- `talkingpoints tag` to Parquet: time, and the memory of all its processes over time;
- the scorer alone, as many processes as tag, each scoring texts that it holds in memory;
- `pandas.read_parquet`, a scikit-learn pipeline (words 1-2 and characters 3-5 by TF-IDF, a logistic regression
  a tag), `to_parquet`, on a part of the posts and one core, beside tag with one process on the same;
- tag on a Dask cluster of local processes, beside tag without it.

    python -m benchmarks.bulk [--posts 1000000] [--jobs 2] [--part 5000] [--dask-posts 100000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union

from annotations.codebook import load_codebook
from annotations.labels import read_labels
from annotations.ledger.posts import StoredPost
from annotations.posts_table import write_posts
from annotations.readers import PostItem, read_posts
from annotations.records import Post
from classifiers.bulk.testing import local_dask
from classifiers.dataset import Dataset

_ROOT = Path(__file__).resolve().parents[1]
_EXAMPLES = _ROOT / "examples"
_BYTES = 1_700
_CHANGED = 0.2  # of the words of a sentence
_LOOK_SECONDS = 0.5
_SCORER = """
import sys, time
from pathlib import Path
import pyarrow.parquet as pq
from classifiers.scorer import Scorer
scorer = Scorer.load(Path(sys.argv[1]))
batches = pq.ParquetFile(sys.argv[2]).iter_batches(4096, columns=["text"])
texts = [next(batches)["text"].to_pylist() for _ in range(int(sys.argv[3]))]
print("ready", flush=True)
sys.stdin.readline()
begun = time.perf_counter()
for each in texts:
    scorer.judge(each)
print(sum(map(len, texts)) / (time.perf_counter() - begun))
"""
_PEER = """
import sys, time
import joblib, pandas as pd
begun = time.perf_counter()
pipeline, tags = joblib.load(sys.argv[1])
posts = pd.read_parquet(sys.argv[2])
scores = pipeline.predict_proba(posts["text"])
found = pd.DataFrame({"post_id": posts["post_id"]})
for at, tag in enumerate(tags):
    found[tag], found[tag + "_score"] = scores[:, at] >= 0.5, scores[:, at]
found.to_parquet(sys.argv[3])
print(len(posts) / (time.perf_counter() - begun))
"""


@dataclass(frozen=True)
class Run:
    """A command that was watched: seconds, and the memory of its processes in MB at every look."""

    seconds: float
    memory: list[float]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", type=int, default=5_000, help="posts beside pandas and scikit-learn")
    parser.add_argument("--dask-posts", type=int, default=100_000, help="posts on the cluster")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where there is room for the files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        bundle = _trained(folder)
        posts = folder / "posts.parquet"
        write_posts(posts, varied_posts(options.posts, options.seed))
        size = posts.stat().st_size / 1e6
        print(f"{options.posts:,} posts, {size:,.0f} MB of Parquet, {options.jobs} processes", flush=True)
        _print_whole(folder, bundle, posts, options)
        _print_peer(folder, bundle, options)
        _print_cluster(folder, bundle, options)


def varied_posts(number: int, seed: int = 0, size: int = _BYTES) -> Iterator[StoredPost]:
    """Yield posts made of the sample's sentences, a fifth of their words changed for others of the sample."""
    chance = random.Random(seed)
    items = read_posts(_EXAMPLES / "posts.csv").items
    texts = [item.post.text for item in items if isinstance(item, PostItem)]
    sentences = [part.split() for text in texts for part in text.replace("\n", ". ").split(". ") if part]
    words = [word for sentence in sentences for word in sentence]
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    for index in range(number):
        parts: list[str] = []
        length = 0
        wanted = size * chance.uniform(0.5, 1.5)
        while length < wanted:
            sentence = list(chance.choice(sentences))
            for _ in range(round(len(sentence) * _CHANGED)):
                sentence[chance.randrange(len(sentence))] = chance.choice(words)
            parts.append(" ".join(sentence))
            length += len(parts[-1].encode()) + 2
        date = begin + timedelta(minutes=index)
        yield StoredPost(
            Post(channel="ministry", message_id=str(index), text=". ".join(parts), date=date), None
        )


def _trained(folder: Path) -> Path:
    bundle = folder / "bundle"
    labels = str(_EXAMPLES / "annotations.jsonl")
    _command("train", "--labels", labels, "--out", str(bundle), home=folder / "home")
    return bundle


def _print_whole(folder: Path, bundle: Path, posts: Path, options: argparse.Namespace) -> None:
    alone = _scorer_alone(bundle, posts, options)
    run = _tag(folder, bundle, posts, "--jobs", str(options.jobs))
    quarter = max(1, len(run.memory) // 4)
    print(f"  tag            {run.seconds / 60:8.1f} minutes, {options.posts / run.seconds:,.0f} posts/s")
    print(f"  scorer alone   {alone:8,.0f} posts/s; tag is {options.posts / run.seconds / alone:.2f} of it")
    print(
        f"  memory         {max(run.memory):8,.0f} MB at most (proportional set size of all processes); median of"
        f" the second quarter {statistics.median(run.memory[quarter : 2 * quarter] or run.memory):,.0f} MB,"
        f" of the last {statistics.median(run.memory[-quarter:]):,.0f} MB",
        flush=True,
    )


def _print_peer(folder: Path, bundle: Path, options: argparse.Namespace) -> None:
    part = folder / "part.parquet"
    write_posts(part, varied_posts(options.part, options.seed + 1))
    peer = _peer_model(folder)
    pairs = []
    for _ in range(options.rounds):
        theirs = float(_python(_PEER, str(peer), str(part), str(folder / "peer.parquet")))
        ours = options.part / _tag(folder, bundle, part, "--jobs", "1").seconds
        pairs.append((ours, theirs))
    _print_pairs(f"pandas + scikit-learn, {options.part:,} posts, one core", pairs)


def _print_cluster(folder: Path, bundle: Path, options: argparse.Namespace) -> None:
    posts = folder / "dask.parquet"
    number = min(options.dask_posts, options.posts)
    write_posts(posts, varied_posts(number, options.seed + 2))
    pairs = []
    with local_dask(folder / "dask", options.jobs) as cluster:
        for _ in range(options.rounds):
            there = number / _tag(folder, bundle, posts, "--scheduler", cluster.address).seconds
            here = number / _tag(folder, bundle, posts, "--jobs", str(options.jobs)).seconds
            pairs.append((there, here))
    _print_pairs(f"Dask, {options.jobs} workers, beside as many processes, {number:,} posts", pairs)


def _print_pairs(title: str, pairs: list[tuple[float, float]]) -> None:
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(one / other for one, other in pairs)
    print(
        f"  {title}: {ours:,.0f} against {theirs:,.0f} posts/s, {statistics.median(ratios):.2f} times"
        f" ({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} pairs)",
        flush=True,
    )


def _peer_model(folder: Path) -> Path:
    """Train the pipeline on the sample's labels."""
    codebook = load_codebook(_EXAMPLES / "codebook.yaml")
    labels = read_labels(_EXAMPLES / "annotations.jsonl", [tag.id for tag in codebook.tags])
    data = Dataset.from_annotations(labels, codebook)
    kept = [at for at in range(len(data.tag_ids)) if data.gold[:, at].sum() >= 5]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    pipeline = make_pipeline(
        make_union(words, characters), OneVsRestClassifier(LogisticRegression(max_iter=1000))
    )
    pipeline.fit(data.texts, data.gold[:, kept])
    path = folder / "peer.joblib"
    joblib.dump((pipeline, [data.tag_ids[at] for at in kept]), path)
    return path


def _scorer_alone(bundle: Path, posts: Path, options: argparse.Namespace) -> float:
    """Return the posts a second of as many processes as tag has, that score and do nothing else."""
    batches = str(max(1, min(5, options.posts // 4096)))
    command = [sys.executable, "-c", _SCORER, str(bundle), str(posts), batches]
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), text=True
        )
        for _ in range(options.jobs)
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return sum(float(process.communicate()[0]) for process in processes)


def _tag(folder: Path, bundle: Path, posts: Path, *options: str) -> Run:
    target = folder / "tags.parquet"
    target.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "service.cli",
        "tag",
        "--model",
        str(bundle),
        *options,
        str(posts),
        str(target),
    ]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment())
    memory = [0.0]
    while process.poll() is None:
        memory.append(_memory(process.pid))
        time.sleep(_LOOK_SECONDS if len(memory) > 20 else 0.02)
    if process.returncode:
        raise SystemExit("tag failed")
    return Run(time.perf_counter() - begun, memory)


def _memory(pid: int) -> float:
    """Return the proportional set size of a process and those that it started, in MB."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return total  # it has ended
    return total + sum(_memory(int(child)) for child in children)


def _command(*arguments: str, home: Path) -> None:
    environment = _environment() | {
        "TALKINGPOINTS_HOME": str(home),
        "TALKINGPOINTS_CODEBOOK": str(_EXAMPLES / "codebook.yaml"),
    }
    command = [sys.executable, "-m", "service.cli", *arguments]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def _python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        env=_environment(),
        capture_output=True,
        text=True,
    )
    return done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT)}


if __name__ == "__main__":
    main()
