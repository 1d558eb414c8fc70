"""The JSON files of a model bundle, as checked records: nothing unknown, nothing infinite, nothing out of bounds."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

PROTOCOL: Final = 3
"""The version of the bundle's format; raised by any change that an older reader would misread."""
CARD: Final = "card.md"
DATASET_CARD: Final = "dataset.md"
OUT_OF_FOLD: Final = "out-of-fold.json"
PLOTS: Final = tuple(
    f"plot.{name}.svg"
    for name in ("precision-recall", "reliability", "thresholds", "confusions", "learning-curve")
)

_Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class BlockEntry(_Record):
    """A block of terms, which are in ``vocabulary.<kind>.json``; their idf is in ``weights.npz``."""

    kind: Literal["stems", "grams"]
    n_terms: Annotated[int, Field(ge=0, le=5_000_000)]


class ModelEntry(_Record):
    """The shape of the scoring function.

    ``views`` are those in use, in order, with their weights in ``weights.npz``; ``tags`` are the predicted
    ones, in the order of the weights' columns; ``languages`` those that words are stemmed by.
    """

    blocks: Annotated[list[BlockEntry], Field(min_length=2, max_length=2)]
    views: Annotated[list[Literal["documents", "sentences", "centroids"]], Field(min_length=1, max_length=3)]
    tags: Annotated[list[str], Field(min_length=1, max_length=2000)]
    languages: Annotated[list[_Language], Field(max_length=100)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if [block.kind for block in self.blocks] != ["stems", "grams"]:
            raise ValueError("the blocks are the stems and then the grams")
        return self


class FileEntry(_Record):
    """A file of the bundle: its SHA-256 and its size in bytes."""

    sha256: _Digest
    size: Annotated[int, Field(ge=0)]


class Manifest(_Record):
    """``manifest.json``: ``digest`` covers everything in it but ``created``, ``documents`` and itself.

    ``files`` are what the model computes with; ``documents`` are for people and comparisons.
    """

    protocol: Literal[3]
    created: str
    digest: _Digest
    versions: dict[str, str]
    codebook_version: str
    codebook_digest: str
    dataset_digest: str
    training: dict[str, JsonValue]
    options: dict[str, JsonValue]
    metrics: dict[str, JsonValue]
    model: ModelEntry
    files: dict[str, FileEntry]
    documents: dict[str, FileEntry]

    @model_validator(mode="after")
    def _known_documents(self) -> Self:
        if CARD not in self.documents:
            raise ValueError(f"{CARD!r} is missing from the documents")
        if odd := sorted(set(self.documents) - {CARD, DATASET_CARD, OUT_OF_FOLD, *PLOTS}):
            raise ValueError(f"{odd[0]!r} must not be among the documents")
        return self

    def content_digest(self) -> str:
        """Return the SHA-256 over the canonical JSON of what ``digest`` covers."""
        content = self.model_dump(mode="json", exclude={"created", "documents", "digest"})
        return hashlib.sha256(
            json.dumps(content, sort_keys=True, allow_nan=False).encode("utf-8")
        ).hexdigest()

    @property
    def version(self) -> str:
        """The model's version: the first 12 digits of the digest."""
        return self.digest[:12]


class RuleEntry(_Record):
    """A tag's rule, see :class:`classifiers.thresholds.TagRule`."""

    tag_id: str
    prevalence: Annotated[float, Field(ge=0, le=1)]
    support: Annotated[float, Field(ge=0)]
    threshold: Annotated[float, Field(gt=0, lt=1)] | None
    abstain_margin: Annotated[float, Field(ge=0, le=1)]
    reason: str


class Thresholds(_Record):
    """``thresholds.json``."""

    tags: list[RuleEntry]
