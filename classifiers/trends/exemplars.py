"""The passages that best stand for a tag in a period: the strongest evidence, no two of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotations.signatures import Signatures
from classifiers.trends.corpus import TaggedBatch
from classifiers.trends.passages import Passage, likeness, signed
from classifiers.trends.timelines import Period, period_name, period_starts

_ALIKE = 0.4
_RESERVE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """A passage ``text[start:end]`` of a post.

    ``weight`` is how strongly it speaks for the tag; ``score`` is the tag's probability in the post.
    """

    tag: str
    period: str
    rank: int
    post_id: str
    channel: str
    date: str | None
    start: int
    end: int
    quote: str
    weight: float
    score: float


class Exemplars:
    """Keeps the strongest passages of every tag and period while the batches of a corpus pass by.

    A passage takes the place of weaker ones that are like it; somewhat more than ``n_best`` are held a tag and
    period, so that those that fall out later leave others.
    """

    def __init__(self, tag_ids: Sequence[str], n_best: int = 3, period: Period = "month") -> None:
        self._tag_ids, self._n_best, self._period = tuple(tag_ids), n_best, period
        self._held: dict[tuple[int, int], list[tuple[Exemplar, Signatures]]] = {}

    def add(self, batch: TaggedBatch, passages: list[Passage]) -> None:
        """Look at the passages of a batch."""
        starts = period_starts(batch.days, self._period)
        found = signed(passages)
        for passage, signature in zip(passages, found, strict=True):
            start = int(starts[passage.row])
            held = self._held.setdefault((passage.column, start), [])
            if len(held) < self._n_best * _RESERVE or passage.weight > held[-1][0].weight:
                self._insert(held, self._exemplar(batch, passage, start), signature)

    def best(self) -> list[Exemplar]:
        """Return the passages by tag, period and rank."""
        return [
            replace(exemplar, rank=rank)
            for _, held in sorted(self._held.items(), key=lambda item: item[0])
            for rank, (exemplar, _) in enumerate(held[: self._n_best], start=1)
        ]

    def _insert(
        self, held: list[tuple[Exemplar, Signatures]], exemplar: Exemplar, signature: Signatures
    ) -> None:
        if held:
            alike = likeness(signature, np.stack([other for _, other in held])) >= _ALIKE
            rivals = np.flatnonzero(alike).tolist()
            if any(not _is_better(exemplar, held[number][0]) for number in rivals):
                return
            for number in reversed(rivals):
                del held[number]
        place = sum(not _is_better(exemplar, other) for other, _ in held)
        held.insert(place, (exemplar, signature))
        del held[self._n_best * _RESERVE :]

    def _exemplar(self, batch: TaggedBatch, passage: Passage, start: int) -> Exemplar:
        post = batch.posts[passage.row].post
        return Exemplar(
            tag=self._tag_ids[passage.column],
            period=period_name(start, self._period),
            rank=0,
            post_id=post.post_id,
            channel=post.channel,
            date=post.date.isoformat() if post.date else None,
            start=passage.start,
            end=passage.end,
            quote=passage.text,
            weight=passage.weight,
            score=float(batch.scores[passage.row, passage.column]),
        )


def _is_better(one: Exemplar, other: Exemplar) -> bool:
    """Tell whether one is stronger, or as strong and of the smaller post id: whatever the order they come in."""
    return (-one.weight, one.post_id, one.start) < (-other.weight, other.post_id, other.start)
