"""Do the intervals of ``talkingpoints prevalence`` hold, and what does the model save? Simulated on labelled corpora.

    python -m benchmarks.prevalence [--corpus mfa unlp2025] [--draws 2000] [--data ../shared/data] [--scores FOLDER]
    python -m benchmarks.prevalence --refit [--draws 2000]

All posts of a corpus have labels, so the true shares are known. The model of `talkingpoints train` scores every post
out of fold (grouped, five folds); then posts are drawn at random without replacement, and every estimator sees
the labels of the drawn ones alone. Printed by corpus, number of labels and band of the true share, over tags of 5 to
50 %: how often the nominal 95 % intervals hold the true share (mean over tags, and the worst tag), their mean width
beside that of Wilson's interval of the same labels alone, the greatest bias, and how far off counting decisions is.
``exact`` bands have posts left out at random so that a tag has just this share.

"plain normal" is PPI++ as its paper has it (λ from the same labels, normal interval), which nothing here uses:
it shows what the small samples cost. --refit trains a plain learner (kernel ridge regression on TF-IDF, unlp2025)
on the drawn posts themselves and scores those out of fold, as a workspace does whose random posts are all it has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer

from annotations.codebook import default_codebook_path, load_codebook
from annotations.labels import read_labels
from benchmarks.manipulation import read_posts, techniques
from classifiers.dataset import Dataset
from classifiers.prevalence.estimators import (
    Estimates,
    Labelled,
    Scored,
    adjusted_count,
    assisted,
    difference,
    human_labels,
)
from classifiers.prevalence.intervals import normal_quantile, wilson
from classifiers.training import TrainingOptions, train

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SIZES = (50, 100, 200, 400)
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)
_LOWEST, _HIGHEST = 0.045, 0.505  # what rounds to 5 and 50 %
_MOST = 0.85  # of a population that is drawn
_RIDGE = 0.3
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Population:
    """One tag on all posts of a corpus, each of shape (n_posts,)."""

    corpus: str
    tag: str
    band: str
    truth: Floats
    score: Floats
    said: Floats


def main(arguments: Sequence[str]) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", nargs="*", default=["mfa", "unlp2025"])
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--scores", type=Path, help="keep the scores in this folder, and use those that are there"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--refit", action="store_true")
    options = parser.parse_args(arguments)
    if options.refit:
        _print(pd.DataFrame(_refitted(options.data, options.draws, options.seed)))
        return
    rows: list[dict[str, object]] = []
    for corpus in options.corpus:
        for population in _populations(corpus, options.data, options.scores, options.seed):
            for size in SIZES:
                if size <= _MOST * len(population.truth):
                    rows += _simulated(population, size, options.draws, options.seed)
    _print(pd.DataFrame(rows))


def _print(found: pd.DataFrame) -> None:
    kinds = {"observed": ~found.band.str.startswith("exact"), "exact": found.band.str.startswith("exact")}
    for kind, here in kinds.items():
        if here.any():
            print(f"\nShares: {kind}")
            for corpus, part in found[here].groupby("corpus", sort=False):
                print(f"\n{corpus}\n" + _table(part, ["estimator", "n", "band"]))
            print("\nall cells\n" + _table(found[here], ["estimator"]))


def _table(found: pd.DataFrame, by: list[str]) -> str:
    figures = found.groupby(by, sort=False).agg(
        tags=("tag", "count"),
        held=("held", "mean"),
        worst=("held", "min"),
        width=("width", "mean"),
        widest=("width", "max"),
        bias=("bias", lambda values: values.abs().max()),
        counting=("counting", lambda values: values.abs().mean()),
        counting_worst=("counting", lambda values: values.abs().max()),
    )
    return figures.round(3).to_string()


def _populations(corpus: str, data: Path, kept: Path | None, seed: int) -> Iterator[Population]:
    """Yield every tag of 5 to 50 % as it is, then thinned to exact shares."""
    tags, truth, scores, said = _scored(corpus, data, kept)
    rng = np.random.default_rng(seed)
    known = [k for k in range(len(tags)) if not np.isnan(scores[:, k]).any()]
    for k in known:
        share = truth[:, k].mean()
        if _LOWEST <= share <= _HIGHEST:
            band = "5-10 %" if share < 0.1 else "10-20 %" if share < 0.2 else "20-50 %"
            yield Population(corpus, tags[k], band, truth[:, k], scores[:, k], said[:, k])
    for share in SHARES:
        for k in known:
            rows = _thinned(truth[:, k], share, rng)
            if len(rows) >= SIZES[0] / _MOST and _LOWEST <= truth[:, k].mean() <= _HIGHEST:
                columns = (values[rows, k] for values in (truth, scores, said))
                yield Population(corpus, tags[k], f"exact {share:.0%}", *columns)


def _thinned(truth: Floats, share: float, rng: np.random.Generator) -> Ints:
    """Return the rows of the largest population with this share."""
    positive, negative = rng.permutation(np.flatnonzero(truth)), rng.permutation(np.flatnonzero(truth == 0))
    n = int(min(len(positive) / share, len(negative) / (1 - share)))
    return np.sort(np.concatenate([positive[: round(n * share)], negative[: n - round(n * share)]]))


def _scored(corpus: str, data: Path, kept: Path | None) -> tuple[list[str], Floats, Floats, Floats]:
    """Return tags, gold, scores out of fold and decisions (n_posts, n_tags)."""
    file = None if kept is None else kept / f"{corpus}.npz"
    if file is None or not file.is_file():
        dataset, codebook = _read(corpus, data)
        trained = train(dataset, codebook, TrainingOptions())
        cuts = [np.nan if rule.threshold is None else rule.threshold for rule in trained.model.rules]
        found = {
            "tags": np.array(dataset.tag_ids),
            "gold": dataset.gold,
            "scores": expit(trained.out_of_fold),
            "thresholds": np.array(cuts),
        }
        if file is not None:
            np.savez(file, **found)
    else:
        found = dict(np.load(file))
    said = found["scores"] >= found["thresholds"]
    return list(map(str, found["tags"])), found["gold"] * 1.0, found["scores"], said * 1.0


def _read(corpus: str, data: Path):  # type: ignore[no-untyped-def]
    if corpus == "mfa":
        codebook = load_codebook(default_codebook_path())
        annotations = read_labels(data / "mfa" / "labels.jsonl", codebook.tag_ids)
    else:
        codebook = techniques()
        annotations = read_posts(data / "unlp2025" / "train.parquet", codebook)
    return Dataset.from_annotations(annotations, codebook), codebook


def _simulated(of: Population, size: int, draws: int, seed: int) -> list[dict[str, object]]:
    """Draw ``draws`` samples of ``size`` posts and judge every estimator on them."""
    n_posts, share = len(of.truth), float(of.truth.mean())
    rows = _drawn(n_posts, size, draws, np.random.default_rng([seed, size, n_posts]))
    labelled = Labelled.drawn(of.truth[rows], of.score[rows], n_posts)
    alone = wilson(labelled.truth.mean(-1), human_labels(labelled).n_effective)
    alone_width = float(np.mean(alone[1] - alone[0]))
    everything, counted = Scored.of(of.score), float(of.said.mean())
    found = {
        "assisted": assisted(labelled, everything),
        "difference": difference(labelled, everything),
        "human": human_labels(labelled),
        "(plain normal)": _plain_normal(labelled, everything),
        "(adjusted)": adjusted_count(counted, of.said[rows], labelled),
    }
    return [
        {
            "corpus": of.corpus,
            "tag": of.tag,
            "band": of.band,
            "n": size,
            "estimator": name,
            "counting": counted - share,
        }
        | _judged(each, share, alone_width)
        for name, each in found.items()
    ]


def _judged(of: Estimates, share: float, alone: float) -> dict[str, float]:
    """Return how often the intervals hold the true share, how wide they are beside labels alone, and the bias."""
    held = (of.low <= share + 1e-9) & (share <= of.high + 1e-9)
    width = np.nanmean(of.high - of.low) / alone
    return {"held": float(held.mean()), "width": float(width), "bias": float(np.nanmean(of.value)) - share}


def _drawn(n_posts: int, size: int, draws: int, rng: np.random.Generator) -> Ints:
    return np.array([rng.choice(n_posts, size, replace=False) for _ in range(draws)])


def _plain_normal(of: Labelled, everything: Scored) -> Estimates:
    """Return PPI++ with λ from the same labels and a normal interval."""
    n = of.truth.shape[-1]
    centred = of.score - of.score.mean(-1, keepdims=True)
    tuning = (centred * of.truth).sum(-1) / np.maximum((centred**2).sum(-1), 1e-12)
    residual = of.truth - tuning[..., None] * of.score
    value = tuning * everything.mean + residual.mean(-1)
    half = normal_quantile() * np.sqrt(residual.var(-1, ddof=1) / n * (1 - n / everything.n_posts))
    return Estimates(value, value - half, value + half, value, value, tuning)


def _refitted(data: Path, draws: int, seed: int) -> list[dict[str, object]]:
    """Train a learner on every draw, and judge the estimates from its scores."""
    dataset, _ = _read("unlp2025", data)
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32).fit_transform(dataset.texts)
    kernel = np.asarray((vectors @ vectors.T).todense(), dtype=np.float64)
    shares = dataset.gold.mean(axis=0)
    kept = np.flatnonzero((shares >= _LOWEST) & (shares <= _HIGHEST))
    truth = dataset.gold[:, kept].astype(np.float64)
    rng = np.random.default_rng(seed)
    rows = []
    for size in (100, 200, 400):
        judged: list[list[dict[str, float]]] = [[] for _ in kept]
        for _ in range(draws):
            drawn = rng.choice(len(truth), size, replace=False)
            scores = _learnt(kernel, truth, drawn, rng)
            for place in range(len(kept)):
                labelled = Labelled.drawn(truth[drawn, place], scores[drawn, place], len(truth))
                low, high = wilson(labelled.truth.mean(-1), human_labels(labelled).n_effective)
                found = assisted(labelled, Scored.of(scores[:, place]))
                one = _judged(found, float(truth[:, place].mean()), 1.0)
                judged[place].append(one | {"alone": float(high - low)})
        for place, k in enumerate(kept):
            all_draws = pd.DataFrame(judged[place])
            rows.append(
                {
                    "corpus": "unlp2025, learnt from the drawn posts", "tag": dataset.tag_ids[k], "n": size,
                    "band": "5-50 %", "estimator": "assisted", "counting": np.nan, "held": all_draws.held.mean(),
                    "width": all_draws.width.mean() / all_draws.alone.mean(), "bias": all_draws.bias.mean(),
                }
            )  # fmt: skip
    return rows


def _learnt(kernel: Floats, truth: Floats, drawn: Ints, rng: np.random.Generator) -> Floats:
    """Return scores of all posts by a model of the drawn ones, and of those by models without their fold."""

    def fitted(rows: Ints, asked: Ints) -> Floats:
        mean = truth[rows].mean(axis=0)
        inside = kernel[np.ix_(rows, rows)] + _RIDGE * np.eye(len(rows))
        return np.asarray(mean + kernel[np.ix_(asked, rows)] @ np.linalg.solve(inside, truth[rows] - mean))

    scores = fitted(drawn, np.arange(len(truth)))
    fold = rng.permutation(len(drawn)) % _FOLDS
    for number in range(_FOLDS):
        scores[drawn[fold == number]] = fitted(drawn[fold != number], drawn[fold == number])
    return np.clip(scores, 0, 1)


if __name__ == "__main__":
    main(sys.argv[1:])
