"""The records that pass between modules: posts, spans and human annotations.

All offsets are Unicode code points, half-open: ``text[start:end]`` is the quote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


def text_digest(text: str) -> str:
    """Return the digest that names a revision: 16 hex digits of SHA-256 over the UTF-8 text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of code points, ``0 <= start < end``."""

    start: int
    end: int

    def quote(self, text: str) -> str:
        """Return the characters of ``text`` that the span covers."""
        return text[self.start : self.end]

    def fits(self, text: str) -> bool:
        """Tell whether the span is non-empty and lies inside ``text``."""
        return 0 <= self.start < self.end <= len(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post of a channel, with the text as it is tagged (``text``) and as it was received (``raw``).

    ``message_id`` is None for sources without ids (a text dump); such a post is known by its text.
    ``date`` and ``edited_at`` are timezone-aware UTC or None: nothing like a date is ever made up.
    """

    channel: str
    text: str
    message_id: str | None = None
    raw: str | None = None
    date: datetime | None = None
    edited_at: datetime | None = None
    lang: str | None = None
    forwarded_from: str | None = None
    reply_to: str | None = None
    hashtags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    views: int | None = None
    forwards: int | None = None
    reactions: Mapping[str, int] = field(default_factory=dict)

    @property
    def post_id(self) -> str:
        """``<channel>/<message_id>``, or ``<channel>/<digest of the text>`` where there is no message id."""
        return f"{self.channel}/{self.message_id or self.revision}"

    @property
    def revision(self) -> str:
        """The digest of the text: an edit makes another revision of the same post."""
        return text_digest(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One person's reading of one revision of a post.

    ``tags`` maps a tag id to its evidence spans, sorted; an empty tuple is a tag without evidence, an empty
    mapping on an annotation that is not ``skipped`` means "read, and no tag applies".
    ``origin`` says, per tag, whether it was ticked by hand (``manual``) or taken over (``prediction``).
    ``lead_time`` is in seconds.
    """

    post_id: str
    annotator: str
    text: str
    tags: Mapping[str, tuple[Span, ...]]
    date: datetime | None = None
    skipped: bool = False
    flags: tuple[str, ...] = ()
    comment: str = ""
    revision: str = ""
    codebook: str | None = None
    lead_time: float | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
