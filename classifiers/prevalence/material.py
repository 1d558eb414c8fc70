"""What is known of the posts as arrays: verdicts by clusters of near-duplicates, and the parts that they lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from classifiers.dataset import Dataset, Provenance
from classifiers.prevalence.design import Weight
from classifiers.prevalence.estimators import Labelled, Scored
from classifiers.prevalence.tagged import TaggedPosts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
By = Literal["month", "channel", "language"]
ALL = "all"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What people say of posts: gold by strict majority, so that a tie bears no tag.

    Attributes
    ----------
    truth
        Shape (n_posts, n_tags).
    weights
        For how many posts each stands, by post id; empty where nothing was drawn at random.
    n_ties
        Pairs of post and tag on which as many say yes as no.
    """

    post_ids: tuple[str, ...]
    tag_ids: tuple[str, ...]
    truth: npt.NDArray[np.bool_]
    weights: Mapping[str, Weight] = field(default_factory=dict)
    n_ties: int = 0

    @classmethod
    def none(cls) -> Verdicts:
        """Return no verdicts."""
        return cls((), (), np.zeros((0, 0), dtype=bool))

    @classmethod
    def of(cls, dataset: Dataset, weights: Mapping[str, Weight]) -> Verdicts:
        """Take the gold of a dataset."""
        drawn = [name in weights for name in dataset.post_ids]
        ties = dataset.provenance[drawn] == Provenance.TIE
        return cls(dataset.post_ids, dataset.tag_ids, dataset.gold, weights, int(ties.sum()))


@dataclass(frozen=True, slots=True)
class Part:
    """The posts of a part, and the labelled clusters that have posts in it.

    ``units`` are their numbers, ``count`` the posts that each has here; ``member`` and ``owner`` list the posts
    of labelled clusters with the place of their cluster in ``units``.
    """

    name: str
    rows: Ints
    units: Ints
    count: Floats
    member: Ints
    owner: Ints


