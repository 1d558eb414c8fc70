"""The queue against drawing at random and against small-text's strategies, simulated.

    pip install small-text
    python -m benchmarks.queue [--corpus mfa ...] [--seeds 20] [--budget 1000] [--data ../shared/data] [--labels FILE]

Posts whose tags are known play the pool. A learner (benchmarks/queue_learner.py) is trained on a random first
batch, a strategy chooses the next posts, and so on; a fifth of the groups of near-duplicates is kept for
testing. Every strategy meets the same splits and first batches, so differences are paired by seed. The
measures are macro average precision and macro and micro F1, each tag cut where its precision equals its
recall out of fold. Printed for each: the area under its curve over the number of posts; the gain over random
with a 95 % interval (t, over seeds); the budgets at which that interval lies wholly below 0; how many posts
reach 95 % of the value of all, as a share of what random needs.

Corpora: ``mfa`` and ``unlp2025`` with evidence as further rows and without it; ``debian``, descriptions of
6,000 programs with what they are for, and ``sections``, with the section each is in, from apt's package
lists (``apt-get -o Acquire::Languages=en update``; --lists for another folder). ``--labels`` takes any labels.jsonl.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy import stats
from threadpoolctl import threadpool_limits

from benchmarks import queue_corpora as corpora
from benchmarks.queue_learner import Fit, Material, fit
from benchmarks.queue_strategies import Situation, Strategy, prepared, strategies

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MEASURES = ("AP", "macro F1", "micro F1")
_FOLDS = 3
_FULL_SEEDS = 5  # of a large corpus, for the value of all its posts


@dataclass(frozen=True, slots=True)
class Setting:
    """A corpus vectorised, whether evidence is used, and the budgets."""

    material: Material
    vectors: object
    embedded: Floats
    evidence: bool
    budgets: tuple[int, ...]


def main(arguments: Sequence[str]) -> None:
    """Run the simulation and print its tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", nargs="*", default=["mfa", "unlp2025"])
    parser.add_argument("--strategy", nargs="*", help="only these; random is always there")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--lists", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, help="stop there; by default after most of the posts")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    chosen = {
        name: each
        for name, each in strategies().items()
        if not options.strategy or name in ("random", *options.strategy)
    }
    readers = {
        "mfa": lambda: corpora.mfa(options.data),
        "unlp2025": lambda: corpora.unlp(options.data),
        "debian": lambda: corpora.debian(options.lists),
        "sections": lambda: corpora.sections(options.lists),
    }
    found = (
        [readers[name]() for name in options.corpus]
        if not options.labels
        else [corpora.labelled(options.labels)]
    )
    for corpus in found:
        material = Material.of(corpus)
        budgets = tuple(each for each in corpus.budgets if each <= (options.budget or len(corpus.texts)))
        for evidence in (False, True) if corpus.quotes else (False,):
            setting = Setting(material, *prepared(material), evidence, budgets)
            print(
                f"\n== {corpus.name}, {'with' if evidence else 'without'} evidence: {len(corpus.texts):,} posts, "
                f"{corpus.gold.shape[1]} tags, {options.seeds} seeds, budgets {budgets[0]} to {budgets[-1]:,}",
                flush=True,
            )
            compare(setting, chosen, options.seeds, options.jobs)


def compare(setting: Setting, chosen: dict[str, Strategy], n_seeds: int, n_jobs: int) -> None:
    """Simulate all strategies and print a line for each as it is done."""
    seeds = range(n_seeds)
    measured = seeds if len(setting.material.corpus.texts) < 1_000 else seeds[:_FULL_SEEDS]
    full = np.mean(Parallel(n_jobs)(delayed(_full)(setting, seed) for seed in measured), axis=0)
    print("value of all posts: " + ", ".join(f"{m} {v:.3f}" for m, v in zip(MEASURES, full, strict=True)))
    baseline: Floats | None = None
    for name, strategy in chosen.items():
        curves = np.array(Parallel(n_jobs)(delayed(_simulated)(setting, strategy, seed) for seed in seeds))
        baseline = curves if baseline is None else baseline
        print(f"{name:22s} " + " | ".join(_cells(setting.budgets, curves, baseline, full)), flush=True)


def _cells(budgets: Sequence[int], curves: Floats, baseline: Floats, full: Floats) -> list[str]:
    """Return one cell a measure: area, gain with interval, share of random's posts, budgets that are worse."""
    areas, others = _area(budgets, curves), _area(budgets, baseline)
    difference = curves - baseline
    cells = []
    for number, measure in enumerate(MEASURES):
        gain, half = _interval(areas[:, number] - others[:, number])
        ours, randoms = (
            _needed(budgets, c.mean(axis=0)[:, number], 0.95 * full[number]) for c in (curves, baseline)
        )
        share = "-" if ours is None or randoms is None else f"{ours / randoms:.0%}"
        worse = [
            budget for place, budget in enumerate(budgets) if sum(_interval(difference[:, place, number])) < 0
        ]
        cells.append(
            f"{measure} {areas[:, number].mean():.4f} {gain:+.4f} ± {half:.4f}, "
            f"{ours if ours is not None else '-'} posts ({share})" + (f", worse at {worse}" if worse else "")
        )
    return cells


