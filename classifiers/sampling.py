"""Which posts to annotate next: some drawn at random, some chosen because they teach most.

Pure: numbers in, an ordered choice out, the same for the same seed.  Three quotas, mixed evenly from the
first post to the last, so that whoever stops early has all three:

- ``random``: a simple random sample without replacement of all that could be drawn, taken before anything
  else, so that estimates from it are unbiased whatever the model thinks.
- ``uncertain``: scores near the tags' thresholds, tags with few positive posts counting more.
- ``diverse``: posts in the middle of what is not covered yet.

Both chosen quotas prefer posts unlike those annotated or chosen already, and long ones as far as long posts
have borne more tags.  ``benchmarks/queue.py`` says what this gains over drawing at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from classifiers.tokens import tokenise

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_array, which has no type hints
_ALIKE = 0.9  # the cosine from which a post adds nothing to one that is chosen
_FAR = 1e3  # spreads from the threshold: worse than any known doubt, better than nothing
_MAX_TERMS = 100_000
_PRIOR_POSTS = 10


class Quota(StrEnum):
    """Why a post is in a sample."""

    UNCERTAIN = "uncertain"
    DIVERSE = "diverse"
    RANDOM = "random"


DEFAULT_SHARES = {Quota.UNCERTAIN: 5.0, Quota.DIVERSE: 3.0, Quota.RANDOM: 4.0}
"""The quotas that ``benchmarks/queue.py`` measures; a third is random."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Posts among which to choose, n of them.

    Attributes
    ----------
    vectors
        Shape (n, n_terms), rows of unit length; see :func:`text_vectors`.
    lengths
        Shape (n,), in characters.
    odds
        Shape (n, n_tags): the log-odds of each tag's score, less those of its threshold; 0 is a toss-up.
        NaN where there is no score.
    probabilities
        Shape (n, n_tags): the chance that the post bears the tag. NaN where there is no score.
    """

    vectors: Matrix
    lengths: Floats
    odds: Floats
    probabilities: Floats

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True, slots=True)
class Known:
    """What is annotated.

    Attributes
    ----------
    vectors
        Shape (n_known, n_terms).
    lengths
        Shape (n_known,), in characters.
    n_borne
        Shape (n_known,): how many tags each post bears.
    n_positive
        Shape (n_tags,): how many posts bear each tag.
    """

    vectors: Matrix
    lengths: Floats
    n_borne: Floats
    n_positive: Floats


def text_vectors(texts: Sequence[str], known: Sequence[str] = ()) -> tuple[Matrix, Matrix]:
    """Return TF-IDF vectors of words, of unit length, for ``texts`` and for ``known`` ones; terms from both."""
    vectoriser = TfidfVectorizer(
        analyzer=_forms, sublinear_tf=True, max_features=_MAX_TERMS, dtype=np.float32
    )
    try:
        found = vectoriser.fit_transform([*texts, *known])
    except ValueError:  # no text has a word
        found = sparse.csr_matrix((len(texts) + len(known), 1), dtype=np.float32)
    return found[: len(texts)], found[len(texts) :]


def draw(n_pool: int, size: int, rng: np.random.Generator) -> tuple[Ints, float]:
    """Draw a simple random sample without replacement; return it in random order with the inclusion probability."""
    size = min(size, n_pool)
    return rng.permutation(n_pool)[:size].astype(np.int64), size / n_pool if n_pool else 0.0


def mixed(sizes: dict[Quota, int]) -> list[Quota]:
    """Return the order in which the quotas take turns: after any number of posts each has about its share."""
    turns = [
        ((number + 0.5) / size, rank, quota)
        for rank, (quota, size) in enumerate(sizes.items())
        for number in range(size)
    ]
    return [quota for _, _, quota in sorted(turns)]


def choose(candidates: Candidates, known: Known, turns: Sequence[Quota]) -> list[int]:
    """Return one candidate a turn, best first; fewer where there are no more.

    ``turns`` holds ``uncertain`` and ``diverse`` only.
    """
    greedy = _Greedy(candidates, known)
    return [greedy.take(quota) for quota in turns[: len(candidates)]]


class _Greedy:
    """Takes one post after the other; what is taken changes what the rest are worth."""

    def __init__(self, candidates: Candidates, known: Known) -> None:
        self._of = candidates
        self._free = np.ones(len(candidates), dtype=bool)
        self._length = length_weight(known) * _standard(np.log1p(candidates.lengths))
        centre = np.asarray(candidates.vectors.mean(axis=0)).ravel()
        self._density = _standard(np.asarray(candidates.vectors @ centre).ravel())
        self._nearest = nearest(candidates.vectors, known.vectors)
        self._spread = float(self._nearest.std()) or 1.0
        scored = ~np.isnan(candidates.odds)
        self._doubt = np.where(scored, -np.abs(candidates.odds), -np.inf)
        self._doubt_spread = np.array([_spread(column[column > -np.inf]) for column in self._doubt.T])
        self._expected = np.where(scored, candidates.probabilities, 0.0)
        self._positive = known.n_positive.astype(np.float64).copy()
        self._has_scores = scored.any(axis=0)
        self._turns = np.zeros(len(self._positive))

    def take(self, quota: Quota) -> int:
        """Take the best free post for a quota."""
        worth = self._length - self._nearest / self._spread
        if quota is Quota.UNCERTAIN and self._has_scores.any():
            tag = self._next_tag()
            worth = worth + np.maximum(self._doubt[:, tag] / self._doubt_spread[tag], -_FAR)
        else:
            worth = worth + self._density
        alike = self._nearest >= _ALIKE
        if (self._free & ~alike).any():
            worth[alike] = -np.inf
        worth[~self._free] = -np.inf
        best = int(worth.argmax())
        self._free[best] = False
        taken = self._of.vectors[[best]].toarray().ravel()
        self._nearest = np.maximum(self._nearest, np.asarray(self._of.vectors @ taken).ravel())
        self._positive += self._expected[best]
        return best

    def _next_tag(self) -> int:
        """Return the tag whose turn it is: turns come in proportion to ``1 / sqrt(1 + positive posts)``."""
        need = np.where(self._has_scores, 1 / np.sqrt(1 + self._positive), 0.0)
        self._turns += need / need.sum()
        tag = int(np.where(self._has_scores, self._turns, -np.inf).argmax())
        self._turns[tag] -= 1
        return tag


def length_weight(known: Known) -> float:
    """Return how much the length of a post counts, from 0 to 1: as far as longer posts have borne more tags.

    That is 1.5 times the correlation of both over the annotated posts; a few posts say little, so ten more
    with a correlation of 1/3 are added.  Where tags are rhetoric, long posts bear many; where a post has one
    subject, they do not.
    """
    n = len(known.lengths)
    found = 0.0
    if n > 1 and known.lengths.std() and known.n_borne.std():
        found = float(np.corrcoef(np.log1p(known.lengths), known.n_borne)[0, 1])
    return float(np.clip(1.5 * (n * found + _PRIOR_POSTS / 3) / (n + _PRIOR_POSTS), 0, 1))


def nearest(vectors: Matrix, others: Matrix) -> Floats:
    """Return each row's greatest cosine with ``others``, shape (n,); 0 where there are none."""
    found = np.zeros(vectors.shape[0])
    transposed = others.T.tocsr()
    for first in range(0, vectors.shape[0], 2_000):
        if others.shape[0]:
            block = vectors[first : first + 2_000] @ transposed
            found[first : first + 2_000] = np.asarray(block.max(axis=1).todense()).ravel()
    return found


def _forms(text: str) -> list[str]:
    return [token.form for token in tokenise(text)]


def _standard(values: Floats) -> Floats:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread else np.zeros(len(values))


def _spread(values: Floats) -> float:
    return float(values.std()) or 1.0 if len(values) else 1.0