class Material:
    """Arrays from which every share is computed; units are labelled clusters of near-duplicates.

    Attributes
    ----------
    everything
        The part of all posts.
    parts
        All posts, then the parts asked for.
    n_random
        Clusters that were drawn at random and have a verdict.
    n_missing
        Labelled posts that are not among the tagged ones.
    own_row
        Shape (n_units,): the row of the post with the verdict.
    """

    def __init__(self, tagged: TaggedPosts, verdicts: Verdicts, by: By | None) -> None:
        self._tagged, self._verdicts = tagged, verdicts
        row_of = {post_id: row for row, post_id in enumerate(tagged.post_ids)}
        clusters = tagged.clusters or tagged.post_ids
        weights = verdicts.weights
        self._n_clusters = len(set(clusters))
        unit_of: dict[str, int] = {}
        verdict: list[int] = []
        order = sorted(range(len(verdicts.post_ids)), key=lambda each: verdicts.post_ids[each] not in weights)
        for number in order:
            row = row_of.get(verdicts.post_ids[number])
            if row is not None and clusters[row] not in unit_of:
                unit_of[clusters[row]] = len(verdict)
                verdict.append(number)
        self.n_missing = sum(post_id not in row_of for post_id in verdicts.post_ids)
        self._verdict = np.array(verdict, dtype=np.int64)
        self.own_row = np.array([row_of[verdicts.post_ids[each]] for each in verdict], dtype=np.int64)
        nothing = Weight(0.0, 0.0, is_drawn=False)
        found = [weights.get(verdicts.post_ids[each], nothing) for each in verdict]
        self._weight = np.array([each.weight for each in found])
        self._spread = np.array([each.spread for each in found])
        self._drawn = np.array([each.is_drawn for each in found], dtype=bool)
        self.n_ties = verdicts.n_ties
        self.n_random = int(self._drawn.sum())
        members = [(row, unit_of[name]) for row, name in enumerate(clusters) if name in unit_of]
        self._member, self._owner = np.array(members, dtype=np.int64).reshape(-1, 2).T
        self.everything = self._part(ALL, np.arange(len(tagged)))
        self._scored: dict[str, Scored] = {}
        self.parts = [self.everything, *self._chosen_parts(by)]

    def is_exact(self, part: Part) -> bool:
        """Tell whether every post of a part is labelled and stands for itself."""
        known = self._weight[part.units] > 0
        return not self._spread[part.units].any() and part.count[known].sum() == len(part.rows)

    def drawn_from(self) -> float:
        """Return the share of today's clusters that the samples speak for."""
        return min(float(self._weight.sum()) / max(self._n_clusters, 1), 1.0)

    def _chosen_parts(self, by: By | None) -> list[Part]:
        if by is None:
            return []
        names, part_of = np.unique(np.array(self._tagged.parts[by], dtype=object), return_inverse=True)
        order = np.argsort(part_of, kind="stable")
        ends = np.cumsum(np.bincount(part_of, minlength=len(names)))
        rows = np.split(order, ends[:-1])
        return [self._part(str(name), each) for name, each in zip(names, rows, strict=True)]

    def _part(self, name: str, rows: Ints) -> Part:
        inside = np.zeros(len(self._tagged), dtype=bool)
        inside[rows] = True
        here = inside[self._member]
        units, owner = np.unique(self._owner[here], return_inverse=True)
        count = np.bincount(owner, minlength=len(units)).astype(np.float64)
        return Part(name, rows, units, count, self._member[here], owner)

    def n_drawn(self, part: Part) -> int:
        """Return how many units of a part were drawn at random."""
        return int(self._drawn[part.units].sum())

    def used(self, part: Part) -> Ints:
        """Return the units of a part that count."""
        return part.units[self._weight[part.units] > 0]

    def labelled(self, tag: str, part: Part) -> Labelled:
        """Return the labelled clusters with posts in a part: each counts by its posts there, at their mean score."""
        truth = self.truth(tag)
        assert truth is not None  # noqa: S101 - for the type checker: callers have looked
        total = np.bincount(part.owner, self.scores(tag, part.member), minlength=len(part.units))
        used = self._weight[part.units] > 0
        units, count = part.units[used], part.count[used]
        score = np.nan_to_num(total[used] / count)
        return Labelled(truth[units], score, self._weight[units] * count, self._spread[units] * count**2)

    def unweighted(self, tag: str) -> Labelled:
        """Return all labelled clusters alike."""
        truth = self.truth(tag)
        assert truth is not None  # noqa: S101 - for the type checker: callers have looked
        ones = np.ones(len(truth))
        return Labelled(truth, self.scores(tag, self.own_row), ones, ones)

    def truth(self, tag: str) -> Floats | None:
        """Return the verdicts of all units on a tag; None for a tag that people do not label."""
        if tag not in self._verdicts.tag_ids:
            return None
        column = self._verdicts.tag_ids.index(tag)
        return np.asarray(self._verdicts.truth[self._verdict, column], dtype=np.float64)

    def scores(self, tag: str, rows: Sequence[int] | Ints) -> Floats:
        """Return the scores of a tag at some rows."""
        return self._tagged.scores[rows, self._tagged.tag_ids.index(tag)].astype(np.float64)

    def scored(self, tag: str, part: Part) -> Scored:
        """Return the sums of a tag's scores in a part; those of all posts are kept, since small parts borrow them."""
        if part is not self.everything:
            return Scored.of(self.scores(tag, part.rows))
        if tag not in self._scored:
            self._scored[tag] = Scored.of(self.scores(tag, part.rows))
        return self._scored[tag]

    def yes(self, tag: str, rows: Ints) -> npt.NDArray[np.bool_]:
        """Return the decisions of a tag at some rows."""
        return np.asarray(self._tagged.yes[rows, self._tagged.tag_ids.index(tag)])
