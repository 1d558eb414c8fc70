"""A trained model: the scoring function, the rule of every tag, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotations.codebook import Codebook
from classifiers.linear import LinearModel
from classifiers.thresholds import TagRule


@dataclass(frozen=True, slots=True)
class Model:
    """What a bundle holds.

    ``rules`` has one entry an active tag of the codebook, in its order; ``linear.tag_ids`` are those
    predicted.  ``options`` are the training options, ``metrics`` the out-of-fold figures of the training
    posts, ``training`` says how many posts there were; all three JSON-able.
    """

    codebook: Codebook
    linear: LinearModel
    rules: tuple[TagRule, ...]
    dataset_digest: str
    options: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
