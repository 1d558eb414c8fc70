"""Folds that never part a group and spread the tags as evenly as that allows; and splits to compare them with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold

from classifiers.dataset import Dataset
from classifiers.errors import DatasetError

Ints = npt.NDArray[np.int64]
EARLIER = 0.7
"""The share of the dated posts that a time-ordered split learns from."""


def folds(dataset: Dataset, n_folds: int, seed: int) -> Ints:
    """Return the fold of every post, shape (n_posts,), numbered from 0.

    Posts are stratified by the rarest of their tags.  There are never more folds than groups.

    Raises
    ------
    DatasetError
        All posts are near-duplicates of one another, so that none can be held out.
    """
    n_groups = len(np.unique(dataset.groups))
    if n_groups < 2:
        raise DatasetError(
            "the posts cannot be split: all are near-duplicates of one another",
            hint="Annotate different posts.",
        )
    n_folds = min(n_folds, n_groups)
    strata = _strata(dataset.gold, n_folds)
    rows = np.arange(len(dataset))
    if np.bincount(strata).max() < n_folds:
        splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    else:
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    fold = np.zeros(len(rows), dtype=np.int64)
    for number, (_, held_out) in enumerate(splitter.split(rows, strata, dataset.groups)):
        fold[held_out] = number
    return fold


def random_folds(n_posts: int, n_folds: int, seed: int) -> Ints:
    """Return folds drawn at random, shape (n_posts,), which part near-duplicates: only to show what that hides."""
    fold = np.zeros(n_posts, dtype=np.int64)
    splitter = KFold(min(n_folds, n_posts), shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(fold)):
        fold[held_out] = number
    return fold


def earlier_and_later(dataset: Dataset) -> tuple[Ints, Ints]:
    """Return the rows of the earlier 70 % of the posts, and of the later ones that are no near-duplicate of them.

    Posts without a date are in neither part.  The later part is empty where hardly any post has a date, or all
    have the same.
    """
    dated = sorted((date, row) for row, date in enumerate(dataset.dates) if date is not None)
    if not dated:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    last = dated[max(int(EARLIER * len(dated)), 1) - 1][0]  # posts of one moment stay together
    learnt = np.array(sorted(row for date, row in dated if date <= last), dtype=np.int64)
    known = set(dataset.groups[learnt].tolist())
    later = sorted(row for date, row in dated if date > last and dataset.groups[row] not in known)
    return learnt, np.array(later, dtype=np.int64)


def _strata(gold: npt.NDArray[np.bool_], least: int) -> Ints:
    """Number the strata: the rarest tag of every post, small strata and posts without a tag together."""
    frequency = gold.sum(axis=0)
    ranked = np.where(gold, frequency, np.iinfo(np.int64).max)
    stratum = np.where(gold.any(axis=1), ranked.argmin(axis=1), gold.shape[1])
    for target in (gold.shape[1], int(np.bincount(stratum).argmax())):
        size = np.bincount(stratum, minlength=gold.shape[1] + 1)
        stratum = np.where(size[stratum] < least, target, stratum)
    return np.asarray(np.unique(stratum, return_inverse=True)[1], dtype=np.int64)
