"""Posts brought into the form in which they are recorded: digests, JSON, signatures. No database is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from annotations.ledger.store import json_text, timestamp
from annotations.records import Post
from annotations.signatures import signatures


class PreparedPost(NamedTuple):
    """A post as the ledger's columns hold it: times and JSON as text.

    ``details`` has the values of the columns of which another import of the same post may know more.
    """

    post_id: str
    channel: str
    message_id: str | None
    revision: str
    details: tuple[Any, ...]
    text: str
    raw: str | None
    edited_at: str | None
    signature: bytes


def prepare(batch: Sequence[Post]) -> list[PreparedPost]:
    """Bring posts into the form in which they are recorded."""
    alike = signatures([post.text for post in batch])
    return [_prepared(post, signature.tobytes()) for post, signature in zip(batch, alike, strict=True)]


def _prepared(post: Post, signature: bytes) -> PreparedPost:
    revision = post.revision
    return PreparedPost(
        post_id=f"{post.channel}/{post.message_id or revision}",
        channel=post.channel,
        message_id=post.message_id,
        revision=revision,
        details=(
            None if post.date is None else timestamp(post.date),
            post.lang,
            post.forwarded_from,
            post.reply_to,
            json_text(post.hashtags) if post.hashtags else "[]",
            json_text(post.links) if post.links else "[]",
            json_text(post.media) if post.media else "[]",
            json_text(post.reactions) if post.reactions else "{}",
            post.views,
            post.forwards,
        ),
        text=post.text,
        # JSON keeps what UTF-8 cannot; where cleaning changed nothing, the text is enough.
        raw=None if post.raw is None or post.raw == post.text else json_text(post.raw),
        edited_at=None if post.edited_at is None else timestamp(post.edited_at),
        signature=signature,
    )
