"""The phrases that are frequent enough of late to be asked about: found in the late posts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import numpy as np

from annotations.ledger.posts import latest_date, posts_since
from annotations.ledger.store import Ledger
from classifiers.drift.sketch import Sketch
from classifiers.drift.words import once_a_post, placed_phrases
from classifiers.trends.corpus import BATCH, day_of
from classifiers.wording import Keys, Wording

LENGTHS = (4, 3, 2)
"""Words in a phrase."""

COMMON = 0.1
"""The share of posts from which on a word is no end of a phrase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseOptions:
    """What a rising phrase is.

    ``since`` is the first day of the late posts, by default 30 days before the last post; ``least_posts`` late posts
    must have the phrase, at least ``unexplained`` of them outside of all evidence.
    """

    since: date | None = None
    least_posts: int = 5
    alpha: float = 0.05
    unexplained: float = 0.5
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Candidates:
    """The phrases frequent enough since ``day``, and the stems that many posts have since then: both ascending."""

    day: int
    keys: Keys
    common: Keys


def first_day(ledger: Ledger, since: date | None) -> date | None:
    """Return the first day of the late posts; None where no post has a date."""
    if since is not None:
        return since
    last = latest_date(ledger)
    return None if last is None else (last.astimezone(UTC) - timedelta(days=30)).date()


def candidates(ledger: Ledger, since: date, wording: Wording, options: PhraseOptions) -> Candidates:
    """Find the phrases that enough late posts have; the posts before are not read."""
    sketch, stems, n_posts = Sketch(), Counter[int](), 0
    found: list[Keys] = [np.zeros(0, dtype=np.uint64)]
    moment = datetime(since.year, since.month, since.day, tzinfo=UTC)
    for texts in _late_texts(ledger, moment):
        words = wording.words(texts, wording.identified(texts))
        n_posts += words.n_posts
        by_post = np.unique(np.stack([words.post_of.astype(np.uint64), words.keys]), axis=1)[1]
        stems.update(by_post.tolist())
        for length in LENGTHS:
            found.append(sketch.add(once_a_post(*placed_phrases(words, length)[:2])[1], options.least_posts))
    most = max(COMMON * n_posts, options.least_posts)
    common = sorted(stem for stem, count in stems.items() if count >= most)
    return Candidates(day_of(moment), np.unique(np.concatenate(found)), np.array(common, dtype=np.uint64))


def _late_texts(ledger: Ledger, since: datetime) -> Iterator[list[str]]:
    met: set[str] = set()
    posts = posts_since(ledger, since)
    while batch := list(islice(posts, BATCH)):
        texts = []
        for stored in batch:
            if stored.cluster is None or stored.cluster not in met:
                texts.append(stored.post.text)
            met.add(stored.cluster or "")
        yield texts
