"""Posts like the one on the page that people have tagged, as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from service import similar

_MAJORITY = 0.5


@dataclass(frozen=True, slots=True)
class SimilarPost:
    """A post that people have tagged; ``score`` is its likeness, 0 to 1, ``tags`` those that half of them gave it."""

    post_id: str
    date: str | None
    excerpt: str
    score: float
    tags: tuple[str, ...]


def as_shown(found: similar.SimilarPost) -> SimilarPost:
    """Return a found post as the page shows it."""
    return SimilarPost(
        found.post_id,
        found.date.isoformat() if found.date else None,
        found.excerpt,
        found.score,
        tuple(tag.tag_id for tag in found.tags if tag.share >= _MAJORITY),
    )
