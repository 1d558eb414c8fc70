"""The strategies that ``benchmarks.queue`` compares: the product's queue, drawing at random, and small-text's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from benchmarks.queue_learner import Fit, Material
from classifiers import sampling
from classifiers.queueing import quota_sizes
from classifiers.sampling import Candidates, Known, Quota

Ints = npt.NDArray[np.int64]
_EMBEDDED = 128  # dimensions of what small-text calls an embedding: latent semantic analysis of the features


@dataclass(frozen=True, slots=True)
class Situation:
    """What a strategy may look at: the corpus without its tags, the learner, what is labelled and what is not."""

    material: Material
    fit: Fit
    labelled: Ints
    pool: Ints
    vectors: sparse.csr_matrix
    embedded: npt.NDArray[np.float64]


Strategy = Callable[[Situation, int, np.random.Generator], Ints]


def prepared(material: Material) -> tuple[sparse.csr_matrix, npt.NDArray[np.float64]]:
    """Return the product's vectors of all posts, and the embeddings for small-text."""
    vectors = sampling.text_vectors(material.corpus.texts)[0].tocsr()
    n_components = min(_EMBEDDED, len(material.corpus.texts) - 1)
    return vectors, TruncatedSVD(n_components, random_state=0).fit_transform(material.features).astype(float)


def random_posts(now: Situation, size: int, rng: np.random.Generator) -> Ints:
    """Draw posts at random."""
    return rng.choice(now.pool, size, replace=False)


def queue(shares: dict[Quota, float]) -> Strategy:
    """Return the product's queue with these quotas."""

    def choose(now: Situation, size: int, rng: np.random.Generator) -> Ints:
        sizes = quota_sizes(size, shares)
        drawn = now.pool[sampling.draw(len(now.pool), sizes[Quota.RANDOM], rng)[0]]
        rest = np.setdiff1d(now.pool, drawn)
        odds = now.fit.margins(now.material, rest).astype(np.float64)
        odds[:, ~now.fit.known] = np.nan
        texts = now.material.corpus.texts
        candidates = Candidates(
            now.vectors[rest],
            np.array([len(texts[row]) for row in rest], dtype=np.float64),
            odds,
            now.fit.probabilities(now.material, rest),
        )
        known = Known(
            now.vectors[now.labelled],
            np.array([len(texts[row]) for row in now.labelled], dtype=np.float64),
            now.material.corpus.gold[now.labelled].sum(axis=1).astype(np.float64),
            now.fit.n_positive.astype(np.float64),
        )
        turns = sampling.mixed({quota: sizes[quota] for quota in (Quota.UNCERTAIN, Quota.DIVERSE)})
        return np.concatenate([drawn, rest[sampling.choose(candidates, known, turns)]])

    return choose


class _Classifier:
    """What small-text's strategies ask a classifier; a dataset is an array of the numbers of posts."""

    def __init__(self, now: Situation) -> None:
        self._now = now

    def predict_proba(self, dataset: Ints) -> npt.NDArray[np.float64]:
        found = self._now.fit.probabilities(self._now.material, dataset)
        return np.where(np.isnan(found), 0.5 / (self._now.fit.n_labelled + 1), found)

    def embed(self, dataset: Ints, return_proba: bool = False, **_options: Any) -> Any:
        found = self._now.embedded[dataset]
        return (found, self.predict_proba(dataset)) if return_proba else found


def small_text(make: Callable[[], Any]) -> Strategy:
    """Return a strategy of small-text."""

    def choose(now: Situation, size: int, rng: np.random.Generator) -> Ints:
        np.random.seed(int(rng.integers(2**31)))
        gold = sparse.csr_matrix(now.material.corpus.gold[now.labelled].astype(np.int64))
        everything = np.arange(len(now.material.corpus.texts))
        found = make().query(_Classifier(now), everything, now.pool, now.labelled, gold, n=size)
        return np.asarray(found, dtype=np.int64)

    return choose


def strategies() -> dict[str, Strategy]:
    """Return all strategies by name, the one they are compared with first."""
    import small_text as st  # type: ignore[import-not-found]  # noqa: PLC0415 - only this benchmark needs it

    return {
        "random": random_posts,
        "queue": queue(sampling.DEFAULT_SHARES),
        "queue, 1/10 random": queue(sampling.DEFAULT_SHARES | {Quota.RANDOM: 8 / 9}),
        "prediction entropy": small_text(st.PredictionEntropy),
        "breaking ties": small_text(st.BreakingTies),
        "least confidence": small_text(st.LeastConfidence),
        "contrastive": small_text(lambda: st.ContrastiveActiveLearning(pbar=None)),
        "lightweight coreset": small_text(st.LightweightCoreset),
        "greedy coreset": small_text(lambda: st.GreedyCoreset(distance_metric="euclidean")),
        "cvirs": small_text(lambda: st.CategoryVectorInconsistencyAndRanking(pbar=None)),
    }
