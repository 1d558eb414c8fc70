"""What a model says about a post."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Decision(StrEnum):
    """The verdict on a tag: ``abstain`` where the score is too near the threshold or the tag is not predicted."""

    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


DECISIONS = (Decision.NO, Decision.YES, Decision.ABSTAIN)
"""What the numbers stand for where decisions are held in arrays."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that speaks for a tag: ``text[start:end]`` (code points of the text as it was given), and its weight.

    ``weight`` is how strongly it speaks for the tag: the mean of the views' scores of the sentence by itself,
    in standard deviations above the average training sentence.  It ranks passages; weights do not add up to
    the score.
    """

    start: int
    end: int
    text: str
    weight: float


class TagPrediction(NamedTuple):
    """A tag's calibrated probability, its threshold, the decision and the evidence.

    ``score`` and ``threshold`` are None for a tag that the model does not predict; ``reason`` then says why.
    """

    tag_id: str
    score: float | None
    threshold: float | None
    decision: Decision
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's tags for one text, in the codebook's order; ``lang`` (ISO 639-1) is None where it cannot be told."""

    model_version: str
    codebook: str
    tags: tuple[TagPrediction, ...]
    lang: str | None = None

    def decided(self, decision: Decision) -> tuple[TagPrediction, ...]:
        """Return the tags with this decision."""
        return tuple(tag for tag in self.tags if tag.decision is decision)
