"""What a report tells: everything that is known of a project, and why the rest is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from annotations.agreement import AgreementReport
from annotations.codebook import Codebook
from annotations.records import Annotation
from classifiers.curves import Unseen
from classifiers.diagnostics import Diagnostics
from classifiers.drift import Drift
from classifiers.manifest import Manifest
from classifiers.prevalence.figures import PrevalenceReport
from classifiers.thresholds import TagRule
from classifiers.trends import Trends

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Counts:
    """Posts by channel, month (``2026-01``) and language; ``unknown`` for those of which it is not known.

    ``first_day`` and ``last_day`` are ISO 8601, empty where no post has a date.
    """

    n_posts: int
    by_channel: Mapping[str, int]
    by_month: Mapping[str, int]
    by_language: Mapping[str, int]
    first_day: str = ""
    last_day: str = ""

    @property
    def n_undated(self) -> int:
        """Posts without a date."""
        return self.by_month.get(UNKNOWN, 0)


@dataclass(frozen=True, slots=True)
class ModelPart:
    """The model that gave the tags; ``unseen`` are its training posts, scored by models that had not seen them."""

    version: str
    manifest: Manifest | None = None
    rules: tuple[TagRule, ...] = ()
    unseen: Unseen | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A passage that stands for a tag, with the words around it; ``said_by`` is ``model`` or ``people``."""

    tag: str
    post_id: str
    channel: str
    date: str
    before: str
    quote: str
    after: str
    lang: str | None
    said_by: str
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a report tells.

    Attributes
    ----------
    made_at
        When it was made, ISO 8601 in UTC.
    ledger
        What is in the ledger: posts, duplicates, near-duplicates, imports, refused messages.
    missing
        For a part that is not there, why, and what to do.
    program
        The version of the program.
    """

    made_at: str
    program: str
    codebook: Codebook
    ledger: Mapping[str, int]
    counts: Counts
    annotations: tuple[Annotation, ...] = ()
    agreement: AgreementReport | None = None
    model: ModelPart | None = None
    shares: PrevalenceReport | None = None
    trends: Trends | None = None
    drift: Drift | None = None
    diagnostics: Diagnostics | None = None
    examples: tuple[Example, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)

    def title(self, tag: str) -> str:
        """Return the title of a tag, or its id where the codebook does not have it."""
        known = {each.id: each.title for each in self.codebook.tags}
        return known.get(tag, tag)
