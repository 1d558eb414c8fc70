"""The bodies of ``POST /v1/similar``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.schemas import MAX_TAGS, StrictRequest, Text


def _whole(value: object) -> object:
    # To JSON, 3.0 is a whole number too.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Number = Annotated[int, Field(ge=1, le=50)]
_Whole = Annotated[_Number, BeforeValidator(_whole, json_schema_input_type=_Number)]


class SimilarRequest(StrictRequest):
    """A text to find tagged posts for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "A multipolar world is taking shape.", "n": 3}]}
    )

    text: Text = Field(min_length=1, description="The text that posts should be like.")
    n: _Whole = Field(default=10, description="At most so many posts.")
    tags: list[Text] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TAGS,
        description="Only posts that people gave at least one of these tags (ids); by default all.",
    )


class SimilarTagOut(BaseModel):
    """A tag that people gave to a post."""

    id: str
    title: str
    family: str
    share: float = Field(description="The share of the post's annotators who ticked it.", gt=0, le=1)


class SimilarPostOut(BaseModel):
    """A post that people have tagged."""

    post_id: str
    channel: str
    date: datetime | None = Field(description="When it was posted, where that is known.")
    excerpt: str = Field(description="The beginning of its text.")
    score: float = Field(description="1: the same words; near 0: hardly any in common.", ge=0, le=1)
    n_annotators: int = Field(description="How many people read it.", ge=1)
    tags: list[SimilarTagOut] = Field(description="In the codebook's order; empty: people gave it none.")


class SimilarResponse(BaseModel):
    """The posts most like the text, the most similar first."""

    codebook_version: str
    n_posts: int = Field(description="How many tagged posts were looked through.", ge=0)
    posts: list[SimilarPostOut]
