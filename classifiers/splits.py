"""Folds that never part a group and spread the tags as evenly as that allows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from classifiers.dataset import Dataset
from classifiers.errors import DatasetError

Ints = npt.NDArray[np.int64]


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


def _strata(gold: npt.NDArray[np.bool_], least: int) -> Ints:
    """Number the strata: the rarest tag of every post, small strata and posts without a tag together."""
    frequency = gold.sum(axis=0)
    ranked = np.where(gold, frequency, np.iinfo(np.int64).max)
    stratum = np.where(gold.any(axis=1), ranked.argmin(axis=1), gold.shape[1])
    for target in (gold.shape[1], int(np.bincount(stratum).argmax())):
        size = np.bincount(stratum, minlength=gold.shape[1] + 1)
        stratum = np.where(size[stratum] < least, target, stratum)
    return np.asarray(np.unique(stratum, return_inverse=True)[1], dtype=np.int64)
