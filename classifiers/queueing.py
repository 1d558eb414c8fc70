"""A sample from the ledger: what may be drawn, what the model or the codebook's cues say of it, the choice, its record.

The random quota is drawn from the whole pool; the other two choose among a random part of it, so that
memory and time depend on ``n_candidates`` and not on the size of the pool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from annotations.codebook import Codebook
from annotations.cues import cue_pattern
from annotations.ledger.posts import chosen_posts
from annotations.ledger.samples import (
    PoolPost,
    SampledPost,
    SampleRecord,
    n_samples,
    pool_posts,
    record_sample,
)
from annotations.ledger.store import Ledger
from annotations.ledger.studio import stored_annotations
from annotations.progress import Progress, silent
from classifiers.sampling import (
    DEFAULT_SHARES,
    Candidates,
    Floats,
    Known,
    Matrix,
    Quota,
    choose,
    draw,
    mixed,
    text_vectors,
)
from classifiers.scorer import Scorer

_MAX_KNOWN = 5_000
_BATCH = 200
_CUE_PROBABILITY = 0.3  # that a post with a tag's cue bears the tag, before anybody has annotated
_NO_CUE_ODDS, _NO_CUE_PROBABILITY = -3.0, 0.01
_CLIP = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRequest:
    """What is asked for.

    Parameters
    ----------
    size
        How many posts.
    shares
        The quotas, in any unit.
    overlaps
        Which share of the sample is read by how many annotators: ``{2: 0.2}`` is a fifth by two.
        The rest is read by one.
    seed
        The same ledger, model and seed give the same sample.
    n_candidates
        Among how many posts, a random part of the pool, the uncertain and the diverse ones are looked for.
    """

    size: int
    shares: dict[Quota, float] = field(default_factory=DEFAULT_SHARES.copy)
    overlaps: dict[int, float] = field(default_factory=dict)
    seed: int = 0
    n_candidates: int = 20_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A choice of posts in the order of annotation, with how it was made; ``number`` is the ledger's, once recorded."""

    posts: tuple[SampledPost, ...]
    record: SampleRecord
    number: int | None = None


@dataclass(frozen=True, slots=True)
class _Unit:
    """A cluster of near-duplicates in the pool: the post that stands for it, and how many it stands for."""

    post_id: str
    revision: str
    n_alike: int


def make_sample(
    ledger: Ledger,
    codebook: Codebook,
    scorer: Scorer | None,
    request: SampleRequest,
    progress: Progress = silent,
) -> Sample:
    """Choose posts that were neither annotated nor chosen before; nothing is recorded.

    Fewer than asked for where the pool has no more.  Without a scorer, the codebook's cues find likely posts.
    """
    rng = np.random.default_rng([request.seed, n_samples(ledger)])
    units = _units(pool_posts(ledger))
    size = min(request.size, len(units))
    sizes = quota_sizes(size, request.shares)
    drawn, probability = draw(len(units), sizes[Quota.RANDOM], rng)
    rest = np.setdiff1d(np.arange(len(units)), drawn)
    looked_at = np.sort(rng.permutation(rest)[: max(request.n_candidates, size - len(drawn))])
    known = _known(ledger, codebook, rng)
    turns = mixed({quota: sizes[quota] for quota in (Quota.UNCERTAIN, Quota.DIVERSE)})
    chosen: list[int] = []
    if turns:
        posts = chosen_posts(ledger, [units[row].post_id for row in looked_at])
        texts = [stored.post.text for stored in posts]
        candidates = _Scoring(codebook, scorer, progress).candidates(texts, known.texts)
        found = choose(candidates[0], known.with_vectors(candidates[1]), turns)
        chosen = [int(looked_at[row]) for row in found]
    queue = _queue(sizes, turns, chosen, [int(row) for row in drawn])
    overlaps = overlap_plan(len(queue), request.overlaps, rng)
    sampled = tuple(
        SampledPost(
            units[row].post_id,
            units[row].revision,
            str(quota),
            position,
            probability if quota is Quota.RANDOM else None,
            units[row].n_alike,
            overlap,
        )
        for position, ((row, quota), overlap) in enumerate(zip(queue, overlaps, strict=True), start=1)
    )
    return Sample(sampled, _record(request, codebook, scorer, units))


def record(ledger: Ledger, sample: Sample) -> Sample:
    """Store a sample in the ledger and return it with its number."""
    return Sample(sample.posts, sample.record, record_sample(ledger, sample.record, sample.posts))


def quota_sizes(size: int, shares: dict[Quota, float]) -> dict[Quota, int]:
    """Share ``size`` posts out, the largest remainders rounded up, ties in favour of the random quota."""
    total = sum(shares.values())
    if total <= 0 or min(shares.values()) < 0:
        raise ValueError("the quotas must not be negative, and not all be zero")
    exact = {quota: Fraction(shares.get(quota, 0.0)) * size / Fraction(total) for quota in Quota}
    sizes = {quota: int(exact[quota]) for quota in Quota}
    by_rest = sorted(
        Quota, key=lambda quota: (exact[quota] - sizes[quota], quota is Quota.RANDOM), reverse=True
    )
    for quota in by_rest[: size - sum(sizes.values())]:
        sizes[quota] += 1
    return sizes


def overlap_plan(size: int, overlaps: dict[int, float], rng: np.random.Generator) -> list[int]:
    """Return for every place of a queue by how many annotators its post is read.

    The shares are met to the nearest post; which posts, is drawn at random.
    """
    plan = np.ones(size, dtype=np.int64)
    order = rng.permutation(size)
    first = 0
    for annotators, share in sorted(overlaps.items()):
        count = min(round(share * size), size - first)
        plan[order[first : first + count]] = annotators
        first += count
    return [int(each) for each in plan]


