"""Posts that people have tagged, by how like a text they are: cosines of weighted stems.

The index is made of what people said under the codebook in use, held in memory, and replaced whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from classifiers.languages import identify, stem, stemming_language
from classifiers.tokens import is_word, tokenise

_EXCERPT = 280
_LONGEST = 20_000  # characters of a text that are looked at
_LEAST = 0.02  # below this two texts have nothing in common but a common word


class SimilarTag(NamedTuple):
    """A tag that people gave: ``share`` of the ``n_annotators`` ticked it."""

    tag_id: str
    title: str
    family: str
    share: float


class SimilarPost(NamedTuple):
    """A tagged post like the text; ``score`` is from 0 (nothing in common) to 1 (the same words)."""

    post_id: str
    date: datetime | None
    excerpt: str
    score: float
    tags: tuple[SimilarTag, ...]
    channel: str
    n_annotators: int


@dataclass(frozen=True, slots=True)
class TaggedPost:
    """A post as people tagged it; ``terms`` are its stems, ``shares`` those of the tags that anybody ticked."""

    post_id: str
    date: datetime | None
    text: str
    terms: tuple[str, ...]
    shares: Mapping[str, float]
    n_annotators: int


class SimilarIndex:
    """An immutable index of tagged posts; safe to share between threads.

    Parameters
    ----------
    posts
        The posts.
    tags
        Title and family of every tag of the codebook, in its order; others are not shown.
    """

    def __init__(self, posts: Sequence[TaggedPost], tags: Mapping[str, tuple[str, str]]) -> None:
        self._tags = tags
        usable = [post for post in posts if post.terms]
        self._posts = usable
        self._vectorizer = TfidfVectorizer(analyzer=_as_given, sublinear_tf=True, dtype=np.float32)
        self._rows: Any = self._vectorizer.fit_transform(post.terms for post in usable) if usable else None

    def __len__(self) -> int:
        return len(self._posts)

    def nearest(self, text: str, n: int, tags: Collection[str] | None = None) -> list[SimilarPost]:
        """Return at most ``n`` posts that are most like ``text``, the most similar first.

        With ``tags``, only posts that people gave at least one of them.
        """
        if self._rows is None:
            return []
        scores = np.asarray((self._rows @ self._vectorizer.transform([terms_of(text)]).T).todense()).ravel()
        if tags is not None:
            wanted = frozenset(tags)
            scores[[not wanted & post.shares.keys() for post in self._posts]] = 0.0
        found = np.flatnonzero(scores >= _LEAST)
        # Of equals the earlier in the index comes first, whatever the sort does.
        order = found[np.lexsort((found, -scores[found]))][:n]
        return [self._shown(self._posts[row], float(scores[row])) for row in order]

    def _shown(self, post: TaggedPost, score: float) -> SimilarPost:
        return SimilarPost(
            post_id=post.post_id,
            date=post.date,
            excerpt=excerpt(post.text),
            score=round(min(1.0, score), 4),
            tags=tuple(
                SimilarTag(tag_id, title, family, post.shares[tag_id])
                for tag_id, (title, family) in self._tags.items()
                if tag_id in post.shares
            ),
            channel=post.post_id.rpartition("/")[0],
            n_annotators=post.n_annotators,
        )


def terms_of(text: str) -> tuple[str, ...]:
    """Return the stems of a text's words, in order."""
    seen = text[:_LONGEST]
    language = stemming_language(seen, identify(seen), ())
    return tuple(stem(token.form, language) for token in tokenise(seen) if is_word(token.form))


def excerpt(text: str) -> str:
    """Return the beginning of a text, cut between words, with an ellipsis where something follows."""
    plain = " ".join(text[: 4 * _EXCERPT].split())
    if len(plain) <= _EXCERPT:
        return plain if len(text) <= 4 * _EXCERPT else f"{plain} …"
    cut = plain[:_EXCERPT].rsplit(" ", 1)[0]
    return f"{cut} …"


def _as_given(terms: tuple[str, ...]) -> tuple[str, ...]:
    return terms
