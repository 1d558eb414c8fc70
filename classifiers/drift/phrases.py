"""Rising phrases that no tag explains: candidates for the codebook.

Phrases are two to four words in a row, by their stems; a post counts once, near-duplicates count once.  The posts since
a day are compared with all before.  Phrases are ranked by the log-odds ratio with an informative Dirichlet prior, in
standard deviations: B. L. Monroe, M. P. Colaresi, K. M. Quinn, "Fightin' Words", Political Analysis 16 (2008),
equations 16 and 22, with posts in place of words and the phrase's share of all posts as the prior.  Whether a phrase
has become more frequent at all is asked by Fisher's exact test, adjusted for all phrases that are as frequent as a
phrase must be to be asked (Benjamini and Hochberg 1995), of which there are at most as many as the sketch counts.
Phrases that begin or end with a word of every tenth earlier post (an article, a preposition) are left out.

A phrase is explained where it lies in the evidence of a tag decided yes, or holds one of the codebook's cues.

Memory does not depend on the number of posts: the phrases that are frequent enough of late are found first, by a
sketch over the late posts; these alone are then counted in all posts, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from annotations.codebook import Codebook
from annotations.cues import cue_pattern
from classifiers.drift.candidates import COMMON, LENGTHS, Candidates, PhraseOptions
from classifiers.drift.sketch import Sketch
from classifiers.drift.words import once_a_post, placed_phrases
from classifiers.trends.corpus import UNDATED, TaggedBatch
from classifiers.trends.intervals import false_discovery
from classifiers.trends.passages import EvidenceByTag
from classifiers.wording import Keys, Worded

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_PRIOR_POSTS = 500.0
_EXAMPLES = 30
_SHOWN = 5
_SAME_POSTS = 0.7
_LONGEST = 12
_MOST_RISING = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RisingPhrase:
    """A phrase with the posts that have it.

    Attributes
    ----------
    n_late, n_early, late_share, early_share
        Posts that have it since the day and before, and their shares of all posts of that time.
    z
        How much more frequent it has become, in standard deviations of the log-odds ratio.
    p
        That it has not, adjusted.
    unexplained
        The share of its late posts in which it stands outside of all evidence; where there is no evidence at hand, the
        share of its late posts that bear no tag.
    post_ids
        Some of the late posts.
    """

    phrase: str
    n_late: int
    n_early: int
    late_share: float
    early_share: float
    z: float
    p: float
    unexplained: float
    post_ids: tuple[str, ...]


class RisingPhrases:
    """Counts candidates while the batches of a corpus pass by."""

    def __init__(self, chosen: Candidates, options: PhraseOptions) -> None:
        n = len(chosen.keys)
        self._chosen, self._options = chosen, options
        self._late, self._early, self._explained = (np.zeros(n, dtype=np.int64) for _ in range(3))
        self._n_late = self._n_early = 0
        self._sketch, self._n_frequent = Sketch(23), 0
        self._ends: Keys = np.zeros((n, 2), dtype=np.uint64)
        self._n_common = np.zeros(len(chosen.common), dtype=np.int64)  # of the early posts
        self._late_ids: list[str] = []
        self._examples = np.full((n, _EXAMPLES), -1, dtype=np.int32)  # places in the list of ids
        self._n_examples = np.zeros(n, dtype=np.int8)
        self._forms = [""] * n  # as it was first met

    def add(self, batch: TaggedBatch, words: Worded, evidence: dict[int, EvidenceByTag] | None) -> None:
        """Count a batch; ``evidence`` is that of its tags, None where there is none at hand."""
        wanted = batch.is_first & (batch.days != UNDATED)
        is_late = wanted & (batch.days >= self._chosen.day)
        self._n_late += int(is_late.sum())
        self._n_early += int(wanted.sum() - is_late.sum())
        self._late_ids += [batch.posts[row].post.post_id for row in np.flatnonzero(is_late).tolist()]
        self._count_common(words, wanted & ~is_late)
        covered = _covered(batch, words, evidence)
        for length in LENGTHS:
            posts, keys, first = placed_phrases(words, length)
            kept = wanted[posts]
            posts, keys, first = posts[kept], keys[kept], first[kept]
            self._n_frequent += len(self._sketch.add(once_a_post(posts, keys)[1], self._options.least_posts))
            known, rows = self._rows(keys)
            self._ends[rows, 0], self._ends[rows, 1] = (
                words.keys[first[known] + place] for place in (0, length - 1)
            )
            self._count((posts[known], rows, first[known], length), is_late, (batch, words, covered))

    def found(self, codebook: Codebook | None) -> list[RisingPhrase]:
        """Return the rising phrases that neither a tag nor a cue explains, the clearest rise first."""
        late, early, n, m = self._late, self._early, self._n_late, self._n_early
        asked = np.flatnonzero(late >= self._options.least_posts)
        if not len(asked) or not m:
            return []
        p = hypergeom.sf(late[asked] - 1, n + m, late[asked] + early[asked], n)
        adjusted = false_discovery(p, max(self._n_frequent, len(asked)))
        z = rise(late[asked], n, early[asked], m)
        unexplained = 1 - self._explained[asked] / late[asked]
        rising = (adjusted < self._options.alpha) & (z > 0) & (unexplained >= self._options.unexplained)
        common = self._chosen.common[self._n_common >= COMMON * m]
        rising &= ~np.isin(self._ends[asked], common).any(axis=1)
        order = sorted(np.flatnonzero(rising).tolist(), key=lambda row: (-z[row], int(asked[row])))
        order = order[:_MOST_RISING]
        cues = cue_pattern([] if codebook is None else [cue for tag in codebook.tags for cue in tag.cues])
        chosen: list[RisingPhrase] = []
        for row, same in self._different(asked, order):
            number = int(asked[row])
            phrase = passage([self._forms[int(asked[each])] for each in same])
            if cues.search(phrase):
                continue
            chosen.append(
                RisingPhrase(
                    phrase=phrase,
                    n_late=int(late[number]),
                    n_early=int(early[number]),
                    late_share=int(late[number]) / n,
                    early_share=int(early[number]) / m,
                    z=float(z[row]),
                    p=float(adjusted[row]),
                    unexplained=float(unexplained[row]),
                    post_ids=tuple(self._late_ids[place] for place in self._found_in(number)[:_SHOWN]),
                )
            )
            if len(chosen) == self._options.limit:
                break
        return chosen

    def _different(self, asked: Ints, order: list[int]) -> Iterator[tuple[int, list[int]]]:
        """Yield rows in order, each with all that stand in the same posts and are told with it, the first included."""
        sets = {row: set(self._found_in(int(asked[row]))) for row in order}
        done: set[int] = set()
        for place, row in enumerate(order):
            if row not in done:
                same = [
                    other
                    for other in order[place:]
                    if other not in done
                    and len(sets[row] & sets[other]) >= _SAME_POSTS * len(sets[row] | sets[other])
                ]
                done.update(same)
                yield row, same

    def _found_in(self, number: int) -> list[int]:
        found: list[int] = self._examples[number, : self._n_examples[number]].tolist()
        return found

    def _rows(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], Ints]:
        known = self._chosen.keys
        if not len(known):
            return np.zeros(len(keys), dtype=bool), np.zeros(0, dtype=np.int64)
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        hit = known[places] == keys
        return hit, places[hit]

    def _count_common(self, words: Worded, is_early: npt.NDArray[np.bool_]) -> None:
        asked = is_early[words.post_of] & np.isin(words.keys, self._chosen.common)
        _, keys = once_a_post(words.post_of[asked], words.keys[asked])
        np.add.at(self._n_common, np.searchsorted(self._chosen.common, keys), 1)

    def _count(
        self,
        places: tuple[Ints, Ints, Ints, int],
        is_late: npt.NDArray[np.bool_],
        source: tuple[TaggedBatch, Worded, npt.NDArray[np.bool_]],
    ) -> None:
        posts, rows, first, length = places
        batch, words, covered = source
        inside: npt.NDArray[np.bool_] = covered[first] & covered[first + length - 1]
        order = np.lexsort((inside, rows, posts))  # a place outside of evidence comes first
        posts, rows, first, inside = posts[order], rows[order], first[order], inside[order]
        new = np.ones(len(posts), dtype=bool)
        new[1:] = (posts[1:] != posts[:-1]) | (rows[1:] != rows[:-1])
        posts, rows, first, inside = posts[new], rows[new], first[new], inside[new]
        late = is_late[posts]
        np.add.at(self._early, rows[~late], 1)
        np.add.at(self._late, rows[late], 1)
        np.add.at(self._explained, rows[late & inside], 1)
        ids = len(self._late_ids) - int(is_late.sum()) + np.cumsum(is_late) - 1
        late &= self._n_examples[rows] < _EXAMPLES  # most phrases soon have enough
        for post, row, word in zip(
            posts[late].tolist(), rows[late].tolist(), first[late].tolist(), strict=True
        ):
            place = self._n_examples[row]
            if place == _EXAMPLES:
                continue
            self._examples[row, place] = ids[post]
            self._n_examples[row] += 1
            if not self._forms[row]:
                form = batch.posts[post].post.text[words.starts[word] : words.ends[word + length - 1]]
                self._forms[row] = " ".join(form.split())


def rise(late: Ints, n_late: int, early: Ints, n_early: int) -> Floats:
    """Return how much more frequent phrases have become, in standard deviations of the log-odds ratio, shape (n,)."""
    prior = _PRIOR_POSTS * (late + early) / (n_late + n_early)
    odds = [
        np.log((count + prior) / np.maximum(n + _PRIOR_POSTS - count - prior, 0.5))
        for count, n in ((late, n_late), (early, n_early))
    ]
    found: Floats = (odds[0] - odds[1]) / np.sqrt(1 / (late + prior) + 1 / (early + prior))
    return found


def passage(forms: list[str]) -> str:
    """Return the first of some phrases, grown on both sides by those that overlap with it, up to 12 words."""
    words, *others = [form.split() for form in forms]
    grown = True
    while grown and len(words) < _LONGEST:
        grown = False
        for other in others:
            for shared in range(len(other) - 1, min(2, len(other) - 1) - 1, -1):
                if words[-shared:] == other[:shared]:
                    words, grown = words + other[shared:], True
                    break
                if words[:shared] == other[-shared:]:
                    words, grown = other[:-shared] + words, True
                    break
    return " ".join(words)


def _covered(
    batch: TaggedBatch, words: Worded, evidence: dict[int, EvidenceByTag] | None
) -> npt.NDArray[np.bool_]:
    """Tell which words lie in evidence; without any, which posts bear a tag. Shape (n_words,)."""
    if evidence is None:
        return np.asarray(np.any(batch.yes, axis=1))[words.post_of]
    bounds = np.searchsorted(words.post_of, np.arange(words.n_posts + 1))
    found = np.zeros(len(words.keys), dtype=bool)
    for row, by_tag in evidence.items():
        here = slice(int(bounds[row]), int(bounds[row + 1]))
        for shown in by_tag.values():
            for each in shown:
                found[here] |= (words.starts[here] < each.end) & (words.ends[here] > each.start)
    return found
