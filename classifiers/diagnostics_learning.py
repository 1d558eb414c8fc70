"""What tags need to be learnt: positive posts now, and how many more would do, by stated assumptions.

To be predicted at all a tag needs a least number of positive posts.  What it takes to reach a wanted average precision
is a rule of thumb: what is missing to 1 shrinks with the square root of the number of positive posts, so that four
times as many halve it (learning curves are power laws, ``learning_curve.py``; the exponent of 0.5 is an assumption, and
tags differ).  ``talkingpoints learning-curve`` measures the curve of the mean over tags instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from classifiers.bundle_documents import OutOfFold
from classifiers.dataset import Dataset
from classifiers.metrics import average_precision
from classifiers.thresholds import ThresholdOptions
from classifiers.trends.intervals import wilson

EXPONENT = 0.5
"""The power of the number of positive posts with which what is missing to a precision of 1 shrinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """How far a tag is from being learnt.

    Attributes
    ----------
    positives, n_posts
        The sum of label shares (positive posts, where annotators agree), and all labelled posts.
    least_positives
        Positive posts below which the tag is not predicted.
    average_precision
        Out of fold by the model; None where the model does not predict it, or is not at hand.
    wanted
        The average precision wanted.
    more_positives, more_posts, more_posts_low, more_posts_high
        Positive posts still needed, and posts to be annotated for them if they are drawn at random and the tag stays as
        frequent; the interval is that of the frequency (Wilson). None where nothing
        can be said. 0: nothing is missing.
    state
        ``learnt``, ``weak`` (predicted, below the wanted precision), ``unknown`` (no model at hand that predicts it),
        ``refused`` (too few positives) or ``unused``.
    assumption
        What the numbers rest on.
    """

    tag: str
    positives: float
    n_posts: int
    least_positives: float
    average_precision: float | None
    wanted: float
    more_positives: int | None
    more_posts: int | None
    more_posts_low: int | None
    more_posts_high: int | None
    state: str
    assumption: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """The average precision of a tag, out of fold, and the positive posts that it was learnt from."""

    precision: float
    positives: float


def learnt_tags(dataset: Dataset, scores: OutOfFold | None) -> dict[str, Learnt]:
    """Return what a model has learnt of its tags, by the labelled posts that it was trained on."""
    if scores is None:
        return {}
    rows = [
        (row, scores.row_of[revision])
        for row, revision in enumerate(dataset.revisions)
        if revision in scores.row_of
    ]
    if not rows:
        return {}
    mine, theirs = (list(each) for each in zip(*rows, strict=True))
    found = {}
    for column, tag in enumerate(scores.tag_ids):
        if tag in dataset.tag_ids:
            at = dataset.tag_ids.index(tag)
            gold = dataset.gold[mine, at]
            if gold.any():
                precision = average_precision(gold, scores.log_odds[theirs, column])
                found[tag] = Learnt(precision, float(dataset.shares[mine, at].sum()))
    return found


def prospects(
    dataset: Dataset,
    learnt: Mapping[str, Learnt],
    wanted: float = 0.8,
    least: float = ThresholdOptions().min_support,
) -> list[Prospect]:
    """Say of every tag how far it is from being learnt: the farthest first.

    Parameters
    ----------
    learnt
        What a model has learnt, of the tags that it predicts.
    wanted
        The average precision wanted.
    least
        Positive posts below which a tag is not predicted.
    """
    support = dict(zip(dataset.tag_ids, dataset.shares.sum(axis=0).tolist(), strict=True))
    found = [
        _prospect(tag, (support[tag], len(dataset)), learnt.get(tag), (wanted, least))
        for tag in dataset.tag_ids
    ]
    order = {"unused": 0, "refused": 1, "unknown": 2, "weak": 3, "learnt": 4}
    return sorted(found, key=lambda each: (order[each.state], each.average_precision or 0.0, each.tag))


def _prospect(
    tag: str,
    seen: tuple[float, int],
    learnt: Learnt | None,
    aims: tuple[float, float],
) -> Prospect:
    positives, n_posts = seen
    wanted, least = aims
    more, assumption = _missing(positives, learnt, aims)
    precision = learnt.precision if learnt else None
    if positives == 0:
        state = "unused"
    elif positives < least:
        state = "refused"
    elif precision is None:
        state = "unknown"
    else:
        state = "learnt" if precision >= wanted else "weak"
    low, high = (float(end) for end in wilson(positives, n_posts))
    return Prospect(
        tag=tag,
        positives=round(positives, 2),
        n_posts=n_posts,
        least_positives=least,
        average_precision=precision,
        wanted=wanted,
        more_positives=more,
        more_posts=_posts_for(more, positives / n_posts),
        more_posts_low=_posts_for(more, high),
        more_posts_high=_posts_for(more, low),
        state=state,
        assumption=assumption,
    )


def _missing(positives: float, learnt: Learnt | None, aims: tuple[float, float]) -> tuple[int | None, str]:
    wanted, least = aims
    if positives < least:
        return int(np.ceil(least - positives)), f"until it is predicted at all: {least:g} positive posts"
    if learnt is None:
        return None, "no model at hand that predicts it: nothing is known of its precision"
    if learnt.precision >= wanted:
        return 0, "the wanted precision is reached on the training posts, out of fold"
    needed = learnt.positives * ((1 - learnt.precision) / (1 - wanted)) ** (1 / EXPONENT)
    if needed <= positives:
        return 0, "by the rule of thumb the labels there are now will do: train again"
    return (
        int(np.ceil(needed - positives)),
        "what is missing to a precision of 1 shrinks with the root of the positive posts (a rule of thumb)",
    )


def _posts_for(more: int | None, share: float) -> int | None:
    """Return how many random posts hold so many positive ones on average; None where that has no end."""
    if more is None:
        return None
    return int(np.ceil(more / share)) if share > 0 else (0 if more == 0 else None)
