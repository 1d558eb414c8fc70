"""Agreement on yes/no tags: coefficients for many tags and many resamples of the posts at once.

Shapes: ``yes`` is how many annotators gave each tag to each post, ``(n_posts, n_tags)``; ``raters`` how many read
the post, ``(n_posts,)``.  Results have one row a resample, ``(n_samples + 1, n_tags)``, the first row being the
estimate; NaN stands for "not defined".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotations.agreement.resampling import Floats, Resamples, ratio


@dataclass(frozen=True, slots=True)
class TagCoefficients:
    """The coefficients of all tags, each of shape ``(n_samples + 1, n_tags)``."""

    percent: Floats
    alpha: Floats
    ac1: Floats
    positive: Floats
    negative: Floats
    prevalence: Floats


def tag_coefficients(yes: Floats, raters: Floats, resamples: Resamples) -> TagCoefficients:
    """Return every coefficient of every tag; each post must have two raters or more.

    References
    ----------
    Positive and negative agreement: D. V. Cicchetti, A. R. Feinstein, "High agreement but low kappa: II", Journal
    of Clinical Epidemiology 43 (1990); for more than two annotators R. L. Spitzer, J. L. Fleiss (1974).
    """
    m = raters[:, None]
    no = m - yes
    positive_pairs = resamples.sums(yes * (yes - 1) / (m - 1))
    negative_pairs = resamples.sums(no * (no - 1) / (m - 1))
    return TagCoefficients(
        percent=percent_agreement(yes, raters, resamples),
        alpha=krippendorff_alpha(yes, raters, resamples),
        ac1=gwet_ac1(yes, raters, resamples),
        positive=ratio(positive_pairs, resamples.sums(yes)),
        negative=ratio(negative_pairs, resamples.sums(no)),
        prevalence=ratio(resamples.sums(yes / m), resamples.sums(np.ones_like(yes))),
    )


def percent_agreement(yes: Floats, raters: Floats, resamples: Resamples) -> Floats:
    """Return the mean over posts of the share of annotator pairs that agree; a post read once does not count."""
    m = raters[:, None]
    no = m - yes
    is_shared = np.broadcast_to(m > 1, yes.shape).astype(np.float64)
    agreeing = is_shared * (yes * (yes - 1) + no * (no - 1)) / np.maximum(m * (m - 1), 1)
    return ratio(resamples.sums(agreeing), resamples.sums(is_shared))


def krippendorff_alpha(yes: Floats, raters: Floats, resamples: Resamples) -> Floats:
    """Krippendorff's alpha, nominal; not defined where all values are the same. Each post needs two raters.

    References
    ----------
    K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D (nominal data).
    """
    m = raters[:, None]
    n_values = resamples.sums(np.broadcast_to(m, yes.shape))
    total_yes, total_no = resamples.sums(yes), resamples.sums(m - yes)
    disagreeing = resamples.sums(2 * yes * (m - yes) / (m - 1))
    return 1 - ratio(disagreeing * (n_values - 1), 2 * total_yes * total_no)


def gwet_ac1(yes: Floats, raters: Floats, resamples: Resamples) -> Floats:
    """Gwet's AC1 for two categories; chance agreement is taken from all posts, also those that one annotator read.

    References
    ----------
    K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement",
    British Journal of Mathematical and Statistical Psychology 61 (2008), equations 2 and 6.
    """
    share = ratio(resamples.sums(yes / raters[:, None]), resamples.sums(np.ones_like(yes)))
    chance = 2 * share * (1 - share)
    return (percent_agreement(yes, raters, resamples) - chance) / (1 - chance)


def cohen_kappa(first: Floats, second: Floats, resamples: Resamples, posts: list[int]) -> Floats:
    """Cohen's kappa of two annotators; not defined where both always gave the same one answer.

    Parameters
    ----------
    first, second
        Their answers, 0 or 1, shape ``(len(posts), n_tags)``.
    resamples
        The resamples of all posts.
    posts
        Which of all posts both have read.

    References
    ----------
    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960).
    """
    n = resamples.sums(np.ones_like(first), posts)
    observed = ratio(resamples.sums((first == second).astype(np.float64), posts), n)
    share_1, share_2 = ratio(resamples.sums(first, posts), n), ratio(resamples.sums(second, posts), n)
    expected = share_1 * share_2 + (1 - share_1) * (1 - share_2)
    # Rounding can leave 1 - expected a little above 0 where both are constant.
    return ratio(observed - expected, np.where(1 - expected < 1e-12, 0.0, 1 - expected))
