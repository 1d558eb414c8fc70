"""The bodies of ``/v1/queue``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from service.schemas import Moment, StrictRequest, Text

# Languages differ in what is white space: what any of them takes for it is none of a text's content.
_NOT_BLANK = r"[^\s\x1c-\x1f\x85\ufeff]"


class NewPost(StrictRequest):
    """A post that the ledger may not have yet."""

    text: Text = Field(min_length=1, pattern=_NOT_BLANK, description="The post, not only of blanks.")
    channel: Text | None = Field(
        default=None, min_length=1, max_length=128, description="Where it was posted; by default `api`."
    )
    message_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")] | None = Field(
        default=None,
        description="Its number there. Without one, the post is known by its text.",
    )
    date: Moment | None = Field(default=None, description="When it was posted (RFC 3339).")


class QueueRequest(StrictRequest):
    """Posts to annotate: new ones, or posts of the ledger by their ids, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"posts": [{"text": "A multipolar world is taking shape.", "channel": "calverra"}]}],
            "anyOf": [{"required": ["posts"]}, {"required": ["post_ids"]}],
        }
    )

    posts: list[NewPost] = Field(default_factory=list, min_length=1)
    post_ids: list[Annotated[Text, Field(min_length=1, max_length=300)]] = Field(
        default_factory=list, min_length=1, description="Ids like `CHANNEL/NUMBER`."
    )


class QueuedPostOut(BaseModel):
    """A post to annotate."""

    post_id: str
    outcome: str = Field(
        description="What storing it was: `new`, `edited`, `unchanged`, `duplicate` (the text of another post), or "
        "`known` where it was named by its id.",
        examples=["new"],
    )
    state: str = Field(
        description="`stored`: not in Label Studio yet; `sent`; `annotated`; `erased` since, on request.",
        examples=["stored"],
    )


class QueueResponse(BaseModel):
    """Posts that are stored and will be annotated, in the order of the request: new ones first, then those by id."""

    ticket: str = Field(description="For `GET /v1/queue/{ticket}`.", pattern="^[0-9a-f]{32}$")
    posts: list[QueuedPostOut]
