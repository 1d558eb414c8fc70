"""For how many posts each labelled post stands, from the samples of the ledger.

Every sample draws its random quota from a pool without what was annotated or chosen before it.  Seen from one
sample, a drawn post stands for pool / drawn clusters, and every post that had left the pool for itself alone: that
gives an unbiased estimate each.  Those of several samples are averaged, in proportion to their labels, which adds
the weights up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from annotations.ledger.samples import StoredSample
from classifiers.sampling import Quota


@dataclass(frozen=True, slots=True)
class Weight:
    """What a labelled cluster of near-duplicates counts: see :class:`~classifiers.prevalence.estimators.Labelled`.

    ``is_drawn`` says that it was drawn at random; otherwise it stands for itself.
    """

    weight: float
    spread: float
    is_drawn: bool


def simple_weights(labelled: Collection[str], n_clusters: int) -> dict[str, Weight]:
    """Weigh posts that are a simple random sample of all ``n_clusters``."""
    return {post_id: _drawn(len(labelled), n_clusters, 1.0) for post_id in labelled}


def sample_weights(
    samples: Sequence[StoredSample],
    labelled: Collection[str],
    annotated: Mapping[str, datetime],
    only: int | None = None,
) -> dict[str, Weight]:
    """Weigh the labelled posts by the samples; a post that no estimate can use is left out.

    Parameters
    ----------
    samples
        Older ones first.
    labelled
        The posts with a verdict.  Of a random quota that is not annotated to its end, the part that is counts as
        the sample: the posts come in random order.
    annotated
        When each post was first annotated; those annotated before a sample were not in its pool.
    only
        The number of the one sample whose draw counts.
    """
    chosen_in = {each.post_id: sample.number for sample in samples for each in sample.posts}
    quotas = {
        sample.number: [
            each.post_id for each in sample.posts if each.quota == Quota.RANDOM and each.post_id in labelled
        ]
        for sample in samples
        if only in (None, sample.number)
    }
    total = sum(map(len, quotas.values()))
    weights: dict[str, Weight] = {}
    for sample in samples:
        drawn = quotas.get(sample.number)
        if not drawn:
            continue
        part = len(drawn) / total
        for post_id in labelled:
            before = chosen_in.get(post_id)
            if before is None:
                when = annotated.get(post_id)
                was_used = when is not None and when < sample.made_at
            else:
                was_used = before < sample.number
            if was_used:
                weights[post_id] = _added(weights.get(post_id), Weight(part, 0.0, is_drawn=False))
        for post_id in drawn:
            weights[post_id] = _added(weights.get(post_id), _drawn(len(drawn), sample.n_pool, part))
    return weights


def _drawn(n: int, n_pool: int, part: float) -> Weight:
    n_pool = max(n, n_pool)
    weight = part * n_pool / n
    return Weight(weight, weight**2 * (n_pool - n) / max(n_pool - 1, 1), is_drawn=True)


def _added(one: Weight | None, other: Weight) -> Weight:
    if one is None:
        return other
    return Weight(one.weight + other.weight, one.spread + other.spread, one.is_drawn or other.is_drawn)