def _units(posts: Iterable[PoolPost]) -> list[_Unit]:
    """Return the clusters of which no post has been used, each with one of its posts: the one that names it, if any."""
    members: dict[str, list[PoolPost]] = {}
    for post in posts:
        members.setdefault(post.cluster, []).append(post)
    units = []
    for cluster, found in members.items():
        if not any(post.is_used for post in found):
            first = next((post for post in found if post.post_id == cluster), found[0])
            units.append(_Unit(first.post_id, first.revision, len(found)))
    return units


@dataclass(frozen=True, slots=True)
class _KnownPosts:
    texts: list[str]
    n_borne: Floats
    n_positive: Floats

    def with_vectors(self, vectors: Matrix) -> Known:
        lengths = np.array([len(text) for text in self.texts], dtype=np.float64)
        return Known(vectors, lengths, self.n_borne, self.n_positive)


def _known(ledger: Ledger, codebook: Codebook, rng: np.random.Generator) -> _KnownPosts:
    """Return the texts that are annotated (a random part of very many), and the positive posts of every tag."""
    column = {tag: number for number, tag in enumerate(codebook.tag_ids)}
    positive: set[tuple[str, int]] = set()
    texts: dict[str, str] = {}
    for annotation in stored_annotations(ledger):
        texts[annotation.post_id] = annotation.text
        positive |= {(annotation.post_id, column[tag]) for tag in annotation.tags if tag in column}
    n_positive = np.bincount([tag for _, tag in sorted(positive)], minlength=len(column)).astype(np.float64)
    borne = Counter(post_id for post_id, _ in positive)
    found = sorted(texts)
    kept = [found[row] for row in np.sort(rng.permutation(len(found))[:_MAX_KNOWN])]
    n_borne = np.array([borne[post_id] for post_id in kept], dtype=np.float64)
    return _KnownPosts([texts[post_id] for post_id in kept], n_borne, n_positive)


class _Scoring:
    """What is known of candidates before anybody has read them."""

    def __init__(self, codebook: Codebook, scorer: Scorer | None, progress: Progress) -> None:
        self._codebook = codebook
        self._scorer = scorer
        self._progress = progress
        self._patterns = {
            number: cue_pattern(tag.cues) for number, tag in enumerate(codebook.active_tags) if tag.cues
        }

    def candidates(
        self, texts: Sequence[str], known: Sequence[str]
    ) -> tuple[Candidates, npt.NDArray[np.float32]]:
        """Return the candidates, and the vectors of the known texts."""
        odds = np.full((len(texts), len(self._codebook.tag_ids)), np.nan)
        probabilities = odds.copy()
        for first in range(0, len(texts), _BATCH):
            batch = slice(first, first + _BATCH)
            odds[batch], probabilities[batch] = self._scores(texts[batch])
            self._progress(min(first + _BATCH, len(texts)), len(texts))
        vectors, others = text_vectors(texts, known)
        lengths = np.array([len(text) for text in texts], dtype=np.float64)
        return Candidates(vectors, lengths, odds, probabilities), others

    def _scores(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        odds = np.full((len(texts), len(self._codebook.tag_ids)), np.nan)
        probabilities = odds.copy()
        if self._scorer is not None:
            scores = self._scorer.probabilities(texts)
            for number, rule in enumerate(self._scorer.rules.values()):
                if rule.threshold is not None and rule.tag_id in self._codebook.tag_ids:
                    column = self._codebook.tag_ids.index(rule.tag_id)
                    probabilities[:, column] = scores[:, number]
                    clipped = np.clip(
                        [scores[:, number], np.full(len(texts), rule.threshold)], _CLIP, 1 - _CLIP
                    )
                    odds[:, column] = logit(clipped[0]) - logit(clipped[1])
        for column, pattern in self._patterns.items():
            if np.isnan(odds[:, column]).all():
                hit = np.array([pattern.search(text) is not None for text in texts])
                odds[:, column] = np.where(hit, 0.0, _NO_CUE_ODDS)
                probabilities[:, column] = np.where(hit, _CUE_PROBABILITY, _NO_CUE_PROBABILITY)
        return odds, probabilities


def _queue(
    sizes: dict[Quota, int], turns: Sequence[Quota], chosen: Sequence[int], drawn: Sequence[int]
) -> list[tuple[int, Quota]]:
    """Mix what the quotas brought into one order."""
    waiting: dict[Quota, list[int]] = {quota: [] for quota in Quota}
    waiting[Quota.RANDOM] += drawn
    for quota, row in zip(turns, chosen, strict=False):
        waiting[quota].append(row)
    return [(waiting[quota].pop(0), quota) for quota in mixed(sizes) if waiting[quota]]


def _record(
    request: SampleRequest, codebook: Codebook, scorer: Scorer | None, units: Sequence[_Unit]
) -> SampleRecord:
    options = asdict(request)
    options["shares"] = {str(quota): share for quota, share in request.shares.items()}
    options["overlaps"] = {str(annotators): share for annotators, share in request.overlaps.items()}
    return SampleRecord(
        seed=request.seed,
        codebook=codebook.digest,
        model_version=scorer.version if scorer else None,
        n_pool=len(units),
        n_pool_posts=sum(unit.n_alike for unit in units),
        options=options,
    )
