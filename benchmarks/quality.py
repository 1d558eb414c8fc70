"""How good the classifier is, part by part, and what training costs beside a plain pipeline.

    python -m benchmarks.quality mfa LABELS [--seeds 5] [--first 10]
    python -m benchmarks.quality unlp TRAIN.parquet FOLDS.csv [--seeds 5]
    python -m benchmarks.quality time LABELS [--posts 50000] [--jobs 1]

- mfa: nested, grouped cross-validation of every step in five folds, mean and range over seeds; the gain over the
  plain pipeline with a bootstrap interval over posts; the later 30 % of the posts judged by a model of the earlier
  70 %. Gold is what the annotator with the most posts said.
- unlp: the same steps on the folds of the UNLP 2025 shared task; a seed changes the inner folds alone.
- time: training from labels to a model, beside a plain pipeline of scikit-learn's parts on the same posts, in one
  run. With --posts the posts are multiplied to so many, words shuffled among them, and the peak of memory is printed.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from annotations.records import Annotation, Span
from benchmarks.ablation import ALL, PLAIN, STEPS, Judged, judged, plain_pipeline, seeded
from benchmarks.manipulation import read_folds, read_posts, techniques
from classifiers import metrics
from classifiers.dataset import Dataset
from classifiers.splits import folds
from classifiers.training import TrainingOptions, train

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
FOLDS = 5
EARLIER = 0.7


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    mfa = commands.add_parser("mfa")
    mfa.add_argument("labels", type=Path)
    mfa.add_argument("--codebook", type=Path, default=default_codebook_path())
    mfa.add_argument("--seeds", type=int, default=5)
    mfa.add_argument("--first", type=int, default=10, help="The first seed.")
    mfa.set_defaults(run=_mfa)
    unlp = commands.add_parser("unlp")
    unlp.add_argument("train", type=Path)
    unlp.add_argument("folds", type=Path)
    unlp.add_argument("--seeds", type=int, default=5)
    unlp.set_defaults(run=_unlp)
    timed = commands.add_parser("time")
    timed.add_argument("labels", type=Path)
    timed.add_argument("--codebook", type=Path, default=default_codebook_path())
    timed.add_argument("--posts", type=int, default=0)
    timed.add_argument("--jobs", type=int, default=1)
    timed.set_defaults(run=_time)
    options = parser.parse_args(arguments)
    options.run(options)


def _mfa(options: argparse.Namespace) -> None:
    codebook = load_codebook(options.codebook)
    annotations = read_labels(options.labels, codebook.tag_ids)
    dataset = Dataset.from_annotations(annotations, codebook)
    judge, gold = _judgement(annotations, dataset)
    seeds = range(options.first, options.first + options.seeds)
    print(f"{len(dataset)} posts, {len(np.unique(dataset.groups))} groups; gold is annotator {judge}")
    print(
        f"Nested cross-validation, {FOLDS} folds, seeds {seeds[0]} to {seeds[-1]}: mean (lowest to highest)"
    )
    ranked: dict[str, npt.NDArray[np.float64]] = {}
    header = True
    for step in STEPS:
        runs = [judged(dataset, gold, codebook, _splits(dataset, seed), seeded(step, seed)) for seed in seeds]
        _print_row(step, [run.figures() for run in runs], header)
        ranked[step] = np.mean([run.chance.argsort(axis=0).argsort(axis=0) for run in runs], axis=0)
        header = False
    print(f"gain in mAP of '{ALL}' over the plain pipeline, ranks averaged over seeds:", end=" ")
    print(_gain(gold, ranked[PLAIN], ranked[ALL]))
    learnt, test = _by_time(annotations, dataset)
    print(f"\nBy time: {len(learnt)} earlier posts against {len(test)} later ones (near-duplicates left out)")
    header = True
    for step in (PLAIN, ALL):
        later = judged(dataset, gold, codebook, iter([(learnt, test)]), seeded(step, 0))
        _print_row(step, [_rows(later, test).figures()], header)
        header = False


def _unlp(options: argparse.Namespace) -> None:
    codebook = techniques()
    dataset = Dataset.from_annotations(read_posts(options.train, codebook), codebook)
    fold = read_folds(options.folds, dataset)
    print(f"{len(dataset)} posts, the folds of {options.folds.name}; {options.seeds} seeds of inner folds")
    header = True
    for step in STEPS:
        found = []
        for seed in range(options.seeds if STEPS[step] else 1):
            splits = ((np.flatnonzero(fold != n), np.flatnonzero(fold == n)) for n in np.unique(fold))
            run = judged(dataset, dataset.gold, codebook, splits, seeded(step, seed))
            figures = run.figures()
            by_fold = [_rows(run, np.flatnonzero(fold == n)).figures()["macro F1"] for n in np.unique(fold)]
            found.append(figures | {"macro F1 a fold": statistics.mean(by_fold)})
        _print_row(step, found, header)
        header = False


def _time(options: argparse.Namespace) -> None:
    codebook = load_codebook(options.codebook)
    annotations = read_labels(options.labels, codebook.tag_ids)
    pairs = 3
    if options.posts:
        annotations, pairs = _multiplied(annotations, options.posts), 1
    texts, gold = _plain_input(annotations, codebook.tag_ids)

    def ours() -> None:
        data = Dataset.from_annotations(annotations, codebook)
        train(data, codebook, TrainingOptions(n_jobs=options.jobs))

    def plain(**how: object) -> Callable[[], object]:
        return lambda: plain_pipeline(**how).fit(texts, gold)

    solvers = {"lbfgs": plain(), "liblinear": plain(solver="liblinear")}
    runs: dict[str, Callable[[], object]] = {"ours": ours} | solvers
    taken: dict[str, list[float]] = {name: [] for name in runs}
    worked: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(pairs):
        for name, run in runs.items():
            start, begun = time.perf_counter(), time.process_time()
            run()
            taken[name].append(time.perf_counter() - start)
            worked[name].append(time.process_time() - begun)
            if options.posts:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
                print(f"{name}: {taken[name][-1]:.0f} s, peak of memory so far {peak:.1f} GiB", flush=True)
    print(f"{len(texts)} posts, {options.jobs} job(s), medians of {pairs}:")
    for name in runs:
        print(
            f"  {name}: {statistics.median(taken[name]):.2f} s, {statistics.median(worked[name]):.2f} s of work"
        )
    for name in solvers:
        clock, work = (
            statistics.median(mine / theirs for mine, theirs in zip(of["ours"], of[name], strict=True))
            for of in (taken, worked)
        )
        print(
            f"training takes {clock:.2f} times what the plain pipeline with {name} does ({work:.2f} of its work)"
        )


def _judgement(annotations: Sequence[Annotation], dataset: Dataset) -> tuple[str, Bools]:
    """Return the annotator with the most posts, and what they ticked in the dataset's posts."""
    ((judge, _),) = Counter(each.annotator for each in annotations).most_common(1)
    ticked = {each.post_id: each.tags for each in annotations if each.annotator == judge}
    return judge, np.array([[tag in ticked[post] for tag in dataset.tag_ids] for post in dataset.post_ids])


