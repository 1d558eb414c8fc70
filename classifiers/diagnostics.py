"""What is wrong with a codebook, as far as annotations and a model can tell.

Tags that people confuse, pairs of which one implies or excludes the other, tags that nobody gives, tags that a model
cannot learn yet and what they would need.  A finding is a question to the codebook, not a verdict: two tags that are
confused may lack a rule, and one that implies the other may be its part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotations.agreement.readings import latest, readings_of
from annotations.codebook import Codebook
from annotations.records import Annotation
from classifiers.bundle_documents import OutOfFold
from classifiers.dataset import Dataset, is_usable
from classifiers.diagnostics_learning import Prospect, learnt_tags, prospects
from classifiers.diagnostics_pairs import (
    Confusion,
    Exclusion,
    Implication,
    confusions,
    exclusions,
    implications,
)
from classifiers.thresholds import ThresholdOptions
from classifiers.trends.intervals import wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """A tag that no annotator gave to any of ``n_posts`` posts; it may be of up to ``share_high`` of such posts.

    ``share_high`` is the upper end of the 95 % Wilson interval.
    """

    tag: str
    n_posts: int
    share_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticOptions:
    """What counts: the average precision wanted, the least positives of a predicted tag, and a seed."""

    wanted_precision: float = 0.8
    least_positives: float = ThresholdOptions().min_support
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """The findings; ``n_posts`` labelled posts, ``n_double`` of them read by two or more."""

    n_posts: int
    n_double: int
    confusions: tuple[Confusion, ...]
    implications: tuple[Implication, ...]
    exclusions: tuple[Exclusion, ...]
    unused: tuple[Unused, ...]
    prospects: tuple[Prospect, ...]


def diagnose(
    annotations: Sequence[Annotation],
    codebook: Codebook,
    out_of_fold: OutOfFold | None = None,
    options: DiagnosticOptions | None = None,
) -> Diagnostics:
    """Look for what is wrong with a codebook.

    Parameters
    ----------
    out_of_fold
        The scores of the posts that the model in use was trained on, for what it has learnt.

    Raises
    ------
    DatasetError
        There is nothing to learn from, or labels of different codebooks.
    """
    options = options or DiagnosticOptions()
    dataset = Dataset.from_annotations(annotations, codebook)
    readings = latest(readings_of(each for each in annotations if is_usable(each)))
    learnt = learnt_tags(dataset, out_of_fold)
    n = len(dataset)
    unused = [
        tag for tag, share in zip(dataset.tag_ids, dataset.shares.sum(axis=0), strict=True) if not share
    ]
    return Diagnostics(
        n_posts=n,
        n_double=int((dataset.n_annotators > 1).sum()),
        confusions=tuple(confusions(readings, codebook.tag_ids, options.seed)),
        implications=tuple(implications(dataset.gold, codebook)),
        exclusions=tuple(exclusions(dataset.gold, codebook.tag_ids)),
        unused=tuple(Unused(tag=tag, n_posts=n, share_high=float(wilson(0, n)[1])) for tag in unused),
        prospects=tuple(prospects(dataset, learnt, options.wanted_precision, options.least_positives)),
    )
