"""The results of measuring agreement, and their form as JSON-able data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; None where it is not defined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


def flat(record: Any) -> dict[str, Any]:
    """Return a record's fields; an estimate becomes ``name``, ``name_low`` and ``name_high``."""
    content: dict[str, Any] = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if isinstance(value, Estimate):
            content |= {
                each.name: value.value,
                f"{each.name}_low": value.low,
                f"{each.name}_high": value.high,
            }
        else:
            content[each.name] = value
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class TagAgreement:
    """Agreement on one tag, over the posts that two or more annotators read.

    Attributes
    ----------
    percent
        The share of annotator pairs that agree.
    alpha, ac1
        Krippendorff's alpha (nominal) and Gwet's AC1.
    kappa
        Cohen's kappa, the mean over pairs of annotators weighted by the posts they share.
    positive, negative
        Specific agreement: how likely another annotator gives the tag where one does, and leaves it where one does.
    prevalence
        The share of readings that bear the tag.
    n_positive, n_posts
        Annotations that bear the tag, and posts that two or more annotators read.
    note
        Why a figure is not defined; empty where all are.
    """

    percent: Estimate = Estimate()
    alpha: Estimate = Estimate()
    ac1: Estimate = Estimate()
    kappa: Estimate = Estimate()
    positive: Estimate = Estimate()
    negative: Estimate = Estimate()
    prevalence: Estimate = Estimate()
    n_positive: int = 0
    n_posts: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAgreement:
    """Cohen's kappa of two annotators, a tag; ``n_posts`` is what both have read."""

    annotators: tuple[str, str]
    n_posts: int
    kappa: Estimate
    tags: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFigures:
    """Agreement on the words marked for one label.

    Attributes
    ----------
    f1
        Token-level F1 between pairs of annotators who both gave the tag and marked words for it.
    alpha
        Krippendorff's alpha for unitizing, on characters, over all posts; an annotator who gave the tag and marked
        nothing for it is missing.
    n_spans, n_posts
        Spans marked, and posts with two or more annotators in which somebody marked one.
    """

    f1: Estimate
    alpha: Estimate
    n_spans: int
    n_posts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorFigures:
    """One annotator's work.

    Attributes
    ----------
    n_posts, n_skipped, n_shared
        Posts read, posts skipped, posts that somebody else has read as well.
    tags_per_post
        The mean number of tags given.
    median_seconds, hours
        Time by post, and in all, over the annotations that say how long they took.
    agreement
        With the rest: 1 - (mean MASI distance to the others on the same posts) / (the distance expected by chance).
    """

    n_posts: int
    n_skipped: int
    n_shared: int
    tags_per_post: float | None
    median_seconds: float | None
    hours: float | None
    agreement: Estimate


@dataclass(frozen=True, slots=True)
class GroupAgreement:
    """Agreement on the tags over some of the posts: a tag, and the means over the tags for which it is defined."""

    tags: dict[str, TagAgreement]
    overall: TagAgreement
    masi_alpha: Estimate = Estimate()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON-able data; ``overall`` also has the alpha over whole posts."""
        masi = {"masi_alpha": self.masi_alpha.value, "masi_alpha_low": self.masi_alpha.low}
        return {
            "tags": {tag: flat(figures) for tag, figures in self.tags.items()},
            "overall": flat(self.overall) | masi | {"masi_alpha_high": self.masi_alpha.high},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementReport:
    """Everything that is said of agreement.

    Attributes
    ----------
    everything
        Over all posts that two or more annotators read; no tags where there is no such post.
    assisted, blind
        The same over the posts for which an annotator was shown a suggestion, and over the others; None where
        there are only posts of one kind.
    evidence
        By label.
    cu_alpha
        Krippendorff's alpha for the coding of the words that both of a pair marked, whatever the boundaries.
    problems
        What stands in the way of measuring.
    """

    everything: GroupAgreement
    assisted: GroupAgreement | None = None
    blind: GroupAgreement | None = None
    pairs: tuple[PairAgreement, ...] = ()
    evidence: Mapping[str, EvidenceFigures] = field(default_factory=dict)
    cu_alpha: Estimate = Estimate()
    annotators: Mapping[str, AnnotatorFigures] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def tags(self) -> dict[str, TagAgreement]:
        """Agreement on each tag over all posts."""
        return self.everything.tags

    @property
    def overall(self) -> TagAgreement:
        """The means over the tags, over all posts."""
        return self.everything.overall

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able data."""
        content = self.everything.to_dict()
        content["evidence"] = {
            "labels": {label: flat(figures) for label, figures in self.evidence.items()},
            "cu_alpha": self.cu_alpha.value,
            "cu_alpha_low": self.cu_alpha.low,
            "cu_alpha_high": self.cu_alpha.high,
        }
        content["assisted"] = self.assisted.to_dict() if self.assisted else None
        content["blind"] = self.blind.to_dict() if self.blind else None
        content["pairs"] = [
            flat(pair) | {"tags": {tag: _kappa(estimate) for tag, estimate in pair.tags.items()}}
            for pair in self.pairs
        ]
        content["annotators"] = {name: flat(figures) for name, figures in self.annotators.items()}
        return content | {"problems": list(self.problems)}


def _kappa(estimate: Estimate) -> dict[str, float | None]:
    return {"kappa": estimate.value, "kappa_low": estimate.low, "kappa_high": estimate.high}