def _area(budgets: Sequence[int], curves: Floats) -> Floats:
    """Return the mean height of every curve, (n_seeds, n_measures)."""
    x = np.array(budgets, dtype=np.float64)
    return np.asarray(np.trapezoid(curves, x, axis=1) / (x[-1] - x[0]))


def _interval(values: Floats) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval."""
    if len(values) < 2 or not values.any():
        return float(values.mean()), 0.0
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def _needed(budgets: Sequence[int], curve: Floats, target: float) -> int | None:
    """Return the number of posts at which a mean curve reaches a value; None: not within the budgets."""
    height = np.maximum.accumulate(curve)
    if height[-1] < target:
        return None
    return int(np.ceil(np.interp(target, *_rising(height, np.array(budgets, dtype=np.float64)))))


def _rising(height: Floats, budgets: Floats) -> tuple[Floats, Floats]:
    kept = np.concatenate([[True], np.diff(height) > 0])
    return height[kept], budgets[kept]


def _split(material: Material, seed: int) -> tuple[Ints, Ints]:
    """Return training and test posts; groups of near-duplicates are not parted."""
    names = np.unique(material.corpus.groups)
    tested = np.random.default_rng(seed).permutation(names)[: len(names) // 5]
    is_test = np.isin(material.corpus.groups, tested)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _full(setting: Setting, seed: int) -> Floats:
    with threadpool_limits(1):
        train, test = _split(setting.material, seed)
        return _judged(setting, fit(setting.material, train, evidence=setting.evidence), train, test)


def _simulated(setting: Setting, strategy: Strategy, seed: int) -> Floats:
    """Return the measures at every budget, (n_budgets, n_measures)."""
    with threadpool_limits(1):
        train, test = _split(setting.material, seed)
        rng = np.random.default_rng([seed, 1])
        labelled = rng.permutation(train)[: setting.budgets[0]]
        model: Fit | None = None
        curve = []
        for budget, following in zip(setting.budgets, (*setting.budgets[1:], None), strict=True):
            model = fit(setting.material, labelled, evidence=setting.evidence, start=model)
            curve.append(_judged(setting, model, labelled, test))
            if following is not None:
                pool = np.setdiff1d(train, labelled)
                now = Situation(setting.material, model, labelled, pool, setting.vectors, setting.embedded)
                labelled = np.concatenate([labelled, strategy(now, following - budget, rng)])
        return np.array(curve)


def _judged(setting: Setting, model: Fit, labelled: Ints, test: Ints) -> Floats:
    """Return macro average precision, macro F1 and micro F1 over the tags that occur in the test posts."""
    truth = setting.material.corpus.gold[test]
    scores = model.margins(setting.material, test)
    precision = _average_precision(truth, scores)
    precision = np.where(model.known, precision, truth.mean(axis=0))
    said = (scores >= _cuts(setting, model, labelled)) & model.known
    hits, errors = (said & truth).sum(axis=0), (said != truth).sum(axis=0)
    occurring = truth.any(axis=0)
    f1 = 2 * hits / np.maximum(2 * hits + errors, 1)
    micro = 2 * hits.sum() / max(2 * hits.sum() + errors.sum(), 1)
    return np.array([precision[occurring].mean(), f1[occurring].mean(), micro])


def _cuts(setting: Setting, model: Fit, labelled: Ints) -> Floats:
    """Return for every tag the score that as many posts reach out of fold as bear the tag."""
    fold = np.random.default_rng(len(labelled)).permutation(len(labelled)) % _FOLDS
    scores = np.zeros((len(labelled), len(model.known)))
    for number in range(_FOLDS):
        held = fold == number
        part = fit(setting.material, labelled[~held], evidence=setting.evidence, start=model)
        scores[held] = np.where(part.known, part.margins(setting.material, labelled[held]), -10)
    ordered = -np.sort(-scores, axis=0)
    last = np.clip(model.n_positive - 1, 0, len(labelled) - 1)
    columns = np.arange(len(last))
    after = np.minimum(last + 1, len(labelled) - 1)
    return (ordered[last, columns] + ordered[after, columns]) / 2


def _average_precision(truth: npt.NDArray[np.bool_], scores: Floats) -> Floats:
    order = np.argsort(-scores, axis=0, kind="stable")
    hits = np.take_along_axis(truth, order, axis=0)
    precision = np.cumsum(hits, axis=0) / np.arange(1, len(truth) + 1)[:, None]
    return np.asarray((precision * hits).sum(axis=0) / np.maximum(truth.sum(axis=0), 1))


if __name__ == "__main__":
    main(sys.argv[1:])