def _splits(dataset: Dataset, seed: int) -> Iterator[tuple[Ints, Ints]]:
    fold = folds(dataset, FOLDS, seed)
    return ((np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in np.unique(fold))


def _by_time(annotations: Sequence[Annotation], dataset: Dataset) -> tuple[Ints, Ints]:
    """Return the earlier posts, and the later ones that are no near-duplicates of them."""
    dates = {each.post_id: each.date for each in annotations if each.date}
    ordered = sorted(range(len(dataset)), key=lambda row: (dates[dataset.post_ids[row]], row))
    learnt = np.array(ordered[: int(EARLIER * len(dataset))])
    known = set(dataset.groups[learnt])
    test = [row for row in ordered[len(learnt) :] if dataset.groups[row] not in known]
    return np.sort(learnt), np.array(sorted(test))


def _rows(found: Judged, rows: Ints) -> Judged:
    return Judged(*(getattr(found, name)[rows] for name in Judged.__slots__))


def _gain(gold: Bools, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> str:
    """Return the gain in mean average precision with its 95 % interval over 1,000 resamples of posts."""
    rng = np.random.default_rng(0)

    def gain(rows: Ints) -> float:
        each = [
            metrics.average_precision(gold[rows, k], after[rows, k])
            - metrics.average_precision(gold[rows, k], before[rows, k])
            for k in range(gold.shape[1])
            if gold[rows, k].any()
        ]
        return float(np.mean(each))

    rows = np.arange(len(gold))
    low, high = np.percentile([gain(rng.integers(0, len(gold), len(gold))) for _ in range(1000)], [2.5, 97.5])
    return f"{gain(rows):+.3f} ({low:+.3f} to {high:+.3f})"


def _print_row(step: str, figures: Sequence[dict[str, float]], header: bool) -> None:
    if header:
        print("| step | " + " | ".join(figures[0]) + " |")
        print("|---" * (1 + len(figures[0])) + "|")
    cells = []
    for name in figures[0]:
        values = [each[name] for each in figures]
        if np.isnan(values).all():
            cells.append("-")
        elif len(values) == 1:
            cells.append(f"{values[0]:.3f}")
        else:
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
    print(f"| {step} | {' | '.join(cells)} |", flush=True)


def _plain_input(annotations: Sequence[Annotation], tag_ids: Sequence[str]) -> tuple[list[str], Ints]:
    """Return the posts and the tags that anybody ticked, as a plain pipeline takes them."""
    posts = {each.post_id: each for each in annotations}
    return (
        [each.text for each in posts.values()],
        np.array([[tag in each.tags for tag in tag_ids] for each in posts.values()]).astype(int),
    )


def _multiplied(annotations: Sequence[Annotation], n_posts: int) -> list[Annotation]:
    """Return invented labels of ``n_posts`` posts: words drawn from the real ones, tags and spans at their places."""
    rng = np.random.default_rng(0)
    words = np.array([word for each in annotations for word in each.text.split()])
    found = []
    for number in range(n_posts):
        model = annotations[number % len(annotations)]
        own = np.array(model.text.split())
        mixed = np.where(rng.random(len(own)) < 0.5, words[rng.integers(0, len(words), len(own))], own)
        # Every copy has words of its own, as new posts do.
        text = " ".join([*mixed.tolist(), f"word{number}", f"name{number % 5000}"])
        tags = {
            tag: tuple(Span(s.start, min(s.end, len(text))) for s in spans if s.start < len(text) - 1)
            for tag, spans in model.tags.items()
        }
        found.append(Annotation(post_id=f"made/{number}", annotator="A", text=text, tags=tags))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
