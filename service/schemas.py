"""The bodies of the HTTP API: what is accepted and what is answered."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from classifiers.predictions import Decision

MAX_ID_LENGTH = 200
MAX_TAGS = 1_000

# The forms of RFC 3339 that are in use; a number is not taken for a time.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _encodable(value: str) -> str:
    # JSON can spell half of a surrogate pair ("\ud800"), which is no character and which UTF-8 cannot hold.
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise PydanticCustomError(
                "string_surrogate",
                "The text holds half of a surrogate pair at character {position}",
                {"position": error.start},
            ) from error
    return value


def _rfc_3339(value: object) -> datetime:
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper())
            moment.astimezone(UTC)
            return moment
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("date_time", "The time must be like 2026-01-31T09:30:00Z (RFC 3339)")


Text = Annotated[str, AfterValidator(_encodable)]
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339, json_schema_input_type=AwareDatetime)]


class StrictRequest(BaseModel):
    """A body in which nothing is converted, and nothing unknown is passed over."""

    model_config = ConfigDict(strict=True, extra="forbid")


class PredictRequest(StrictRequest):
    """A post to tag."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "A multipolar world is taking shape.", "explain": True}]}
    )

    text: Text = Field(
        min_length=1, description="The post. Offsets in the answer are code points of this text."
    )
    id: Text | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_ID_LENGTH,
        description="Your name for the post; comes back as it is.",
    )
    date: Moment | None = Field(
        default=None, description="When it was posted (RFC 3339). Models of today do not use it."
    )
    explain: bool = Field(
        default=False, description="Whether to give the evidence: passages that speak for a tag."
    )
    tags: list[Text] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TAGS,
        description="Ids of the tags wanted; by default all of the codebook.",
    )


class BatchRequest(StrictRequest):
    """Posts to tag. ``explain`` and ``tags`` hold for every post that does not say otherwise."""

    posts: list[PredictRequest] = Field(min_length=1, description="The posts; the answer keeps their order.")
    explain: bool = Field(default=False, description="Whether to give evidence for every post.")
    tags: list[Text] | None = Field(
        default=None, min_length=1, max_length=MAX_TAGS, description="Ids of the tags wanted of every post."
    )


class EvidenceOut(BaseModel):
    """A passage that speaks for the tag: ``text[start:end]`` in code points."""

    start: int = Field(ge=0)
    end: int = Field(ge=1)
    text: str
    weight: float = Field(
        description="How strongly it speaks for the tag: standard deviations above the average sentence."
    )


class TagOut(BaseModel):
    """What the model says of one tag."""

    id: str
    title: str
    family: str
    score: float | None = Field(
        description="Calibrated probability, 0 to 1; null for a tag the model does not predict."
    )
    threshold: float | None = Field(description="The score from which the decision is yes.")
    decision: Decision
    reason: str | None = Field(description="Why the tag is not predicted, where it is not.")
    evidence: list[EvidenceOut] = Field(
        description="Strongest first or in the text's order; empty unless asked for."
    )


class PredictResponse(BaseModel):
    """The tags of one post, in the codebook's order."""

    id: str | None
    lang: str | None = Field(
        description="The language of the text (ISO 639-1, or 639-3 where that has none); null: it cannot be told."
    )
    model_version: str
    codebook_version: str
    tags: list[TagOut]


class BatchResponse(BaseModel):
    """One prediction a post, in the order of the request, all by one model version."""

    model_version: str
    codebook_version: str
    predictions: list[PredictResponse]


class ModelOut(BaseModel):
    """A model version."""

    version: str
    active: bool
    metrics: dict[str, Any] | None = Field(description="Measured at training; of the active model only.")


class ModelsResponse(BaseModel):
    """The models that could be served."""

    active: str | None = Field(description="The version that answers now; null: none.")
    models: list[ModelOut]


class ThresholdOut(BaseModel):
    """How a model decides one tag."""

    tag: str
    title: str
    threshold: float | None = Field(description="The score from which it says yes; null: not predicted.")
    abstain_margin: float = Field(description="Scores nearer than this to the threshold are left open.")
    prevalence: float = Field(description="The share of training posts with the tag.")
    support: float = Field(description="How many training posts had it (the sum of label shares).")
    reason: str | None = Field(description="Why the tag is not predicted, where it is not.")


class ModelDetail(BaseModel):
    """What is known of a model; null, or empty, where its bundle does not say."""

    version: str
    active: bool
    created: str | None = Field(description="When it was trained (ISO 8601).")
    codebook_version: str
    codebook_digest: str
    dataset_digest: str | None = Field(description="Names the labels that it was trained on.")
    training: dict[str, Any] = Field(description="How many posts, of which languages, and so on.")
    options: dict[str, Any] = Field(description="The options of the training.")
    metrics: dict[str, Any] = Field(description="What was measured on posts that the model had not seen.")
    thresholds: list[ThresholdOut]
    documents: list[str] = Field(description="The names of the card and the plots in its bundle.")


class ModelChanged(BaseModel):
    """Another model answers from now on, or still the same where it was in use already."""

    active: str
    previous: str | None = Field(description="The version that answered until now; null: none.")


class Health(BaseModel):
    """The process runs."""

    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """Posts can be tagged."""

    status: str = Field(examples=["ready"])
    model_version: str


class TagExamples(BaseModel):
    """Invented posts to which a tag applies, and to which it does not."""

    positive: list[str] = []
    negative: list[str] = []


class CodebookTag(BaseModel):
    """One tag and its rule."""

    id: str
    title: str
    definition: str
    include: list[str] = []
    exclude: list[str] = []
    examples: TagExamples = TagExamples()
    cues: list[str] = []
    parent: str | None = None
    hotkey: str | None = None
    color: str | None = None
    replaced_by: str | None = Field(default=None, description="The tag that stands for this retired one.")
    split_into: list[str] = Field(
        default=[], description="The tags between which this retired one is divided."
    )


class CodebookFamily(BaseModel):
    """Tags that are shown together."""

    id: str
    title: str
    description: str = ""
    tags: list[CodebookTag]


class CodebookResponse(BaseModel):
    """The codebook of the active model, in the shape of its YAML; what is empty may be left out."""

    version: str
    title: str
    digest: str = Field(description="16 hex digits over what the tags mean.")
    rules: list[str] = []
    families: list[CodebookFamily]
