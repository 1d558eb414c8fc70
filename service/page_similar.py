"""What the page needs of a search for similar posts (the port); where there is none, nothing is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SimilarPost:
    """A post that people have tagged; ``score`` is its likeness, 0 to 1, ``tags`` the ids that people gave it."""

    post_id: str
    date: str | None
    excerpt: str
    score: float
    tags: tuple[str, ...]


class SimilarPosts(Protocol):
    """Finds posts that people have tagged. It may be called from several threads at once."""

    def nearest(self, text: str, n: int) -> Sequence[SimilarPost]:
        """Return at most ``n`` posts, the most alike first.

        Raises
        ------
        TalkingPointsError
            They cannot be looked for now.
        """
