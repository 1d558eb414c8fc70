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

from classifiers.languages import identify, main_languages, stem, stemming_language
from classifiers.tokens import is_word, tokenise

Terms = tuple[str, ...]

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
    """A post as people tagged it; ``shares`` are those of the tags that anybody ticked."""

    post_id: str
    date: datetime | None
    text: str
    shares: Mapping[str, float]
    n_annotators: int


class Memo:
    """Remembers of texts what is slow to find out, from one index to the next: their languages and stems."""

    def __init__(self) -> None:
        self._identified: dict[str, str | None] = {}
        self._terms: dict[tuple[str, str], Terms] = {}

    def stems(self, texts: Sequence[str]) -> tuple[tuple[str, ...], list[Terms]]:
        """Return the languages of some texts, and the stems of each; other texts are forgotten."""
        self._identified = {
            text: self._identified[text] if text in self._identified else identify(text[:_LONGEST])
            for text in texts
        }
        languages = main_languages(self._identified[text] for text in texts)
        known, self._terms = self._terms, {}
        found = []
        for text in texts:
            key = (text, stemming_language(text[:_LONGEST], self._identified[text], languages))
            terms = self._terms.get(key) or known.get(key) or terms_of(*key)
            self._terms[key] = terms
            found.append(terms)
        return languages, found


class SimilarIndex:
    """An immutable index of tagged posts; safe to share between threads.

    Parameters
    ----------
    posts
        The posts.
    tags
        Title and family of every tag of the codebook, in its order; others are not shown.
    memo
        What is known of texts from the index before.
    """

    def __init__(
        self, posts: Sequence[TaggedPost], tags: Mapping[str, tuple[str, str]], memo: Memo | None = None
    ) -> None:
        self._tags = tags
        self._languages, stems = (memo or Memo()).stems([post.text for post in posts])
        self._posts = [post for post, terms in zip(posts, stems, strict=True) if terms]
        self._vectorizer = TfidfVectorizer(analyzer=_as_given, sublinear_tf=True, dtype=np.float32)
        rows = self._vectorizer.fit_transform(filter(None, stems)) if self._posts else None
        self._rows: Any = rows

    def __len__(self) -> int:
        return len(self._posts)

    def nearest(self, text: str, n: int, tags: Collection[str] | None = None) -> list[SimilarPost]:
        """Return at most ``n`` posts that are most like ``text``, the most similar first.

        With ``tags``, only posts that people gave at least one of them.
        """
        if self._rows is None:
            return []
        seen = text[:_LONGEST]
        terms = terms_of(seen, stemming_language(seen, identify(seen), self._languages))
        scores = np.asarray((self._rows @ self._vectorizer.transform([terms]).T).todense()).ravel()
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


def terms_of(text: str, language: str) -> Terms:
    """Return the stems of a text's words, in order."""
    return tuple(stem(token.form, language) for token in tokenise(text[:_LONGEST]) if is_word(token.form))


def excerpt(text: str) -> str:
    """Return the beginning of a text, cut between words, with an ellipsis where something follows."""
    plain = " ".join(text[: 4 * _EXCERPT].split())
    if len(plain) <= _EXCERPT:
        return plain if len(text) <= 4 * _EXCERPT else f"{plain} …"
    cut = plain[:_EXCERPT].rsplit(" ", 1)[0]
    return f"{cut} …"


def _as_given(terms: Terms) -> Terms:
    return terms
